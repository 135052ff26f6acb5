/* Opens records that libcrypto seals here as the RFCs say, for what libssl does not speak any more: SSL
 * 3.0, export keys, RC4, DES, SEED, truncated MACs, suites without encryption. */
#include "tap/protect.h"

#include <openssl/evp.h>
#include <openssl/provider.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "crypt/testkit.h"

#define BODY_MAX (16384 + 1024)

static struct {
	OSSL_LIB_CTX *library;
	OSSL_PROVIDER *ordinary, *legacy;
} their;

static int open_libcrypto(void **state)
{
	(void)state;
	their.library = OSSL_LIB_CTX_new();
	their.ordinary = OSSL_PROVIDER_load(their.library, "default");
	their.legacy = OSSL_PROVIDER_load(their.library, "legacy");
	return their.ordinary ? 0 : -1;
}

static int close_libcrypto(void **state)
{
	(void)state;
	OSSL_PROVIDER_unload(their.legacy);
	OSSL_PROVIDER_unload(their.ordinary);
	OSSL_LIB_CTX_free(their.library);
	return 0;
}

/* The other side: one direction that seals. */
struct sealer {
	const struct suite *suite;
	const struct cipher_info *info;
	uint16_t version;
	bool encrypt_then_mac, uneven; /* uneven: padding that is not all the same */
	size_t mac_n, padding;	       /* padding: whole blocks more than are needed */
	uint8_t mac_key[64], key[32], iv[16];
	EVP_CIPHER_CTX *stream;
	uint64_t seq;
};

static const char *method_name(const struct suite *s)
{
	static const char *const names[CIPHER_COUNT] = {
		[CIPHER_AES_128_CBC] = "AES-128-CBC",
		[CIPHER_AES_256_CBC] = "AES-256-CBC",
		[CIPHER_3DES_CBC] = "DES-EDE3-CBC",
		[CIPHER_DES_CBC] = "DES-CBC",
		[CIPHER_SEED_CBC] = "SEED-CBC",
		[CIPHER_RC2_CBC] = "RC2-CBC",
		[CIPHER_RC4_128] = "RC4",
		[CIPHER_ARIA_128_CBC] = "ARIA-128-CBC",
	};

	return names[s->cipher];
}

static const char *mac_name(enum digest d)
{
	static const char *const names[] = { NULL, "MD5", "SHA1", "SHA256", "SHA384", "SHA512" };

	return names[d];
}

static size_t cat(uint8_t *out, size_t at, const void *p, size_t n)
{
	memcpy(out + at, p, n);
	return at + n;
}

static void hash(enum digest d, const uint8_t *p, size_t n, uint8_t *out)
{
	assert_int_equal(EVP_Q_digest(NULL, mac_name(d), NULL, p, n, out, NULL), 1);
}

static size_t mac_ssl3(const struct sealer *s, uint8_t type, struct bytes content, uint8_t *out)
{
	static uint8_t text[BODY_MAX + 256];
	const size_t size = digest_size(s->suite->mac), pad = s->suite->mac == DIGEST_MD5 ? 48 : 40;
	uint8_t inner[64];
	size_t n = cat(text, 0, s->mac_key, size);

	memset(text + n, 0x36, pad);
	n += pad;
	for (int i = 7; i >= 0; i--)
		text[n++] = (uint8_t)(s->seq >> 8 * i);
	text[n++] = type;
	text[n++] = (uint8_t)(content.n >> 8);
	text[n++] = (uint8_t)content.n;
	n = cat(text, n, content.p, content.n);
	hash(s->suite->mac, text, n, inner);
	n = cat(text, 0, s->mac_key, size);
	memset(text + n, 0x5c, pad);
	n = cat(text, n + pad, inner, size);
	hash(s->suite->mac, text, n, out);
	return size;
}

