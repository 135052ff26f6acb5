/* Records of TLS 1.3 as no well-behaved peer sends them, and the suites that only protect integrity. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"
#include "crypt/testkit.h"
#include "tap/protect.h"
#include "tap/protect_part.h"

#define BODY_MAX 1024

static const uint8_t secret[48] = { 1, 2, 3, 4 };

struct sealed {
	uint8_t body[BODY_MAX];
	struct record r;
};

static void expand(const struct suite *s, const char *label, uint8_t *out, size_t n)
{
	const struct hkdf_label l = { n, label, { 0 } };
	const struct bytes from = bytes_of(secret, digest_size(s->prf));

	assert_int_equal(hkdf_expand_label(s->prf, from, &l, out, NULL), 0);
}

static void number_in(uint8_t *nonce, size_t n, uint64_t seq)
{
	for (size_t i = 0; i < 8; i++)
		nonce[n - 1 - i] ^= (uint8_t)(seq >> 8 * i);
}

static size_t seal_aead(const struct suite *s, uint64_t seq, const uint8_t head[5], struct bytes in,
			uint8_t *out)
{
	const EVP_CIPHER *method =
		s->cipher == CIPHER_AES_256_GCM ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[32], nonce[12];
	int n, last;

	expand(s, "key", key, sizeof(key));
	expand(s, "iv", nonce, sizeof(nonce));
	number_in(nonce, sizeof(nonce), seq);
	assert_int_equal(EVP_EncryptInit_ex(ctx, method, NULL, key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, NULL, &n, head, 5), 1);
	assert_int_equal(EVP_EncryptUpdate(ctx, out, &n, in.p, (int)in.n), 1);
	assert_int_equal(EVP_EncryptFinal_ex(ctx, out + n, &last), 1);
	assert_int_equal(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + in.n), 1);
	EVP_CIPHER_CTX_free(ctx);
	return in.n + 16;
}

/* RFC 9150, 5. */
static size_t seal_integrity(const struct suite *s, uint64_t seq, const uint8_t head[5],
			     struct bytes in, uint8_t *out)
{
	const size_t size = digest_size(s->prf);
	uint8_t key[48], text[BODY_MAX];
	size_t n;

	expand(s, "key", key, size);
	expand(s, "iv", text, size);
	number_in(text, size, seq);
	memcpy(text + size, head, 5);
	memcpy(text + size + 5, in.p, in.n);
	memcpy(out, in.p, in.n);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, size == 32 ? "SHA256" : "SHA384", NULL, key,
				  size, text, size + 5 + in.n, out + in.n, size, &n));
	return in.n + size;
}

/* inner: with its type and padding. */
static void seal(const struct suite *s, uint64_t seq, struct bytes inner, struct sealed *out)
{
	const size_t tag_n = s->cipher == CIPHER_NULL ? digest_size(s->prf) : 16;
	const uint8_t head[5] = { 23, 3, 3, (uint8_t)((inner.n + tag_n) >> 8),
				  (uint8_t)(inner.n + tag_n) };
	size_t n = s->cipher == CIPHER_NULL ? seal_integrity(s, seq, head, inner, out->body)
					    : seal_aead(s, seq, head, inner, out->body);

	out->r = (struct record){ .type = 23, .version = 0x0303, .body = bytes_of(out->body, n) };
}

static const uint16_t codes[] = { 0x1302, 0x1303, 0xc0b4, 0xc0b5 };

static struct protect *new_key(uint16_t code)
{
	const struct suite *s = suite_find(code);
	struct protect *p;

	assert_int_equal(protect_new_13(s, bytes_of(secret, digest_size(s->prf)), &p, NULL), 0);
	return p;
}

