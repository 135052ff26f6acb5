#include "cmd/secrets_search.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/wr.h"

/* What was found, as text: "random A… id B…". */
struct finds {
	size_t count;
	enum secrets_key kind[64];
	struct bytes key[64];
	uint8_t bytes[64][64];
};

static void note(void *ctx, enum secrets_key kind, struct bytes key)
{
	struct finds *f = ctx;

	assert_true(f->count < ARRAY_LEN(f->kind));
	assert_true(key.n > 0 && key.n <= sizeof(f->bytes[0]));
	memcpy(f->bytes[f->count], key.p, key.n);
	f->kind[f->count] = kind;
	f->key[f->count] = bytes_of(f->bytes[f->count], key.n);
	f->count++;
}

static bool was_found(const struct finds *f, enum secrets_key kind, const char *key)
{
	for (size_t i = 0; i < f->count; i++)
		if (f->kind[i] == kind && bytes_equal(f->key[i], bytes_str(key)))
			return true;
	return false;
}

#define ID "a session id"

static const char client_random[] = "0123456789abcdef0123456789ABCDEF";

static void hello(struct buf *b, uint8_t type, const char *id)
{
	struct wr w = wr_init(b);

	wr_u8(&w, 22);
	wr_u16(&w, 0x0301);
	wr_u16(&w, 200);
	wr_u8(&w, type);
	wr_u24(&w, 196);
	wr_u16(&w, 0x0303);
	wr_str(&w, client_random);
	wr_u8(&w, (uint8_t)strlen(id));
	wr_str(&w, id);
	wr_str(&w, "cipher suites and all the rest");
	assert_int_equal(wr_end(&w, NULL), 0);
}

static struct secrets_search *search_of(struct finds *f)
{
	struct secrets_sink sink = { note, f };
	struct secrets_search *s = NULL;

	*f = (struct finds){ 0 };
	assert_int_equal(secrets_search_new(&sink, &s, NULL), 0);
	return s;
}

static void feed(struct secrets_search *s, uint64_t stream, struct bytes in)
{
	assert_int_equal(secrets_search_feed(s, stream, in, NULL), 0);
}

static void a_client_hello_gives_its_random_and_session_id(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	struct secrets_search *s;
	struct finds f;

	(void)state;
	hello(&b, 1, ID);
	s = search_of(&f);
	feed(s, 1, buf_bytes(&b));
	assert_int_equal(f.count, 2);
	assert_true(was_found(&f, SECRETS_CLIENT_RANDOM, client_random));
	assert_true(was_found(&f, SECRETS_SESSION_ID, ID));
	secrets_search_free(s);
}

static void a_server_hello_gives_its_session_id(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	struct secrets_search *s;
	struct finds f;

	(void)state;
	hello(&b, 2, ID);
	s = search_of(&f);
	feed(s, 1, buf_bytes(&b));
	assert_int_equal(f.count, 1);
	assert_true(was_found(&f, SECRETS_SESSION_ID, ID));
	secrets_search_free(s);
}

static void a_key_exchange_gives_the_first_bytes_of_the_pre_master_secret(void **state)
{
	static const uint8_t message[] = { 22,	3,   3,	  0,   134, 16,	 0,   0,   130, 0,  128,
					   'e', 'n', 'c', 'r', 'y', 'p', 't', 'e', 'd', '!' };
	struct secrets_search *s;
	struct finds f;

	(void)state;
	s = search_of(&f);
	feed(s, 1, bytes_of(message, sizeof(message)));
	assert_true(was_found(&f, SECRETS_PRE_MASTER, "encrypte"));
	secrets_search_free(s);
}

static void a_hello_is_found_behind_what_came_before_tls(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	struct secrets_search *s;
	struct finds f;

	(void)state;
	assert_int_equal(buf_add(&b, bytes_str("EHLO me\r\nSTARTTLS\r\n\x16\x16\x03"), NULL), 0);
	hello(&b, 1, "");
	s = search_of(&f);
	feed(s, 1, buf_bytes(&b));
	assert_int_equal(f.count, 1);
	assert_true(was_found(&f, SECRETS_CLIENT_RANDOM, client_random));
	secrets_search_free(s);
}

static void a_hello_of_dtls_is_found(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	struct wr w = wr_init(&b);
	struct secrets_search *s;
	struct finds f;

	(void)state;
	wr_u8(&w, 22);
	wr_u16(&w, 0xfeff);
	wr_uint(&w, 0, 8); /* epoch and sequence number */
	wr_u16(&w, 100);
	wr_u8(&w, 1);
	wr_u24(&w, 88);
	wr_uint(&w, 0, 5);
	wr_u24(&w, 88);
	wr_u16(&w, 0xfefd);
	wr_str(&w, client_random);
	wr_u8(&w, 0);
	assert_int_equal(wr_end(&w, NULL), 0);
	s = search_of(&f);
	feed(s, 1, buf_bytes(&b));
	assert_int_equal(f.count, 1);
	assert_true(was_found(&f, SECRETS_CLIENT_RANDOM, client_random));
	secrets_search_free(s);
}