static size_t mac_of(const struct sealer *s, uint8_t type, struct bytes content, uint8_t *out)
{
	static uint8_t text[BODY_MAX + 256];
	uint8_t mac[64];
	size_t n = 0, size;

	if (s->version == 0x0300)
		return mac_ssl3(s, type, content, out);
	for (int i = 7; i >= 0; i--)
		text[n++] = (uint8_t)(s->seq >> 8 * i);
	text[n++] = type;
	text[n++] = (uint8_t)(s->version >> 8);
	text[n++] = (uint8_t)s->version;
	text[n++] = (uint8_t)(content.n >> 8);
	text[n++] = (uint8_t)content.n;
	n = cat(text, n, content.p, content.n);
	assert_non_null(EVP_Q_mac(NULL, "HMAC", NULL, mac_name(s->suite->mac), NULL, s->mac_key,
				  digest_size(s->suite->mac), text, n, mac, sizeof(mac), &size));
	memcpy(out, mac, s->mac_n);
	return s->mac_n;
}

static void encipher(const struct sealer *s, const uint8_t *iv, uint8_t *p, size_t n)
{
	EVP_CIPHER *method = EVP_CIPHER_fetch(their.library, method_name(s->suite), NULL);
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int got;

	assert_int_equal(EVP_EncryptInit_ex2(ctx, method, s->key, iv, NULL), 1);
	EVP_CIPHER_CTX_set_padding(ctx, 0);
	assert_int_equal(EVP_EncryptUpdate(ctx, p, &got, p, (int)n), 1);
	assert_int_equal(got, n);
	EVP_CIPHER_CTX_free(ctx);
	EVP_CIPHER_free(method);
}

static size_t seal_cbc(struct sealer *s, uint8_t type, struct bytes content, uint8_t *out)
{
	const size_t block = s->info->block_n, iv_n = s->version <= 0x0301 ? 0 : block;
	size_t n = iv_n, pad;

	test_fill(out, iv_n, (uint32_t)s->seq + 77);
	n = cat(out, n, content.p, content.n);
	if (!s->encrypt_then_mac)
		n += mac_of(s, type, content, out + n);
	pad = block - (n - iv_n) % block + s->padding * block;
	memset(out + n, (int)pad - 1, pad);
	out[n] ^= s->uneven;
	n += pad;
	encipher(s, iv_n ? out : s->iv, out + iv_n, n - iv_n);
	if (!iv_n)
		memcpy(s->iv, out + n - block, block);
	if (s->encrypt_then_mac)
		n += mac_of(s, type, bytes_of(out, n), out + n);
	return n;
}

static size_t seal_stream(struct sealer *s, uint8_t type, struct bytes content, uint8_t *out)
{
	size_t n = cat(out, 0, content.p, content.n);
	int got;

	n += mac_of(s, type, content, out + n);
	if (s->stream)
		assert_int_equal(EVP_EncryptUpdate(s->stream, out, &got, out, (int)n), 1);
	return n;
}

struct sealed {
	uint8_t b[RECORD_HEADER_SIZE + BODY_MAX];
	struct record r;
};

static void seal(struct sealer *s, uint8_t type, struct bytes content, struct sealed *out)
{
	uint8_t *body = out->b + RECORD_HEADER_SIZE;
	size_t n = s->info->class == CIPHER_CLASS_CBC ? seal_cbc(s, type, content, body)
						      : seal_stream(s, type, content, body);

	s->seq++;
	out->r = (struct record){ type, s->version, bytes_of(body, n), bytes_of(out->b, 5 + n) };
}

static const uint8_t master[48] = { 1, 2, 3 }, client_random[32] = { 4, 5 },
		     server_random[32] = { 6, 7 };

static struct protect_12 options(uint16_t code, uint16_t version)
{
	return (struct protect_12){ .suite = suite_find(code),
				    .version = version,
				    .master = bytes_of(master, 48),
				    .client_random = bytes_of(client_random, 32),
				    .server_random = bytes_of(server_random, 32) };
}

/* The derivation as in the RFCs' text; the PRFs have tests of their own. */
static void derive(uint16_t version, const struct suite *s, const struct prf_input *in,
		   uint8_t *out, size_t n)
{
	int done = version == 0x0300
			   ? prf_ssl3(in, out, n, NULL)
			   : prf_of(version == 0x0303 ? s->prf : DIGEST_NONE, in, out, n, NULL);

	assert_int_equal(done, 0);
}

