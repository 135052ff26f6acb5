#include "keylog/line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/buf.h"

#define RANDOM "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define SECRET32 "ff0102030405060708090a0b0c0d0e0fff1112131415161718191a1b1c1d1eff"
#define SECRET48 SECRET32 "20212223242526272829aabbccddeeff"
#define SECRET64 SECRET32 SECRET32

static const struct {
	const char *text;
	enum keylog_label label;
	uint32_t generation;
	size_t key_n, secret_n;
} lines[] = {
	{ "CLIENT_RANDOM " RANDOM " " SECRET48, KEYLOG_CLIENT_RANDOM, 0, 32, 48 },
	{ "CLIENT_EARLY_TRAFFIC_SECRET " RANDOM " " SECRET32, KEYLOG_CLIENT_EARLY_TRAFFIC_SECRET, 0,
	  32, 32 },
	{ "EARLY_EXPORTER_SECRET " RANDOM " " SECRET48, KEYLOG_EARLY_EXPORTER_SECRET, 0, 32, 48 },
	{ "CLIENT_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " SECRET32,
	  KEYLOG_CLIENT_HANDSHAKE_TRAFFIC_SECRET, 0, 32, 32 },
	{ "SERVER_HANDSHAKE_TRAFFIC_SECRET " RANDOM " " SECRET48,
	  KEYLOG_SERVER_HANDSHAKE_TRAFFIC_SECRET, 0, 32, 48 },
	{ "CLIENT_TRAFFIC_SECRET_0 " RANDOM " " SECRET32, KEYLOG_CLIENT_TRAFFIC_SECRET, 0, 32, 32 },
	{ "SERVER_TRAFFIC_SECRET_0 " RANDOM " " SECRET64, KEYLOG_SERVER_TRAFFIC_SECRET, 0, 32, 64 },
	{ "CLIENT_TRAFFIC_SECRET_12 " RANDOM " " SECRET32, KEYLOG_CLIENT_TRAFFIC_SECRET, 12, 32,
	  32 },
	{ "SERVER_TRAFFIC_SECRET_N " RANDOM " " SECRET32, KEYLOG_SERVER_TRAFFIC_SECRET, KEYLOG_NEXT,
	  32, 32 },
	{ "EXPORTER_SECRET " RANDOM " " SECRET32, KEYLOG_EXPORTER_SECRET, 0, 32, 32 },
	{ "ECH_SECRET " RANDOM " " SECRET32, KEYLOG_ECH_SECRET, 0, 32, 32 },
	{ "ECH_CONFIG " RANDOM " fe0d", KEYLOG_ECH_CONFIG, 0, 32, 2 },
	{ "RSA 0011223344556677 " SECRET48, KEYLOG_RSA, 0, 8, 48 },
	{ "RSA Session-ID:" RANDOM " Master-Key:" SECRET48, KEYLOG_RSA_SESSION_ID, 0, 32, 48 },
	{ "RSA Session-ID:aa Master-Key:" SECRET48, KEYLOG_RSA_SESSION_ID, 0, 1, 48 },
	{ "PMS_CLIENT_RANDOM " RANDOM " 0303aabb", KEYLOG_PMS_CLIENT_RANDOM, 0, 32, 4 },
};

