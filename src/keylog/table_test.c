#include "keylog/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "base/mem.h"

#define A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define B "a00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define S1 "110102030405060708090a0b0c0d0e0fff1112131415161718191a1b1c1d1eff"
#define S2 "220102030405060708090a0b0c0d0e0fff1112131415161718191a1b1c1d1eff"
#define S3 "330102030405060708090a0b0c0d0e0fff1112131415161718191a1b1c1d1eff"
#define UPPER "FF0102030405060708090A0B0C0D0E0FFF1112131415161718191A1B1C1D1EFF"
#define LOWER "ff0102030405060708090a0b0c0d0e0fff1112131415161718191a1b1c1d1eff"
#define M48 S1 "20212223242526272829aabbccddeeff"

static struct keylog_table *table_of(struct bytes text, size_t step)
{
	struct keylog_table *t;
	struct err e;

	assert_int_equal(keylog_table_new(1 << 20, &t, &e), 0);
	while (text.n) {
		struct bytes piece = bytes_slice(text, 0, step);

		assert_int_equal(keylog_table_feed(t, piece, &e), 0);
		text = bytes_slice(text, piece.n, text.n);
	}
	assert_int_equal(keylog_table_end(t, &e), 0);
	return t;
}

static struct keylog_table *table(const char *text)
{
	return table_of(bytes_str(text), SIZE_MAX / 2);
}

static struct keylog_stats stats_of(const struct keylog_table *t)
{
	struct keylog_stats s;

	keylog_table_stats(t, &s);
	return s;
}

/* The bytes that hexadecimal digits stand for. */
static struct bytes unhex(const char *hex, uint8_t out[64])
{
	size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned high = hex[2 * i] <= '9' ? hex[2 * i] - '0' : hex[2 * i] - 'a' + 10;
		unsigned low =
			hex[2 * i + 1] <= '9' ? hex[2 * i + 1] - '0' : hex[2 * i + 1] - 'a' + 10;

		out[i] = (uint8_t)(high << 4 | low);
	}
	return bytes_of(out, n);
}

static const struct keylog_secret *find(const struct keylog_table *t, const char *key)
{
	uint8_t room[64];

	return keylog_table_find(t, unhex(key, room));
}

static void assert_secret(const struct keylog_secret *s, enum keylog_label label,
			  uint32_t generation, const char *secret)
{
	uint8_t room[64];
	struct bytes want = unhex(secret, room);

	assert_non_null(s);
	assert_int_equal(s->label, label);
	assert_int_equal(s->generation, generation);
	assert_int_equal(s->secret_n, want.n);
	assert_memory_equal(s->secret, want.p, want.n);
}

static void finds_secrets_by_their_key_in_the_order_of_the_lines(void **state)
{
	struct keylog_table *t = table("# a comment\r\n"
				       "SERVER_HANDSHAKE_TRAFFIC_SECRET " A " " S1 "\r\n"
				       "\r\n"
				       "CLIENT_RANDOM " B " " M48 "\n"
				       "CLIENT_TRAFFIC_SECRET_0 " A " " S2 " and junk\n"
				       "RSA Session-ID:aabb Master-Key:" M48 "\n"
				       "RSA 0011223344556677 " M48);
	const struct keylog_secret *s = find(t, A);

	(void)state;
	assert_secret(s, KEYLOG_SERVER_HANDSHAKE_TRAFFIC_SECRET, 0, S1);
	assert_int_equal(s->line, 2);
	assert_secret(s->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 0, S2);
	assert_int_equal(s->next->line, 5);
	assert_null(s->next->next);
	assert_ptr_equal(s->key, s->next->key);
	assert_secret(find(t, B), KEYLOG_CLIENT_RANDOM, 0, M48);
	assert_secret(find(t, "aabb"), KEYLOG_RSA_SESSION_ID, 0, M48);
	assert_secret(find(t, "0011223344556677"), KEYLOG_RSA, 0, M48);
	assert_null(find(t, S1));
	assert_null(keylog_table_find(t, (struct bytes){ 0 }));
	assert_int_equal(stats_of(t).lines, 5);
	assert_int_equal(stats_of(t).secrets, 5);
	assert_int_equal(stats_of(t).bad, 0);
	keylog_table_free(t);
}