static void export_keys(const struct protect_12 *o, bool server, const uint8_t *material,
			struct sealer *s)
{
	const struct prf_input key = { bytes_of(material, 5),
				       server ? "server write key" : "client write key",
				       o->client_random, o->server_random };
	const struct prf_input iv = { { 0 }, "IV block", o->client_random, o->server_random };
	uint8_t text[69], both[32];
	size_t n = 0;

	if (o->version != 0x0300) {
		derive(o->version, o->suite, &key, s->key, s->info->key_n);
		derive(o->version, o->suite, &iv, both, 2u * s->info->iv_n);
		memcpy(s->iv, both + (server ? s->info->iv_n : 0), s->info->iv_n);
		return;
	}
	n = cat(text, n, material, 5);
	n = cat(text, n, server ? server_random : client_random, 32);
	n = cat(text, n, server ? client_random : server_random, 32);
	hash(DIGEST_MD5, text, n, s->key);
	hash(DIGEST_MD5, text + 5, n - 5, s->iv);
}

static struct sealer sealer_new(const struct protect_12 *o, bool server)
{
	const struct cipher_info *info = cipher_info(o->suite->cipher);
	struct sealer s = { .suite = o->suite,
			    .info = info,
			    .version = o->version,
			    .encrypt_then_mac = o->encrypt_then_mac,
			    .mac_n = digest_size(o->suite->mac) };
	const struct prf_input in = { o->master, "key expansion", o->server_random,
				      o->client_random };
	const size_t key_n = o->suite->export ? 5 : info->key_n;
	uint8_t block[256], *at = block;

	derive(o->version, o->suite, &in, block, 2 * (s.mac_n + key_n + info->iv_n));
	memcpy(s.mac_key, at + (server ? s.mac_n : 0), s.mac_n);
	at += 2 * s.mac_n;
	memcpy(s.key, at + (server ? key_n : 0), key_n);
	if (o->suite->export)
		export_keys(o, server, at + (server ? key_n : 0), &s);
	else
		memcpy(s.iv, at + 2 * key_n + (server ? info->iv_n : 0), info->iv_n);
	if (o->truncated_hmac)
		s.mac_n = 10;
	if (o->suite->cipher == CIPHER_RC4_128) {
		EVP_CIPHER *rc4 = EVP_CIPHER_fetch(their.library, "RC4", NULL);

		s.stream = EVP_CIPHER_CTX_new();
		assert_int_equal(EVP_EncryptInit_ex2(s.stream, rc4, s.key, NULL, NULL), 1);
		EVP_CIPHER_free(rc4);
	}
	return s;
}

struct pair {
	struct sealer seal[2];
	struct protect *open[2];
};

static struct pair pair_new(const struct protect_12 *o)
{
	struct pair p = { .seal = { sealer_new(o, false), sealer_new(o, true) } };

	assert_int_equal(protect_new_12(o, p.open, NULL), 0);
	return p;
}

static void pair_free(struct pair *p)
{
	for (size_t i = 0; i < 2; i++) {
		EVP_CIPHER_CTX_free(p->seal[i].stream);
		protect_free(p->open[i]);
	}
}

static uint8_t room[BODY_MAX];

static void expect_text(struct protect *p, uint64_t seq, const struct record *r, struct bytes text)
{
	struct protect_opened o;

	assert_true(protect_open(p, seq, r, room, &o));
	assert_int_equal(o.type, r->type);
	assert_int_equal(o.plain.n, text.n);
	if (text.n)
		assert_memory_equal(o.plain.p, text.p, text.n);
	assert_true(r->body.n >= protect_overhead(p));
}