static void takes_the_type_from_behind_the_text(void **state)
{
	static const struct {
		const char *inner;
		size_t n, plain_n;
		uint8_t type;
	} all[] = {
		{ "hello\x17", 6, 5, 23 },	     { "\x17", 1, 0, 23 },
		{ "\x16\0\0\0\0", 5, 0, 22 },	     { "hello\x15\0\0", 8, 5, 21 },
		{ "a\0\0\x17\0\0\0\0\0", 9, 3, 23 }, { "\0\0\0\0", 4, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct protect *p = new_key(codes[i]);

		for (size_t j = 0; j < ARRAY_LEN(all); j++) {
			struct sealed s;
			struct protect_opened o;
			uint8_t out[BODY_MAX];

			seal(suite_find(codes[i]), j, bytes_of(all[j].inner, all[j].n), &s);
			assert_true(s.r.body.n >= protect_overhead(p));
			assert_true(protect_open(p, j, &s.r, out, &o));
			assert_int_equal(o.type, all[j].type);
			assert_int_equal(o.plain.n, all[j].plain_n);
			assert_memory_equal(o.plain.p, all[j].inner, all[j].plain_n);
		}
		assert_false(protect_is_chained(p));
		protect_free(p);
	}
}

static void refuses_what_is_not_the_record(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
		struct protect *p = new_key(codes[i]);
		struct sealed s;
		struct protect_opened o = { 0 };
		uint8_t out[BODY_MAX];
		size_t n;

		seal(suite_find(codes[i]), 1ull << 40, bytes_str("text\x17"), &s);
		for (n = 0; n < s.r.body.n; n++) {
			struct record r = s.r;

			s.body[n] ^= 1;
			assert_false(protect_open(p, 1ull << 40, &r, out, &o));
			s.body[n] ^= 1;
			r.body.n = n;
			assert_false(protect_open(p, 1ull << 40, &r, out, &o));
		}
		for (n = 0; n < 64; n++)
			assert_false(protect_open(p, 1ull << 40 ^ 1ull << n, &s.r, out, &o));
		s.r.type = 22;
		assert_false(protect_open(p, 1ull << 40, &s.r, out, &o));
		s.r.type = 23;
		s.r.version = 0x0301;
		assert_false(protect_open(p, 1ull << 40, &s.r, out, &o));
		assert_null(o.plain.p);
		s.r.version = 0x0303;
		assert_true(protect_open(p, 1ull << 40, &s.r, out, &o));
		protect_free(p);
	}
}

/* Which numbers a record can have is seen beforehand after a while; the right one is never missed,
 * wherever in a block of the cipher the type stands. */
static void finds_a_number_from_below_and_above(void **state)
{
	const uint64_t right = 1000 + 7;
	uint8_t inner[BODY_MAX] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		for (size_t n = 1; n < 140; n += 1 + n / 20) {
			struct protect *p = new_key(codes[i]);
			struct protect_opened o;
			struct sealed s;
			uint8_t out[BODY_MAX];

			/* Some end with padding. */
			test_fill(inner, n, (uint32_t)n);
			inner[n - 1] = n % 3 ? 21 + n % 4 : 0;
			seal(suite_find(codes[i]), right, bytes_of(inner, n), &s);
			for (uint64_t off = 400; off > 0; off--) {
				assert_false(protect_open(p, right - off, &s.r, out, &o));
				assert_false(protect_open(p, right + off, &s.r, out, &o));
			}
			assert_true(protect_open(p, right, &s.r, out, &o));
			protect_free(p);
		}
}

static void sees_that_most_numbers_cannot_be(void **state)
{
	static const uint16_t all[] = { 0x1301, 0x1302, 0x1303, 0x1304, 0x1305 };
	const uint8_t body[100] = { 0 };
	const struct record r = { .type = 23, .version = 0x0303, .body = bytes_of(body, 100) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct protect *p = new_key(all[i]);
		size_t possible = 0;

		for (uint64_t seq = 0; seq < 4096; seq++)
			possible += protect_may_fit(p, seq, &r);
		/* Five of 256 are 80 of 4096. */
		assert_in_range(possible, 40, 140);
		protect_free(p);
	}
}

/* Without memory for the look every number is tried. */
static void finds_a_number_without_memory_too(void **state)
{
	struct protect *p = new_key(0x1303);
	struct protect_opened o;
	struct sealed s;
	uint8_t out[BODY_MAX];

	(void)state;
	seal(suite_find(0x1303), 100, bytes_str("text\x17"), &s);
	mem_fail_at(1);
	for (uint64_t seq = 0; seq < 100; seq++)
		assert_false(protect_open(p, seq, &s.r, out, &o));
	mem_fail_at(0);
	assert_true(protect_may_fit(p, 0, &s.r));
	assert_true(protect_open(p, 100, &s.r, out, &o));
	protect_free(p);
}

static void has_no_next_generation_before_tls_1_3(void **state)
{
	const struct protect_12 in = { .suite = suite_find(0x009c),
				       .version = 0x0303,
				       .master = bytes_of(secret, 48),
				       .client_random = bytes_of(secret, 32),
				       .server_random = bytes_of(secret, 32) };
	struct protect *p[2], *next = NULL;
	struct err e;

	(void)state;
	assert_int_equal(protect_new_12(&in, p, NULL), 0);
	assert_int_equal(protect_next_13(p[0], &next, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_null(next);
	protect_free(p[0]);
	protect_free(p[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_type_from_behind_the_text),
		cmocka_unit_test(refuses_what_is_not_the_record),
		cmocka_unit_test(finds_a_number_from_below_and_above),
		cmocka_unit_test(sees_that_most_numbers_cannot_be),
		cmocka_unit_test(finds_a_number_without_memory_too),
		cmocka_unit_test(has_no_next_generation_before_tls_1_3),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