static void a_hello_may_be_cut_anywhere(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	size_t n;

	(void)state;
	assert_int_equal(buf_add(&b, bytes_str("before \x16"), NULL), 0);
	hello(&b, 1, ID);
	n = b.n;
	assert_int_equal(buf_add(&b, bytes_str("\x16"), NULL), 0);
	for (size_t cut = 0; cut <= n; cut++) {
		struct finds f;
		struct secrets_search *s = search_of(&f);

		feed(s, 7, bytes_slice(buf_bytes(&b), 0, cut));
		/* Another stream has nothing to do with it. */
		feed(s, 8, bytes_slice(buf_bytes(&b), cut, b.n));
		feed(s, 7, bytes_slice(buf_bytes(&b), cut, b.n));
		assert_true(was_found(&f, SECRETS_CLIENT_RANDOM, client_random));
		assert_true(was_found(&f, SECRETS_SESSION_ID, ID));
		secrets_search_free(s);
	}
}

static void byte_by_byte_is_the_same(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	struct secrets_search *s;
	struct finds f;

	(void)state;
	assert_int_equal(buf_add(&b, bytes_str("before \x16\x16"), NULL), 0);
	hello(&b, 1, ID);
	s = search_of(&f);
	for (size_t i = 0; i < b.n; i++)
		feed(s, 1, bytes_slice(buf_bytes(&b), i, 1));
	assert_true(was_found(&f, SECRETS_CLIENT_RANDOM, client_random));
	assert_true(was_found(&f, SECRETS_SESSION_ID, ID));
	secrets_search_free(s);
}

static void what_is_no_hello_gives_nothing(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);

	(void)state;
	/* Each byte of the beginning that says what it is. */
	static const size_t telling[] = { 0, 1, 2, 5, 9 };

	for (size_t i = 0; i < ARRAY_LEN(telling); i++) {
		struct finds f;
		struct secrets_search *s = search_of(&f);

		buf_clear(&b);
		hello(&b, 1, ID);
		b.p[telling[i]] = 0x77;
		feed(s, 1, buf_bytes(&b));
		assert_int_equal(f.count, 0);
		secrets_search_free(s);
	}
}

static void many_streams_are_within_bounds(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	struct secrets_search *s;
	struct finds f;

	(void)state;
	hello(&b, 1, "");
	s = search_of(&f);
	for (uint64_t i = 0; i <= SECRETS_STREAMS_MAX; i++)
		feed(s, i, bytes_slice(buf_bytes(&b), 0, 20));
	/* The oldest was forgotten, the last was not. */
	feed(s, 0, bytes_slice(buf_bytes(&b), 20, 1000));
	assert_int_equal(f.count, 0);
	feed(s, SECRETS_STREAMS_MAX, bytes_slice(buf_bytes(&b), 20, 1000));
	assert_int_equal(f.count, 1);
	secrets_search_free(s);
}

static void memory_that_is_not_there_is_told(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);

	(void)state;
	hello(&b, 1, "");
	for (size_t n = 1;; n++) {
		struct finds f = { 0 };
		struct secrets_sink sink = { note, &f };
		struct secrets_search *s = NULL;
		struct err e = { 0 };
		int r;

		mem_fail_at(n);
		r = secrets_search_new(&sink, &s, &e);
		if (r == 0)
			r = secrets_search_feed(s, 1, bytes_slice(buf_bytes(&b), 0, 20), &e);
		mem_fail_at(0);
		secrets_search_free(s);
		if (r == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
		assert_true(n < 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_client_hello_gives_its_random_and_session_id),
		cmocka_unit_test(a_server_hello_gives_its_session_id),
		cmocka_unit_test(a_key_exchange_gives_the_first_bytes_of_the_pre_master_secret),
		cmocka_unit_test(a_hello_is_found_behind_what_came_before_tls),
		cmocka_unit_test(a_hello_of_dtls_is_found),
		cmocka_unit_test(a_hello_may_be_cut_anywhere),
		cmocka_unit_test(byte_by_byte_is_the_same),
		cmocka_unit_test(what_is_no_hello_gives_nothing),
		cmocka_unit_test(many_streams_are_within_bounds),
		cmocka_unit_test(memory_that_is_not_there_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