/* Neither with another number or type, nor with a bit turned over, nor cut off. */
static void expect_refusals(struct protect *p, uint64_t seq, struct sealed *s)
{
	struct record r = s->r;
	struct protect_opened o = { 0 };

	assert_false(protect_open(p, seq + 1, &r, room, &o));
	assert_false(protect_open(p, seq - 1, &r, room, &o));
	r.type ^= 1;
	assert_false(protect_open(p, seq, &r, room, &o));
	r = s->r;
	for (size_t i = 0; i < s->r.body.n; i += 1 + i / 50) {
		s->b[RECORD_HEADER_SIZE + i] ^= 0x20;
		assert_false(protect_open(p, seq, &s->r, room, &o));
		s->b[RECORD_HEADER_SIZE + i] ^= 0x20;
	}
	for (size_t n = 0; n < s->r.body.n; n++) {
		r.body.n = n;
		assert_false(protect_open(p, seq, &r, room, &o));
	}
	assert_null(o.plain.p);
}

static void exchange_records(const struct protect_12 *o)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 15, 16, 17, 100, 300 };
	static uint8_t text[512];
	struct pair p = pair_new(o);

	test_fill(text, sizeof(text), 5);
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			static struct sealed s;

			p.seal[i].padding = o->version == 0x0300 ? 0 : j % 3;
			seal(&p.seal[i], RECORD_APPLICATION_DATA, bytes_of(text, sizes[j]), &s);
			expect_refusals(p.open[i], j, &s);
			expect_text(p.open[i], j, &s.r, bytes_of(text, sizes[j]));
		}
	pair_free(&p);
}

/* Each kind of cipher and MAC that libssl of today does not offer. */
static const uint16_t old_suites[] = {
	0x0001, /* RSA_WITH_NULL_MD5 */
	0x0002, /* RSA_WITH_NULL_SHA */
	0x0003, /* RSA_EXPORT_WITH_RC4_40_MD5 */
	0x0004, /* RSA_WITH_RC4_128_MD5 */
	0x0005, /* RSA_WITH_RC4_128_SHA */
	0x0006, /* RSA_EXPORT_WITH_RC2_CBC_40_MD5 */
	0x0008, /* RSA_EXPORT_WITH_DES40_CBC_SHA */
	0x0009, /* RSA_WITH_DES_CBC_SHA */
	0x000a, /* RSA_WITH_3DES_EDE_CBC_SHA */
	0x002f, /* RSA_WITH_AES_128_CBC_SHA */
	0x0035, /* RSA_WITH_AES_256_CBC_SHA */
	0x0096, /* RSA_WITH_SEED_CBC_SHA */
	0x003c, /* RSA_WITH_AES_128_CBC_SHA256 */
	0x00af, /* PSK_WITH_AES_256_CBC_SHA384 */
	0xc03c, /* RSA_WITH_ARIA_128_CBC_SHA256 */
};

static void opens_old_suites_in_every_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(old_suites); i++)
		for (uint16_t version = 0x0300; version <= 0x0303; version++) {
			const struct protect_12 o = options(old_suites[i], version);

			/* SSL 3.0 has MD5 and SHA-1 only. */
			if ((version == 0x0300 && o.suite->mac > DIGEST_SHA1) ||
			    !cipher_available(o.suite->cipher, NULL))
				continue;
			exchange_records(&o);
		}
}

static void opens_records_with_the_mac_outside(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(old_suites); i++)
		for (uint16_t version = 0x0301; version <= 0x0303; version++) {
			struct protect_12 o = options(old_suites[i], version);

			o.encrypt_then_mac = true;
			if (cipher_info(o.suite->cipher)->class == CIPHER_CLASS_CBC &&
			    cipher_available(o.suite->cipher, NULL))
				exchange_records(&o);
		}
}

static void opens_records_with_truncated_macs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(old_suites); i++)
		for (size_t outside = 0; outside < 2; outside++) {
			struct protect_12 o = options(old_suites[i], 0x0302);

			o.truncated_hmac = true;
			o.encrypt_then_mac =
				outside && cipher_info(o.suite->cipher)->class == CIPHER_CLASS_CBC;
			if (cipher_available(o.suite->cipher, NULL))
				exchange_records(&o);
		}
}