static void reads_every_label_and_writes_it_back(void **state)
{
	static struct keylog_line line;
	static char out[KEYLOG_LINE_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct keylog_entry entry;
		struct err e = { 0 };
		size_t n = 0;

		if (keylog_line_parse(bytes_str(lines[i].text), &line, &e) != KEYLOG_LINE)
			fail_msg("%s: %s", lines[i].text, e.sentence);
		assert_int_equal(line.label, lines[i].label);
		assert_int_equal(line.generation, lines[i].generation);
		assert_int_equal(line.key_n, lines[i].key_n);
		assert_int_equal(line.secret_n, lines[i].secret_n);
		entry = (struct keylog_entry){ .label = line.label,
					       .generation = line.generation,
					       .key = bytes_of(line.key, line.key_n),
					       .secret = bytes_of(line.secret, line.secret_n) };
		assert_int_equal(keylog_line_write(&entry, out, sizeof(out), &n, &e), 0);
		assert_int_equal(out[n - 1], '\n');
		assert_true(bytes_equal(bytes_of(out, n - 1), bytes_str(lines[i].text)));
		/* One byte less is too little. */
		assert_int_equal(keylog_line_write(&entry, out, n - 1, &n, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
	}
	keylog_line_wipe(&line);
	assert_int_equal(line.secret[0], 0);
	assert_int_equal(line.label, KEYLOG_NONE);
}

static void hexadecimal_digits_may_be_of_either_case(void **state)
{
	static struct keylog_line line;

	(void)state;
	assert_int_equal(keylog_line_parse(bytes_str("RSA 00112233AaBbCcDd " SECRET48), &line,
					   NULL),
			 KEYLOG_LINE);
	assert_memory_equal(line.key, "\x00\x11\x22\x33\xaa\xbb\xcc\xdd", 8);
	assert_int_equal(line.secret[0], 0xff);
	assert_int_equal(line.secret[47], 0xff);
}

static void line_ends_and_further_words_are_left_out(void **state)
{
	static const char *const ends[] = { "\n", "\r\n", "\r", " ", " junk more", " \r\n" };
	static struct keylog_line line;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		AUTO(buf_fini) struct buf text = buf_init(1000);

		assert_int_equal(buf_printf(&text, NULL, "%s%s", lines[0].text, ends[i]), 0);
		assert_int_equal(keylog_line_parse(buf_bytes(&text), &line, NULL), KEYLOG_LINE);
		assert_int_equal(line.secret_n, 48);
	}
}

static void tells_comments_and_unknown_labels_from_bad_lines(void **state)
{
	static const struct {
		const char *text;
		enum keylog_outcome want;
	} cases[] = {
		{ "", KEYLOG_EMPTY },
		{ "\n", KEYLOG_EMPTY },
		{ "\r\n", KEYLOG_EMPTY },
		{ "  \t ", KEYLOG_EMPTY },
		{ "# SSL/TLS secrets log file", KEYLOG_EMPTY },
		{ "#", KEYLOG_EMPTY },
		{ "SOMETHING_NEW " RANDOM " " SECRET32, KEYLOG_OTHER },
		{ "client_random " RANDOM " " SECRET48, KEYLOG_OTHER },
		{ "CLIENT_TRAFFIC_SECRET_ " RANDOM " " SECRET32, KEYLOG_OTHER },
		{ "CLIENT_TRAFFIC_SECRET_x " RANDOM " " SECRET32, KEYLOG_OTHER },
		{ "CLIENT_TRAFFIC_SECRET_01 " RANDOM " " SECRET32, KEYLOG_OTHER },
		{ "CLIENT_TRAFFIC_SECRET_4294967295 " RANDOM " " SECRET32, KEYLOG_OTHER },
		{ " CLIENT_RANDOM " RANDOM " " SECRET48, KEYLOG_OTHER },
		{ "CLIENT_RANDOM", KEYLOG_BAD },
		{ "CLIENT_RANDOM ", KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM, KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM " ", KEYLOG_BAD },
		{ "CLIENT_RANDOM  " RANDOM " " SECRET48, KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM "  " SECRET48, KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM "00 " SECRET48, KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM " " SECRET48 "00", KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM " " SECRET48 "0", KEYLOG_BAD },
		{ "CLIENT_RANDOM " RANDOM " " SECRET32, KEYLOG_BAD },
		{ "CLIENT_RANDOM x" RANDOM " " SECRET48, KEYLOG_BAD },
		{ "EXPORTER_SECRET " RANDOM " 0102", KEYLOG_BAD },
		{ "EXPORTER_SECRET " RANDOM " " SECRET64 "00", KEYLOG_BAD },
		{ "EXPORTER_SECRET " RANDOM " g" SECRET32, KEYLOG_BAD },
		{ "RSA 001122334455667g " SECRET48, KEYLOG_BAD },
		{ "RSA 00112233445566/7 " SECRET48, KEYLOG_BAD },
		{ "ECH_CONFIG " RANDOM " ", KEYLOG_BAD },
		{ "RSA 00112233445566 " SECRET48, KEYLOG_BAD },
		{ "RSA Session-ID: Master-Key:" SECRET48, KEYLOG_BAD },
		{ "RSA Session-ID:aa Master-Kex:" SECRET48, KEYLOG_BAD },
		{ "RSA Session-ID:" RANDOM "00 Master-Key:" SECRET48, KEYLOG_BAD },
	};
	static struct keylog_line line;

	(void)state;
	line.label = KEYLOG_NONE;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		enum keylog_outcome got = keylog_line_parse(bytes_str(cases[i].text), &line, &e);

		if (got != cases[i].want)
			fail_msg("%s: outcome %d", cases[i].text, got);
		assert_int_equal(e.code, got == KEYLOG_BAD ? ERR_WIRE_DECODE : ERR_NONE);
		assert_int_equal(line.label, KEYLOG_NONE);
		/* What was wrong with it is told, but no digit of a secret. */
		assert_null(strstr(e.sentence, "ff0102"));
	}
	assert_int_equal(keylog_line_parse(bytes_of("CLIENT_RANDOM\0", 14), &line, NULL),
			 KEYLOG_OTHER);
}

