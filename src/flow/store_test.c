#include "flow/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static struct store *make(struct store_options o)
{
	struct store *s;

	assert_int_equal(store_new(&o, &s, NULL), 0);
	return s;
}

static void put(struct store *s, uint64_t n, size_t body)
{
	static const uint8_t zeros[4096];
	struct flow_info f = { .flow = 1, .sni = bytes_str("sni") };
	struct exchange x = { .n = n, .response = { .body = bytes_of(zeros, body) } };

	store_on_exchange(s, &f, &x);
}

static void everything_is_copied(void **state)
{
	char text[] = "0123456789abcdefghijklmnopq";
	struct flow_header headers[2] = { { bytes_of(text, 1), bytes_of(text + 1, 2) },
					  { bytes_of(text + 3, 1), { 0 } } };
	struct flow_header trailer = { bytes_of(text + 4, 1), bytes_of(text + 5, 1) };
	struct message m = { .headers = headers,
			     .header_count = 2,
			     .trailers = &trailer,
			     .trailer_count = 1,
			     .body = bytes_of(text + 6, 3) };
	struct flow_info f = { .target_host = bytes_of(text + 10, 1),
			       .process = bytes_of(text + 11, 1),
			       .sni = bytes_of(text + 12, 1),
			       .ja4 = bytes_of(text + 13, 1),
			       .verdict_reason = bytes_of(text + 14, 1),
			       .dark = bytes_of(text + 15, 1),
			       .reason = bytes_of(text + 16, 1) };
	struct exchange x = { .n = 5,
			      .request = m,
			      .response = m,
			      .method = bytes_of(text + 20, 1),
			      .scheme = bytes_of(text + 21, 1),
			      .authority = bytes_of(text + 22, 1),
			      .path = bytes_of(text + 23, 1),
			      .reason = bytes_of(text + 24, 1) };
	struct store *s = make((struct store_options){ 0 });
	struct store_entry got;

	(void)state;
	f.leg[1].alpn = bytes_of(text + 17, 1);
	f.leg[1].issuer = bytes_of(text + 18, 1);
	f.leg[1].end_reason = bytes_of(text + 19, 1);
	store_on_exchange(s, &f, &x);
	memset(text, '-', sizeof(text));
	memset(headers, 0, sizeof(headers));
	memset(&trailer, 0, sizeof(trailer));

	assert_true(store_find(s, 5, &got));
	for (int i = 0; i < 2; i++) {
		const struct message *c = i ? &got.exchange->response : &got.exchange->request;

		assert_memory_equal(c->headers[0].name.p, "0", 1);
		assert_memory_equal(c->headers[0].value.p, "12", 2);
		assert_memory_equal(c->headers[1].name.p, "3", 1);
		assert_int_equal(c->headers[1].value.n, 0);
		assert_memory_equal(c->trailers[0].name.p, "4", 1);
		assert_memory_equal(c->trailers[0].value.p, "5", 1);
		assert_memory_equal(c->body.p, "678", 3);
	}
	assert_memory_equal(got.exchange->method.p, "k", 1);
	assert_memory_equal(got.exchange->scheme.p, "l", 1);
	assert_memory_equal(got.exchange->authority.p, "m", 1);
	assert_memory_equal(got.exchange->path.p, "n", 1);
	assert_memory_equal(got.exchange->reason.p, "o", 1);
	assert_memory_equal(got.flow->target_host.p, "a", 1);
	assert_memory_equal(got.flow->process.p, "b", 1);
	assert_memory_equal(got.flow->sni.p, "c", 1);
	assert_memory_equal(got.flow->ja4.p, "d", 1);
	assert_memory_equal(got.flow->verdict_reason.p, "e", 1);
	assert_memory_equal(got.flow->dark.p, "f", 1);
	assert_memory_equal(got.flow->reason.p, "g", 1);
	assert_memory_equal(got.flow->leg[1].alpn.p, "h", 1);
	assert_memory_equal(got.flow->leg[1].issuer.p, "i", 1);
	assert_memory_equal(got.flow->leg[1].end_reason.p, "j", 1);
	store_free(s);
}