static void goes_on_behind_a_lost_record(void **state)
{
	static const struct {
		uint16_t code, version;
		bool outside, chained;
	} all[] = {
		{ 0x0005, 0x0303, false, true },  { 0x002f, 0x0301, false, true },
		{ 0x002f, 0x0301, true, true },	  { 0x0004, 0x0300, false, true },
		{ 0x000a, 0x0300, false, true },  { 0x002f, 0x0302, false, false },
		{ 0x0002, 0x0303, false, false },
	};
	const struct bytes text = bytes_str("what is left when the rest has been lost");
	static struct sealed lost, next;
	struct protect_opened o;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct protect_12 opts = options(all[i].code, all[i].version);
		struct pair p;

		if (!cipher_available(opts.suite->cipher, NULL))
			continue;
		opts.encrypt_then_mac = all[i].outside;
		p = pair_new(&opts);
		assert_int_equal(protect_is_chained(p.open[0]), all[i].chained);
		seal(&p.seal[0], RECORD_APPLICATION_DATA, text, &lost);
		seal(&p.seal[0], RECORD_APPLICATION_DATA, text, &next);
		/* With the MAC outside all but the first block would look right. */
		assert_int_equal(protect_open(p.open[0], 1, &next.r, room, &o), !all[i].chained);
		if (p.seal[0].info->class == CIPHER_CLASS_CBC) {
			protect_skip(p.open[0], 0, bytes_of(NULL, 0));
			assert_int_equal(protect_open(p.open[0], 1, &next.r, room, &o),
					 !all[i].chained);
		}
		protect_skip(p.open[0], lost.r.body.n, lost.r.body);
		expect_text(p.open[0], 1, &next.r, text);
		pair_free(&p);
	}
}

static void passes_over_much_of_a_stream(void **state)
{
	static uint8_t text[BODY_MAX];
	static struct sealed s;
	const struct protect_12 o = options(0x0005, 0x0303);
	struct pair p;
	uint64_t lost = 0;

	(void)state;
	if (!cipher_available(CIPHER_RC4_128, NULL))
		skip();
	p = pair_new(&o);
	for (size_t i = 0; i < 5; i++) {
		seal(&p.seal[0], RECORD_APPLICATION_DATA, bytes_of(text, 3001 * i), &s);
		lost += s.r.body.n;
	}
	protect_skip(p.open[0], lost, s.r.body);
	seal(&p.seal[0], RECORD_ALERT, bytes_of("\x01\x00", 2), &s);
	expect_text(p.open[0], 5, &s.r, bytes_of("\x01\x00", 2));
	pair_free(&p);
}

/* Padding of TLS that is not all the same, and of SSL 3.0 that is longer than a block: the MAC is
 * right, the record is not. */
static void judges_the_padding(void **state)
{
	static const struct {
		uint16_t version;
		bool uneven, outside, good;
		size_t padding;
	} all[] = {
		{ 0x0300, true, false, true, 0 },  { 0x0300, false, false, false, 1 },
		{ 0x0301, true, false, false, 0 }, { 0x0303, true, false, false, 3 },
		{ 0x0303, true, true, false, 0 },  { 0x0303, false, false, true, 14 },
		{ 0x0303, false, true, true, 14 },
	};
	static struct sealed s;
	struct protect_opened opened;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct protect_12 o = options(0x002f, all[i].version);
		struct pair p;

		o.encrypt_then_mac = all[i].outside;
		p = pair_new(&o);
		p.seal[0].uneven = all[i].uneven;
		p.seal[0].padding = all[i].padding;
		seal(&p.seal[0], RECORD_APPLICATION_DATA, bytes_str("text"), &s);
		assert_int_equal(protect_open(p.open[0], 0, &s.r, room, &opened), all[i].good);
		pair_free(&p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_old_suites_in_every_version),
		cmocka_unit_test(opens_records_with_the_mac_outside),
		cmocka_unit_test(opens_records_with_truncated_macs),
		cmocka_unit_test(goes_on_behind_a_lost_record),
		cmocka_unit_test(passes_over_much_of_a_stream),
		cmocka_unit_test(judges_the_padding),
	};

	return cmocka_run_group_tests(tests, open_libcrypto, close_libcrypto);
}