static void the_longest_secret_fits_and_no_longer_one(void **state)
{
	AUTO(buf_fini) struct buf text = buf_init(10000);
	static struct keylog_line line;
	static char out[KEYLOG_LINE_MAX];
	struct keylog_entry entry;
	size_t n;

	(void)state;
	assert_int_equal(buf_printf(&text, NULL, "PMS_CLIENT_RANDOM " RANDOM " "), 0);
	for (size_t i = 0; i < KEYLOG_SECRET_MAX; i++)
		assert_int_equal(buf_printf(&text, NULL, "%02x", (unsigned)i & 255), 0);
	assert_int_equal(keylog_line_parse(buf_bytes(&text), &line, NULL), KEYLOG_LINE);
	entry = (struct keylog_entry){ .label = line.label,
				       .key = bytes_of(line.key, line.key_n),
				       .secret = bytes_of(line.secret, line.secret_n) };
	assert_int_equal(keylog_line_write(&entry, out, sizeof(out), &n, NULL), 0);
	assert_true(bytes_equal(bytes_of(out, n - 1), buf_bytes(&text)));
	assert_int_equal(buf_printf(&text, NULL, "00"), 0);
	assert_int_equal(keylog_line_parse(buf_bytes(&text), &line, NULL), KEYLOG_BAD);
	entry.secret.n++;
	assert_int_equal(keylog_line_write(&entry, out, sizeof(out), &n, NULL), -1);
}

static void labels_have_names(void **state)
{
	(void)state;
	for (int i = 1; i < KEYLOG_LABEL_COUNT; i++)
		assert_string_not_equal(keylog_label_name((enum keylog_label)i), "none");
	assert_string_equal(keylog_label_name(KEYLOG_CLIENT_TRAFFIC_SECRET),
			    "CLIENT_TRAFFIC_SECRET_0");
	assert_string_equal(keylog_label_name(KEYLOG_RSA_SESSION_ID), "RSA");
	assert_string_equal(keylog_label_name(KEYLOG_NONE), "none");
	assert_true(bytes_equal(keylog_line_label(bytes_str(lines[8].text)),
				bytes_str("SERVER_TRAFFIC_SECRET_N")));
	assert_true(bytes_equal(keylog_line_label(bytes_str("X\r\n")), bytes_str("X")));
	assert_int_equal(keylog_line_label(bytes_str("")).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_every_label_and_writes_it_back),
		cmocka_unit_test(hexadecimal_digits_may_be_of_either_case),
		cmocka_unit_test(line_ends_and_further_words_are_left_out),
		cmocka_unit_test(tells_comments_and_unknown_labels_from_bad_lines),
		cmocka_unit_test(the_longest_secret_fits_and_no_longer_one),
		cmocka_unit_test(labels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