static void the_oldest_leave_first_by_count(void **state)
{
	struct store *s = make((struct store_options){ .max_entries = 3 });
	struct store_entry got;
	uint64_t cursor = 0;

	(void)state;
	for (uint64_t n = 1; n <= 5; n++)
		put(s, n * 10, 1);
	assert_int_equal(store_count(s), 3);
	assert_false(store_find(s, 20, &got));
	for (uint64_t n = 3; n <= 5; n++) {
		assert_true(store_find(s, n * 10, &got));
		assert_true(store_next(s, &cursor, &got));
		assert_int_equal(got.exchange->n, n * 10);
		assert_int_equal(got.sequence, n);
	}
	assert_false(store_next(s, &cursor, &got));
	store_free(s);
}

static void the_oldest_leave_first_by_bytes(void **state)
{
	struct store *s = make((struct store_options){ .max_bytes = 20000 });
	struct store_entry got;

	(void)state;
	for (uint64_t n = 1; n <= 20; n++) {
		put(s, n, 4000);
		assert_true(store_bytes(s) <= 20000);
		assert_true(store_find(s, n, &got));
		assert_int_equal(got.exchange->response.body.n, 4000);
	}
	assert_true(store_count(s) >= 3);
	assert_false(store_find(s, 1, &got));
	store_free(s);
}

static void what_can_never_fit_is_lost_and_counted(void **state)
{
	struct store *s = make((struct store_options){ .max_bytes = 3000 });

	(void)state;
	put(s, 1, 1);
	put(s, 2, 4000);
	assert_int_equal(store_count(s), 1);
	assert_int_equal(store_lost(s), 1);
	store_free(s);
}

static void a_connection_is_an_entry_without_an_exchange(void **state)
{
	struct store *s = make((struct store_options){ 0 });
	struct flow_info f = { .flow = 9, .ended = true, .failed = true };
	struct store_entry got;
	uint64_t cursor = 0;

	(void)state;
	store_on_flow(s, &f);
	assert_true(store_next(s, &cursor, &got));
	assert_null(got.exchange);
	assert_int_equal(got.flow->flow, 9);
	assert_false(store_find(s, 0, &got));
	store_free(s);
}

static void a_reader_goes_on_where_it_was(void **state)
{
	struct store *s = make((struct store_options){ .max_entries = 4 });
	struct store_entry got;
	uint64_t cursor = 0;

	(void)state;
	assert_false(store_next(s, &cursor, &got));
	assert_int_equal(store_last(s, 10), 0);
	for (uint64_t n = 1; n <= 3; n++)
		put(s, n, 0);
	cursor = store_last(s, 2);
	assert_true(store_next(s, &cursor, &got));
	assert_int_equal(got.exchange->n, 2);
	for (uint64_t n = 4; n <= 9; n++)
		put(s, n, 0);
	assert_true(store_next(s, &cursor, &got));
	assert_int_equal(got.exchange->n, 6); /* 3 to 5 have left */
	cursor = store_last(s, 100);
	assert_true(store_next(s, &cursor, &got));
	assert_int_equal(got.exchange->n, 6);
	store_free(s);
}

static void missing_memory_loses_an_entry_and_no_more(void **state)
{
	struct store_options o = { 0 };
	struct store *s;
	struct err e;

	(void)state;
	for (size_t i = 1; i <= 2; i++) {
		mem_fail_at(i);
		assert_int_equal(store_new(&o, &s, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
	}
	s = make(o);
	put(s, 1, 0);
	mem_fail_at(1);
	put(s, 2, 0);
	mem_fail_at(0);
	assert_int_equal(store_count(s), 1);
	assert_int_equal(store_lost(s), 1);
	store_free(s);
	store_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_copied),
		cmocka_unit_test(the_oldest_leave_first_by_count),
		cmocka_unit_test(the_oldest_leave_first_by_bytes),
		cmocka_unit_test(what_can_never_fit_is_lost_and_counted),
		cmocka_unit_test(a_connection_is_an_entry_without_an_exchange),
		cmocka_unit_test(a_reader_goes_on_where_it_was),
		cmocka_unit_test(missing_memory_loses_an_entry_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