static void walks_over_all_in_the_order_of_the_lines(void **state)
{
	static const uint64_t lines[] = { 1, 2, 4 };
	struct keylog_table *t = table("CLIENT_RANDOM " B " " M48 "\n"
				       "CLIENT_TRAFFIC_SECRET_0 " A " " S1 "\n#\n"
				       "EXPORTER_SECRET " B " " S1 "\n");
	const struct keylog_secret *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		s = keylog_table_walk(t, s);
		assert_non_null(s);
		assert_int_equal(s->line, lines[i]);
	}
	assert_null(keylog_table_walk(t, s));
	keylog_table_free(t);
}

static void the_newest_of_a_label_come_first(void **state)
{
	static const uint64_t lines[] = { 4, 3, 1 };
	struct keylog_table *t = table("CLIENT_TRAFFIC_SECRET_0 " A " " S1 "\n"
				       "EXPORTER_SECRET " A " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_0 " B " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_1 " B " " S1 "\n");
	const struct keylog_secret *s = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		s = keylog_table_newest(t, KEYLOG_CLIENT_TRAFFIC_SECRET, s);
		assert_non_null(s);
		assert_int_equal(s->line, lines[i]);
	}
	assert_null(keylog_table_newest(t, KEYLOG_CLIENT_TRAFFIC_SECRET, s));
	assert_null(keylog_table_newest(t, KEYLOG_SERVER_TRAFFIC_SECRET, NULL));
	assert_int_equal(keylog_table_count(t, KEYLOG_CLIENT_TRAFFIC_SECRET), 3);
	assert_int_equal(keylog_table_count(t, KEYLOG_EXPORTER_SECRET), 1);
	assert_int_equal(keylog_table_count(t, KEYLOG_RSA), 0);
	keylog_table_free(t);
}

static void an_empty_table_has_nothing(void **state)
{
	struct keylog_table *t = table("");

	(void)state;
	assert_null(find(t, A));
	assert_null(keylog_table_walk(t, NULL));
	assert_int_equal(stats_of(t).lines, 0);
	keylog_table_free(t);
	keylog_table_free(NULL);
}

static void keeps_lines_that_contradict_each_other(void **state)
{
	struct keylog_table *t = table("CLIENT_TRAFFIC_SECRET_0 " A " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_0 " A " " S2 "\n"
				       "CLIENT_TRAFFIC_SECRET_0 " A " " S1 "\n"
				       "SERVER_TRAFFIC_SECRET_0 " A " " S1 "\n");
	const struct keylog_secret *s = find(t, A);

	(void)state;
	assert_secret(s, KEYLOG_CLIENT_TRAFFIC_SECRET, 0, S1);
	assert_secret(s->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 0, S2);
	assert_secret(s->next->next, KEYLOG_SERVER_TRAFFIC_SECRET, 0, S1);
	assert_null(s->next->next->next);
	assert_int_equal(stats_of(t).repeated, 1);
	keylog_table_free(t);
}

static void case_makes_no_difference(void **state)
{
	struct keylog_table *t = table("CLIENT_TRAFFIC_SECRET_0 " UPPER " " UPPER "\n"
				       "CLIENT_TRAFFIC_SECRET_0 " LOWER " " LOWER "\n");

	(void)state;
	assert_secret(find(t, LOWER), KEYLOG_CLIENT_TRAFFIC_SECRET, 0, LOWER);
	assert_int_equal(stats_of(t).secrets, 1);
	assert_int_equal(stats_of(t).repeated, 1);
	keylog_table_free(t);
}

