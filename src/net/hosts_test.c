#include "net/hosts.h"

#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const char file[] = "# comment\n"
			   "127.0.0.1\tlocalhost\n"
			   "::1 localhost ip6-localhost   ip6-loopback\r\n"
			   "\n"
			   "10.9.0.43 db.test DB2.test # db3.test\n"
			   "  10.9.0.44\tdb.test.\n"
			   "fd00::43 db.test\n"
			   "10.9.0.300 bad.test\n"
			   "only.words here\n"
			   "10.9.0.45 last.test";

static struct hosts *table(const char *text)
{
	struct hosts *h = NULL;

	assert_int_equal(hosts_new(&h, NULL), 0);
	assert_int_equal(hosts_parse(h, bytes_str(text), NULL), 0);
	hosts_sort(h);
	return h;
}

/* The addresses of name, each with a space behind it. */
static const char *found(const struct hosts *h, const char *name, enum addr_family family)
{
	static char text[512];
	struct addr addrs[4];
	struct hosts_found f = { .addrs = addrs, .max = ARRAY_LEN(addrs) };
	size_t n = 0;

	hosts_find(h, bytes_str(name), family, &f);
	text[0] = 0;
	for (size_t i = 0; i < f.count; i++) {
		char one[ADDR_TEXT_MAX];

		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s ",
				      addr_ip_text(&addrs[i], one));
	}
	return f.known ? text : "unknown";
}

static void finds_every_name_of_a_line(void **state)
{
	struct hosts *h = table(file);

	(void)state;
	assert_string_equal(found(h, "localhost", ADDR_IP4), "127.0.0.1 ");
	assert_string_equal(found(h, "localhost", ADDR_IP6), "::1 ");
	assert_string_equal(found(h, "ip6-loopback", ADDR_IP6), "::1 ");
	assert_string_equal(found(h, "last.test", ADDR_IP4), "10.9.0.45 ");
	hosts_free(h);
}

static void keeps_the_order_of_the_lines(void **state)
{
	struct hosts *h = table(file);

	(void)state;
	assert_string_equal(found(h, "db.test", ADDR_IP4), "10.9.0.43 10.9.0.44 ");
	assert_string_equal(found(h, "db.test", ADDR_IP6), "fd00::43 ");
	hosts_free(h);
}

static void compares_names_without_case_and_final_dot(void **state)
{
	struct hosts *h = table(file);

	(void)state;
	assert_string_equal(found(h, "Db2.TEST", ADDR_IP4), "10.9.0.43 ");
	assert_string_equal(found(h, "db2.test.", ADDR_IP4), "10.9.0.43 ");
	hosts_free(h);
}

static void knows_a_name_that_has_only_the_other_family(void **state)
{
	struct hosts *h = table(file);

	(void)state;
	assert_string_equal(found(h, "db2.test", ADDR_IP6), "");
	hosts_free(h);
}

static void passes_over_comments_and_bad_lines(void **state)
{
	struct hosts *h = table(file);

	(void)state;
	assert_string_equal(found(h, "db3.test", ADDR_IP4), "unknown");
	assert_string_equal(found(h, "bad.test", ADDR_IP4), "unknown");
	assert_string_equal(found(h, "here", ADDR_IP4), "unknown");
	assert_string_equal(found(h, "db", ADDR_IP4), "unknown");
	assert_string_equal(found(h, "", ADDR_IP4), "unknown");
	assert_int_equal(hosts_count(h), 9);
	hosts_free(h);
}

static void returns_no_more_than_asked_for(void **state)
{
	struct hosts *h = table("10.0.0.1 a\n10.0.0.2 a\n10.0.0.3 a\n10.0.0.4 a\n10.0.0.5 a\n");

	(void)state;
	assert_string_equal(found(h, "a", ADDR_IP4), "10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 ");
	hosts_free(h);
}

static void any_cut_of_the_file_is_read(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(file); n++) {
		struct hosts *h = NULL;

		assert_int_equal(hosts_new(&h, NULL), 0);
		assert_int_equal(hosts_parse(h, bytes_of(file, n), NULL), 0);
		hosts_sort(h);
		assert_true(hosts_count(h) <= 9);
		hosts_free(h);
	}
}

static void finds_each_of_many(void **state)
{
	struct hosts *h = NULL;
	struct addr a = { .family = ADDR_IP4, .ip = { 10 } };
	char name[32];

	(void)state;
	assert_int_equal(hosts_new(&h, NULL), 0);
	for (unsigned i = 0; i < 5000; i++) {
		snprintf(name, sizeof(name), "n%u.example", i * 7919 % 5000);
		a.ip[2] = (uint8_t)(i >> 8);
		a.ip[3] = (uint8_t)i;
		assert_int_equal(hosts_add(h, bytes_str(name), &a, NULL), 0);
	}
	hosts_sort(h);
	for (unsigned i = 0; i < 5000; i++) {
		struct addr one;
		struct hosts_found f = { .addrs = &one, .max = 1 };

		snprintf(name, sizeof(name), "n%u.example", i * 7919 % 5000);
		hosts_find(h, bytes_str(name), ADDR_IP4, &f);
		assert_int_equal(f.count, 1);
		assert_int_equal(one.ip[2] << 8 | one.ip[3], i);
	}
	hosts_free(h);
}

static void every_allocation_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	for (size_t i = 1; failed; i++) {
		struct hosts *h = NULL;
		struct err e = { 0 };

		mem_fail_at(i);
		failed = hosts_new(&h, &e) < 0 || hosts_parse(h, bytes_str(file), &e) < 0;
		mem_fail_at(0);
		if (failed)
			assert_int_equal(e.code, ERR_NOMEM);
		hosts_free(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_every_name_of_a_line),
		cmocka_unit_test(keeps_the_order_of_the_lines),
		cmocka_unit_test(compares_names_without_case_and_final_dot),
		cmocka_unit_test(knows_a_name_that_has_only_the_other_family),
		cmocka_unit_test(passes_over_comments_and_bad_lines),
		cmocka_unit_test(returns_no_more_than_asked_for),
		cmocka_unit_test(any_cut_of_the_file_is_read),
		cmocka_unit_test(finds_each_of_many),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
