#include "wire/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "wire/hello_make.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)
/* For static tables. */
#define LIT(s)                                                                                     \
	{                                                                                          \
		(const uint8_t *)("" s), sizeof(s) - 1                                             \
	}

static void make_message(struct hello_make *m, size_t padding)
{
	struct hello_start start = hello_start_usual();
	uint8_t *zeros = mem_new(padding + 1);

	*m = (struct hello_make){ 0 };
	hello_make_begin(m, &start);
	hello_make_extensions(m);
	hello_make_add(m, 21, bytes_of(zeros, padding));
	hello_make_end(m);
	mem_free(zeros);
}

/* Shows raw in steps; the answer, and after how many bytes it came. */
struct answer {
	struct hello h;
	enum hello_outcome outcome;
	enum alert alert;
	struct err e;
	size_t after;
};

static void run(struct bytes raw, size_t step, struct answer *a)
{
	*a = (struct answer){ .h = hello_init(), .outcome = HELLO_MORE };
	for (size_t n = step; n < raw.n + step && a->outcome == HELLO_MORE; n += step) {
		a->outcome = hello_run(&a->h, bytes_slice(raw, 0, n), &a->alert, &a->e);
		a->after = n < raw.n ? n : raw.n;
	}
}

static void finds_it(struct bytes raw, size_t hello_n, struct bytes message)
{
	static const size_t steps[] = { 1, 2, 3, 5, 7, 100, 1460, SIZE_MAX / 4 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		AUTO(buf_fini) struct buf joined = buf_init(HELLO_MESSAGE_MAX);
		struct bytes found = { 0 };
		struct answer a;

		run(raw, steps[i], &a);
		if (a.outcome != HELLO_DONE)
			fail_msg("steps of %zu: %s", steps[i], a.e.sentence);
		assert_true(a.after >= hello_n && a.after - hello_n < steps[i]);
		assert_int_equal(a.h.raw_n, hello_n);
		assert_int_equal(hello_message(&a.h, raw, &joined, &found, &a.e), 0);
		assert_true(bytes_equal(found, message));
		if (a.h.records == 1)
			assert_ptr_equal(found.p, raw.p + RECORD_HEADER_SIZE);
	}
}

static void finds_a_hello_in_records_of_any_size(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 4, 5, 50, 200, 16384 };
	struct hello_make m;

	(void)state;
	make_message(&m, 100);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		AUTO(buf_fini) struct buf raw = buf_init(1 << 20);
		size_t hello_n;

		hello_to_records(buf_bytes(&m.b), sizes[i], &raw);
		hello_n = raw.n;
		finds_it(buf_bytes(&raw), hello_n, buf_bytes(&m.b));
		/* Early data behind it stays where it is. */
		assert_int_equal(buf_add(&raw, B("\x17\x03\x03\x00\x02zz"), NULL), 0);
		finds_it(buf_bytes(&raw), hello_n, buf_bytes(&m.b));
	}
	buf_fini(&m.b);
}

static void takes_64_kib_of_extensions(void **state)
{
	AUTO(buf_fini) struct buf raw = buf_init(1 << 20);
	struct hello_make m;

	(void)state;
	make_message(&m, 65531);
	hello_to_records(buf_bytes(&m.b), RECORD_PLAIN_MAX, &raw);
	finds_it(buf_bytes(&raw), raw.n, buf_bytes(&m.b));
	buf_fini(&m.b);
}

static void wants_more_of_every_truncation(void **state)
{
	AUTO(buf_fini) struct buf raw = buf_init(1 << 20);
	struct hello_make m;
	enum alert alert;

	(void)state;
	make_message(&m, 10);
	hello_to_records(buf_bytes(&m.b), 40, &raw);
	for (size_t n = 0; n < raw.n; n++) {
		struct hello h = hello_init();
		uint8_t *copy = mem_dup(bytes_slice(buf_bytes(&raw), 0, n));

		alert = ALERT_CLOSE_NOTIFY;
		assert_int_equal(hello_run(&h, bytes_of(copy, n), &alert, NULL), HELLO_MORE);
		assert_int_equal(alert, ALERT_DECODE_ERROR);
		mem_free(copy);
	}
	buf_fini(&m.b);
}

struct refusal {
	const char *what;
	struct bytes raw;
	enum hello_outcome outcome;
	enum alert alert;
	size_t after; /* how many bytes suffice to see it */
	const char *want;
};

static void refuses(const struct refusal *r)
{
	static const size_t steps[] = { 1, SIZE_MAX / 4 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct answer a;

		run(r->raw, steps[i], &a);
		assert_int_equal(a.outcome, r->outcome);
		assert_int_equal(a.e.code, ERR_TLS_DECODE);
		if (r->outcome == HELLO_BAD)
			assert_int_equal(a.alert, r->alert);
		if (steps[i] == 1 && a.after != r->after)
			fail_msg("%s: seen after %zu bytes", r->what, a.after);
		if (!strstr(a.e.sentence, r->want))
			fail_msg("%s: %s", r->what, a.e.sentence);
	}
}