static void counts_generations_for_each_label_and_key(void **state)
{
	struct keylog_table *t = table("CLIENT_TRAFFIC_SECRET_0 " A " " S1 "\n"
				       "SERVER_TRAFFIC_SECRET_N " A " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_N " B " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_N " A " " S2 "\n"
				       "CLIENT_TRAFFIC_SECRET_N " A " " S2 "\n"
				       "CLIENT_TRAFFIC_SECRET_N " A " " S3 "\n"
				       "SERVER_TRAFFIC_SECRET_N " A " " S2 "\n");
	const struct keylog_secret *s = find(t, A);

	(void)state;
	assert_secret(s, KEYLOG_CLIENT_TRAFFIC_SECRET, 0, S1);
	assert_secret(s = s->next, KEYLOG_SERVER_TRAFFIC_SECRET, 1, S1);
	assert_secret(s = s->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 1, S2);
	assert_secret(s = s->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 2, S3);
	assert_secret(s = s->next, KEYLOG_SERVER_TRAFFIC_SECRET, 2, S2);
	assert_null(s->next);
	assert_secret(find(t, B), KEYLOG_CLIENT_TRAFFIC_SECRET, 1, S1);
	assert_int_equal(stats_of(t).repeated, 1);
	keylog_table_free(t);
}

static void takes_generations_that_have_a_number(void **state)
{
	struct keylog_table *t = table("CLIENT_TRAFFIC_SECRET_7 " A " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_2 " A " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_7 " A " " S1 "\n"
				       "CLIENT_TRAFFIC_SECRET_N " A " " S2 "\n"
				       "CLIENT_TRAFFIC_SECRET_8 " A " " S2 "\n"
				       "SERVER_TRAFFIC_SECRET_4294967294 " A " " S1 "\n"
				       "SERVER_TRAFFIC_SECRET_N " A " " S2 "\n");
	const struct keylog_secret *s = find(t, A);

	(void)state;
	assert_secret(s, KEYLOG_CLIENT_TRAFFIC_SECRET, 7, S1);
	assert_secret(s = s->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 2, S1);
	assert_secret(s = s->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 8, S2);
	assert_secret(s = s->next, KEYLOG_SERVER_TRAFFIC_SECRET, 4294967294, S1);
	assert_secret(s = s->next, KEYLOG_SERVER_TRAFFIC_SECRET, 4294967294, S2);
	assert_null(s->next);
	assert_int_equal(stats_of(t).repeated, 2);
	keylog_table_free(t);
}

static const char mixed[] = "\xef\xbb\xbf# with a byte order mark\n"
			    "CLIENT_RANDOM " A " " M48 "\r\n"
			    "QUIC_CLIENT_TRAFFIC_SECRET_0 " A " " S1 "\n"
			    "   \n"
			    "CLIENT_RANDOM " A " 00\n"
			    "\x16\x03\x01\x00 garbage \xff\n"
			    "client_random " A " " M48 "\n"
			    "ONEWORD\n"
			    "CLIENT_TRAFFIC_SECRET_N " B " " S1 "\n"
			    "CLIENT_TRAFFIC_SECRET_N " B " " S2 " \n";

static void assert_mixed(const struct keylog_table *t)
{
	struct keylog_stats s = stats_of(t);

	assert_int_equal(s.lines, 8);
	assert_int_equal(s.secrets, 3);
	assert_int_equal(s.other, 1);
	assert_int_equal(s.bad, 4);
	assert_int_equal(s.first_bad, 5);
	assert_int_equal(s.dropped, 0);
	assert_secret(find(t, A), KEYLOG_CLIENT_RANDOM, 0, M48);
	assert_secret(find(t, B)->next, KEYLOG_CLIENT_TRAFFIC_SECRET, 2, S2);
	assert_int_equal(find(t, B)->next->line, 10);
}

static void counts_what_is_no_line_and_goes_on_however_it_is_cut(void **state)
{
	(void)state;
	for (size_t step = 1; step < sizeof(mixed); step++) {
		struct keylog_table *t = table_of(bytes_of(mixed, sizeof(mixed) - 1), step);

		assert_mixed(t);
		keylog_table_free(t);
	}
}

static void every_truncation_is_a_key_log_too(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(mixed); n++) {
		struct keylog_table *t = table_of(bytes_of(mixed, n), SIZE_MAX / 2);
		struct keylog_stats s = stats_of(t);

		assert_int_equal(s.lines, s.secrets + s.other + s.bad);
		keylog_table_free(t);
	}
}

