#include "tap/datagram.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

/* An Initial of QUIC version 1 with connection ids of 8 and 0 bytes (RFC 9001, A.2: its beginning). */
static const uint8_t quic[] = { 0xc3, 0x00, 0x00, 0x00, 0x01, 0x08, 0x83, 0x94,
				0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08, 0x00 };
/* A ClientHello's record of DTLS 1.2, epoch 0, with two bytes of it. */
static const uint8_t dtls[] = { 0x16, 0xfe, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00,
				0x00, 0x00, 0x00, 0x00, 0x02, 0x01, 0x00 };

/* The same with another byte at one place. */
static enum datagram with(const uint8_t *good, size_t n, size_t at, uint8_t byte)
{
	uint8_t changed[64];

	memcpy(changed, good, n);
	changed[at] = byte;
	return datagram_sniff(bytes_of(changed, n));
}

static void knows_quic_of_every_version(void **state)
{
	uint8_t draft[sizeof(quic)], second[sizeof(quic)];

	(void)state;
	assert_int_equal(datagram_sniff(bytes_of(quic, sizeof(quic))), DATAGRAM_QUIC);
	memcpy(draft, quic, sizeof(quic));
	memcpy(draft + 1, "\xff\x00\x00\x1d", 4);
	assert_int_equal(datagram_sniff(bytes_of(draft, sizeof(draft))), DATAGRAM_QUIC);
	memcpy(second, quic, sizeof(quic));
	memcpy(second + 1, "\x6b\x33\x43\xcf", 4);
	assert_int_equal(datagram_sniff(bytes_of(second, sizeof(second))), DATAGRAM_QUIC);
}

static void knows_dtls_of_every_version(void **state)
{
	(void)state;
	assert_int_equal(datagram_sniff(bytes_of(dtls, sizeof(dtls))), DATAGRAM_DTLS);
	assert_int_equal(with(dtls, sizeof(dtls), 2, 0xff), DATAGRAM_DTLS);
	assert_int_equal(with(dtls, sizeof(dtls), 0, 20), DATAGRAM_DTLS);
	assert_int_equal(with(dtls, sizeof(dtls), 0, 25), DATAGRAM_DTLS);
	assert_int_equal(with(dtls, sizeof(dtls), 4, 1), DATAGRAM_DTLS);
}

static void a_part_is_not_enough(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(quic); n++)
		assert_int_equal(datagram_sniff(bytes_of(quic, n)), DATAGRAM_OTHER);
	for (size_t n = 0; n < sizeof(dtls); n++)
		assert_int_equal(datagram_sniff(bytes_of(dtls, n)), DATAGRAM_OTHER);
}

static void what_is_neither_is_other(void **state)
{
	(void)state;
	assert_int_equal(with(quic, sizeof(quic), 0, 0x43), DATAGRAM_OTHER); /* a short header */
	assert_int_equal(with(quic, sizeof(quic), 0, 0x83), DATAGRAM_OTHER); /* no fixed bit */
	assert_int_equal(with(quic, sizeof(quic), 4, 9), DATAGRAM_OTHER);    /* version */
	assert_int_equal(with(quic, sizeof(quic), 14, 21), DATAGRAM_OTHER);  /* id too long */
	assert_int_equal(with(dtls, sizeof(dtls), 0, 19), DATAGRAM_OTHER);
	assert_int_equal(with(dtls, sizeof(dtls), 0, 26), DATAGRAM_OTHER);
	assert_int_equal(with(dtls, sizeof(dtls), 1, 3), DATAGRAM_OTHER);
	assert_int_equal(with(dtls, sizeof(dtls), 4, 2), DATAGRAM_OTHER);
	assert_int_equal(with(dtls, sizeof(dtls), 12, 0), DATAGRAM_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_quic_of_every_version),
		cmocka_unit_test(knows_dtls_of_every_version),
		cmocka_unit_test(a_part_is_not_enough),
		cmocka_unit_test(what_is_neither_is_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