static void refuses_what_is_no_client_hello_as_early_as_can_be(void **state)
{
	static const struct refusal cases[] = {
		{ "an HTTP request", LIT("GET / HTTP/1.1"), HELLO_NOT_TLS, 0, 1, "no TLS" },
		{ "SSLv2", LIT("\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10"), HELLO_NOT_TLS, 0, 1,
		  "no TLS" },
		{ "an SSH banner", LIT("SSH-2.0-x"), HELLO_NOT_TLS, 0, 1, "first byte is 0x53" },
		{ "major version 2", LIT("\x16\x02\x00\x00\x05"), HELLO_NOT_TLS, 0, 2, "0x16" },
		{ "an alert", LIT("\x15\x03\x03\x00\x02\x02\x28"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 2, "of type alert" },
		{ "application data", LIT("\x17\x03\x03\x00\x02zz"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 2, "of type application_data" },
		{ "change_cipher_spec", LIT("\x14\x03\x03\x00\x01\x01"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 2, "of type change_cipher_spec" },
		{ "an empty record", LIT("\x16\x03\x01\x00\x00\x16\x03\x01"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 5, "empty" },
		{ "an empty record later", LIT("\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x00"),
		  HELLO_BAD, ALERT_UNEXPECTED_MESSAGE, 11, "empty" },
		{ "a record too long", LIT("\x16\x03\x01\x40\x01\x01"), HELLO_BAD,
		  ALERT_RECORD_OVERFLOW, 5, "16385" },
		{ "a ServerHello", LIT("\x16\x03\x01\x00\x40\x02\x00\x00\x3c"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 6, "server_hello (2)" },
		{ "a hello too long", LIT("\x16\x03\x01\x00\x40\x01\x01\xff\xfd"), HELLO_BAD,
		  ALERT_ILLEGAL_PARAMETER, 9, "131073 bytes" },
		{ "the same in small records",
		  LIT("\x16\x03\x01\x00\x02\x01\x01\x16\x03\x01\x00\x02\xff\xfd"), HELLO_BAD,
		  ALERT_ILLEGAL_PARAMETER, 14, "131073 bytes" },
		{ "an alert in the middle",
		  LIT("\x16\x03\x01\x00\x02\x01\x00\x15\x03\x01\x00\x02\x02\x00"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 9, "of type alert" },
		{ "garbage in the middle", LIT("\x16\x03\x01\x00\x02\x01\x00GARBAGE"), HELLO_BAD,
		  ALERT_UNEXPECTED_MESSAGE, 8, "its type is 71" },
		{ "bytes after it in its record", LIT("\x16\x03\x01\x00\x05\x01\x00\x00\x00\x14"),
		  HELLO_BAD, ALERT_UNEXPECTED_MESSAGE, 10, "1 bytes follow" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		refuses(&cases[i]);
}

static void says_what_other_protocol_it_looks_like(void **state)
{
	struct hello h = hello_init();
	enum alert alert;
	struct err e;

	(void)state;
	assert_int_equal(hello_run(&h, B("GET / HTTP/1.1\r\n"), &alert, &e), HELLO_NOT_TLS);
	assert_string_equal(e.sentence, "no TLS: it looks like HTTP");
	h = hello_init();
	assert_int_equal(hello_run(&h, B("\x15\x03"), NULL, NULL), HELLO_BAD);
	h = hello_init();
	assert_int_equal(hello_run(&h, B("\x80\x2e\x01\x00\x02"), &alert, &e), HELLO_NOT_TLS);
	assert_string_equal(e.sentence, "no TLS: it looks like an SSLv2 ClientHello");
}

static void refuses_records_that_carry_next_to_nothing(void **state)
{
	AUTO(buf_fini) struct buf raw = buf_init(1 << 20);
	enum alert alert = ALERT_CLOSE_NOTIFY;
	struct hello h = hello_init();
	struct hello_make m;
	struct err e = { 0 };

	(void)state;
	make_message(&m, 60000);
	hello_to_records(buf_bytes(&m.b), 1, &raw);
	assert_int_equal(hello_run(&h, buf_bytes(&raw), &alert, &e), HELLO_BAD);
	assert_int_equal(alert, ALERT_DECODE_ERROR);
	assert_true(h.raw_n <= HELLO_RAW_MAX + 6);
	assert_non_null(strstr(e.sentence, "cut into"));
	buf_fini(&m.b);
}

static void joining_fails_cleanly_without_memory(void **state)
{
	AUTO(buf_fini) struct buf raw = buf_init(1 << 20), joined = buf_init(HELLO_MESSAGE_MAX);
	AUTO(buf_fini) struct buf small = buf_init(100);
	struct bytes message = { 0 };
	struct hello h = hello_init();
	struct hello_make m;
	enum alert alert;
	struct err e = { 0 };

	(void)state;
	make_message(&m, 300);
	hello_to_records(buf_bytes(&m.b), 100, &raw);
	assert_int_equal(hello_run(&h, buf_bytes(&raw), &alert, &e), HELLO_DONE);
	mem_fail_at(1);
	assert_int_equal(hello_message(&h, buf_bytes(&raw), &joined, &message, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_null(message.p);
	assert_int_equal(hello_message(&h, buf_bytes(&raw), &small, &message, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(hello_message(&h, buf_bytes(&raw), &joined, &message, &e), 0);
	assert_true(bytes_equal(message, buf_bytes(&m.b)));
	buf_fini(&m.b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_hello_in_records_of_any_size),
		cmocka_unit_test(takes_64_kib_of_extensions),
		cmocka_unit_test(wants_more_of_every_truncation),
		cmocka_unit_test(refuses_what_is_no_client_hello_as_early_as_can_be),
		cmocka_unit_test(says_what_other_protocol_it_looks_like),
		cmocka_unit_test(refuses_records_that_carry_next_to_nothing),
		cmocka_unit_test(joining_fails_cleanly_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