/* Text of one file after another: the first has no line end. */
static void the_end_of_a_text_ends_its_line(void **state)
{
	struct keylog_table *t = table("CLIENT_RANDOM " A " " M48);
	struct err e;

	(void)state;
	assert_int_equal(keylog_table_end(t, &e), 0);
	assert_int_equal(keylog_table_feed(t, bytes_str("CLIENT_RANDOM " B " " M48 "\n"), &e), 0);
	assert_int_equal(keylog_table_end(t, &e), 0);
	assert_int_equal(stats_of(t).secrets, 2);
	assert_int_equal(find(t, B)->line, 2);
	keylog_table_free(t);
}

/* A line without an end, as long as a file of zeros or of words. */
static void steps_over_a_line_of_any_length_in_bounded_memory(void **state)
{
	static const char fills[] = { 0, 'A', ' ' };
	static char block[100000];

	(void)state;
	for (size_t k = 0; k < ARRAY_LEN(fills); k++) {
		struct keylog_table *t = table("CLIENT_RANDOM " A " ");
		struct err e;

		memset(block, fills[k], sizeof(block));
		for (int i = 0; i < 200; i++)
			assert_int_equal(keylog_table_feed(t, bytes_of(block, sizeof(block)), &e),
					 0);
		assert_int_equal(keylog_table_feed(t, bytes_str("\nCLIENT_RANDOM " B " " M48), &e),
				 0);
		assert_int_equal(keylog_table_end(t, &e), 0);
		assert_non_null(find(t, B));
		assert_int_equal(find(t, B)->line, 3);
		assert_null(find(t, A));
		keylog_table_free(t);
	}
}

static void junk_after_a_line_may_be_long(void **state)
{
	static char text[20000];
	struct keylog_table *t;

	(void)state;
	memset(text, 'x', sizeof(text));
	memcpy(text, "CLIENT_RANDOM " A " " M48 " ", 14 + 64 + 1 + 96 + 1);
	for (size_t step = 1000; step <= sizeof(text); step += 19000) {
		t = table_of(bytes_of(text, sizeof(text)), step);
		assert_secret(find(t, A), KEYLOG_CLIENT_RANDOM, 0, M48);
		keylog_table_free(t);
	}
}

static size_t add_numbered(struct keylog_table *t, size_t from, size_t to)
{
	struct keylog_line line = { .label = KEYLOG_CLIENT_TRAFFIC_SECRET,
				    .key_n = 32,
				    .secret_n = 32 };
	struct err e;

	for (size_t i = from; i < to; i++) {
		memcpy(line.key, &i, sizeof(i));
		memcpy(line.secret, &i, sizeof(i));
		assert_int_equal(keylog_table_add(t, &line, &e), 0);
	}
	return to - from;
}

static void keeps_to_its_memory_and_counts_what_it_drops(void **state)
{
	struct keylog_table *t;
	struct keylog_stats s;
	struct err e;

	(void)state;
	assert_int_equal(keylog_table_new(100000, &t, &e), 0);
	add_numbered(t, 0, 5000);
	s = stats_of(t);
	assert_true(s.secrets > 300 && s.secrets < 100000 / 64);
	assert_int_equal(s.secrets + s.dropped, 5000);
	/* What is known is not dropped. */
	add_numbered(t, 0, 10);
	assert_int_equal(stats_of(t).repeated, 10);
	assert_int_equal(stats_of(t).dropped, s.dropped);
	keylog_table_free(t);
}

static void finds_every_one_of_many(void **state)
{
	struct keylog_table *t;
	struct err e;

	(void)state;
	assert_int_equal(keylog_table_new(SIZE_MAX / 2, &t, &e), 0);
	add_numbered(t, 0, 20000);
	for (size_t i = 0; i < 20000; i++) {
		uint8_t key[32] = { 0 };
		const struct keylog_secret *s;

		memcpy(key, &i, sizeof(i));
		s = keylog_table_find(t, bytes_of(key, 32));
		assert_non_null(s);
		assert_int_equal(s->line, i + 1);
		assert_null(s->next);
	}
	keylog_table_free(t);
}

/* One client random, many updates, every line twice: no search of the whole for each. */
static void many_secrets_of_one_key_cost_no_more(void **state)
{
	struct keylog_table *t;
	struct keylog_line line = { .label = KEYLOG_CLIENT_TRAFFIC_SECRET,
				    .generation = KEYLOG_NEXT,
				    .key_n = 32,
				    .secret_n = 32 };
	const struct keylog_secret *s;
	struct err e;
	uint32_t n = 0;

	(void)state;
	assert_int_equal(keylog_table_new(SIZE_MAX / 2, &t, &e), 0);
	for (uint32_t i = 0; i < 200000; i++) {
		uint32_t number = i / 2;

		memcpy(line.secret, &number, sizeof(number));
		assert_int_equal(keylog_table_add(t, &line, &e), 0);
	}
	for (s = keylog_table_find(t, bytes_of(line.key, 32)); s; s = s->next)
		assert_int_equal(s->generation, ++n);
	assert_int_equal(n, 100000);
	keylog_table_free(t);
}

/* Feeds the mixed lines while the n-th allocation fails. */
static bool feed_failing(size_t n)
{
	struct keylog_table *t = NULL;
	struct err e = { 0 };
	int status;

	mem_fail_at(n);
	status = keylog_table_new(1 << 20, &t, &e);
	for (size_t i = 0; i < sizeof(mixed) - 1 && status == 0; i += 50)
		status =
			keylog_table_feed(t, bytes_slice(bytes_of(mixed, sizeof(mixed) - 1), i, 50),
					  &e);
	mem_fail_at(0);
	if (status < 0)
		assert_int_equal(e.code, ERR_NOMEM);
	else
		assert_mixed(t);
	keylog_table_free(t);
	return status < 0;
}

static void fails_without_memory_and_leaks_nothing(void **state)
{
	size_t n = 1;

	(void)state;
	while (feed_failing(n))
		n++;
	assert_true(n > 4);
}

/* Wide limits, for a sanitizer's build: only what grows faster than the lines is caught here. */
static void reads_a_hundred_thousand_lines_at_once(void **state)
{
	static char text[256];
	struct keylog_table *t;
	struct err e;
	clock_t begin = clock();

	(void)state;
	assert_int_equal(keylog_table_new(SIZE_MAX / 2, &t, &e), 0);
	for (unsigned i = 0; i < 100000; i++) {
		int n = snprintf(text, sizeof(text), "CLIENT_RANDOM %08x%s %s\n", i, &A[8], M48);

		assert_int_equal(keylog_table_feed(t, bytes_of(text, (size_t)n), &e), 0);
	}
	assert_int_equal(stats_of(t).secrets, 100000);
	keylog_table_free(t);
	assert_true(clock() - begin < 10 * CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_secrets_by_their_key_in_the_order_of_the_lines),
		cmocka_unit_test(walks_over_all_in_the_order_of_the_lines),
		cmocka_unit_test(the_newest_of_a_label_come_first),
		cmocka_unit_test(an_empty_table_has_nothing),
		cmocka_unit_test(keeps_lines_that_contradict_each_other),
		cmocka_unit_test(case_makes_no_difference),
		cmocka_unit_test(counts_generations_for_each_label_and_key),
		cmocka_unit_test(takes_generations_that_have_a_number),
		cmocka_unit_test(counts_what_is_no_line_and_goes_on_however_it_is_cut),
		cmocka_unit_test(every_truncation_is_a_key_log_too),
		cmocka_unit_test(the_end_of_a_text_ends_its_line),
		cmocka_unit_test(steps_over_a_line_of_any_length_in_bounded_memory),
		cmocka_unit_test(junk_after_a_line_may_be_long),
		cmocka_unit_test(keeps_to_its_memory_and_counts_what_it_drops),
		cmocka_unit_test(finds_every_one_of_many),
		cmocka_unit_test(many_secrets_of_one_key_cost_no_more),
		cmocka_unit_test(fails_without_memory_and_leaks_nothing),
		cmocka_unit_test(reads_a_hundred_thousand_lines_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
