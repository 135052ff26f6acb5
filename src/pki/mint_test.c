#include "pki/mint.h"

#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/cert.h"
#include "pki/test_cert.h"
#include "wire/der.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)

static struct authority *root, *twin;
static struct key_pair pool[KEY_KIND_COUNT];
static const uint8_t serial[16] = { 0xff, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };

static struct authority *root_of(const char *host)
{
	AUTO(buf_fini) struct buf cert = buf_init(10000), key = buf_init_secret(10000);
	struct authority *a = NULL;
	struct err e = { 0 };

	if (authority_make_root(host, TEST_NOW, &cert, &key, &e) < 0 ||
	    authority_new(buf_bytes(&cert), buf_bytes(&key), &a, &e) < 0)
		fail_msg("%s", e.sentence);
	buf_fini(&key);
	return a;
}

static int set_up(void **state)
{
	(void)state;
	root = root_of("host.example");
	if (authority_new_twin(root, TEST_NOW, &twin, NULL) < 0)
		return -1;
	for (unsigned k = 0; k <= KEY_RSA2048; k++) {
		if (key_pair_make((enum key_kind)k, &pool[k], NULL) < 0)
			return -1;
	}
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	authority_free(root);
	authority_free(twin);
	for (unsigned k = 0; k < KEY_KIND_COUNT; k++)
		key_pair_fini(&pool[k]);
	return 0;
}

/* A minted leaf and what both readers make of it. */
struct mimic {
	struct buf der;
	struct cert c;
	X509 *x;
	struct mint_notes notes;
};

static struct mimic mint_as(struct bytes origin, const struct authority *by, enum key_kind kind,
			    const struct mint_repair *repair)
{
	struct mimic m = { .der = buf_init(CERT_SIZE_MAX) };
	struct mint_request req = { .origin_der = origin,
				    .by = by,
				    .spki = buf_bytes(&pool[kind].spki),
				    .serial = serial,
				    .repair = repair };
	const unsigned char *p;
	struct err e = { 0 };

	if (mint_leaf(&req, &m.der, &m.notes, &e) < 0 ||
	    cert_parse(buf_bytes(&m.der), &m.c, &e) < 0)
		fail_msg("%s", e.sentence);
	p = m.der.p;
	m.x = d2i_X509(NULL, &p, (long)m.der.n);
	assert_non_null(m.x);
	assert_ptr_equal(p, m.der.p + m.der.n);
	if (cert_agrees_with_libcrypto(&m.c, m.x, &e) < 0)
		fail_msg("%s", e.sentence);
	return m;
}

static struct mimic mint(struct bytes origin, const struct authority *by, enum key_kind kind)
{
	return mint_as(origin, by, kind, NULL);
}

static void mimic_fini(struct mimic *m)
{
	buf_fini(&m->der);
	X509_free(m->x);
}

/* libcrypto's verdict on the mimic below the root, in strict mode. */
static int strict_verdict(const struct mimic *m, const struct authority *by, const char *host)
{
	X509_STORE *store = X509_STORE_new();
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	const unsigned char *p = authority_cert_der(by).p;
	X509 *ca = d2i_X509(NULL, &p, (long)authority_cert_der(by).n);
	X509_VERIFY_PARAM *param;
	int error;

	X509_STORE_add_cert(store, ca);
	X509_STORE_CTX_init(ctx, store, m->x, NULL);
	param = X509_STORE_CTX_get0_param(ctx);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_X509_STRICT);
	X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_SERVER);
	X509_VERIFY_PARAM_set_time(param, TEST_NOW);
	X509_VERIFY_PARAM_set_auth_level(param, 2);
	if (host)
		X509_VERIFY_PARAM_set1_host(param, host, 0);
	(void)X509_verify_cert(ctx);
	error = X509_STORE_CTX_get_error(ctx);
	X509_free(ca);
	X509_STORE_CTX_free(ctx);
	X509_STORE_free(store);
	return error;
}

static struct mint_note note_of(const struct mimic *m, const char *oid)
{
	for (size_t i = 0; i < m->notes.count; i++) {
		if (strcmp(m->notes.list[i].oid, oid) == 0)
			return m->notes.list[i];
	}
	return (struct mint_note){ .what = "not noted", .reason = "" };
}

static bool has_extension(const struct cert *c, struct bytes oid)
{
	struct cert_extension x;

	return cert_extension_find(c, oid, &x);
}

static struct test_cert rich_origin(const char *key)
{
	static const struct test_extension extensions[] = {
		{ "keyUsage", "critical,digitalSignature,keyEncipherment" },
		{ "extendedKeyUsage", "serverAuth,clientAuth" },
		{ "basicConstraints", "critical,CA:FALSE" },
		{ "subjectKeyIdentifier", "hash" },
		{ "authorityInfoAccess", "OCSP;URI:http://ocsp.example/" },
		{ "subjectAltName", "DNS:www.example,DNS:*.example,IP:192.0.2.7,URI:https://x/" },
		{ "2.5.29.32", "DER:300a3008060667810c010201" },
		{ "crlDistributionPoints", "URI:http://crl.example/" },
		{ "tlsfeature", "status_request" },
		{ "1.3.6.1.4.1.11129.2.4.2", "DER:0400" },
		{ "1.2.3.4.5", "critical,DER:0500" },
	};
	struct test_options o = { .cn = "www.example",
				  .key = key,
				  .not_before = TEST_NOW - 5,
				  .not_after = TEST_NOW + 2524608000,
				  .serial =
					  "-77777777777777777777777777777777777777777777777777777",
				  .extensions = extensions,
				  .count = ARRAY_LEN(extensions) };

	return test_cert_make(&o);
}

static void a_mimic_has_what_the_origin_has(void **state)
{
	struct test_cert t = rich_origin("RSA 2048");
	struct cert o;
	struct mimic m = mint(test_cert_der(&t), root, KEY_RSA2048);
	struct cert_extension a, b;

	(void)state;
	assert_int_equal(cert_parse(test_cert_der(&t), &o, NULL), 0);
	assert_int_equal(m.c.version, 3);
	assert_true(bytes_equal(m.c.subject, o.subject));
	assert_int_equal(m.c.not_before, o.not_before);
	assert_int_equal(m.c.not_after, o.not_after);
	assert_true(bytes_equal(m.c.san, o.san));
	assert_true(bytes_equal(m.c.eku, o.eku));
	assert_int_equal(m.c.key_usage, o.key_usage);
	assert_true(bytes_equal(m.c.spki, buf_bytes(&pool[KEY_RSA2048].spki)));
	assert_true(bytes_equal(m.c.serial,
				bytes_of("\x7f\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17", 16)));
	assert_true(cert_extension_find(&o, B("\x55\x1d\x20"), &a) &&
		    cert_extension_find(&m.c, B("\x55\x1d\x20"), &b));
	assert_true(bytes_equal(a.value, b.value) && a.critical == b.critical);
	assert_int_equal(strict_verdict(&m, root, "www.example"), X509_V_OK);
	assert_int_equal(strict_verdict(&m, root, "www.other"), X509_V_ERR_HOSTNAME_MISMATCH);
	assert_int_not_equal(strict_verdict(&m, twin, NULL), X509_V_OK);
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void what_is_not_copied_is_noted_with_its_reason(void **state)
{
	static const struct {
		const char *oid, *what, *reason;
	} rows[] = {
		{ "1.3.6.1.5.5.7.1.1", "dropped", "the real issuer answers nothing" },
		{ "2.5.29.31", "dropped", "the real issuer's list" },
		{ "1.3.6.1.5.5.7.1.24", "dropped", "stapled" },
		{ "1.3.6.1.4.1.11129.2.4.2", "dropped", "the logs signed another" },
		{ "1.2.3.4.5", "dropped", "not known, though critical" },
		{ "2.5.29.14", "recomputed", "it names the key" },
	};
	struct test_cert t = rich_origin("P-256");
	struct mimic m = mint(test_cert_der(&t), root, KEY_P256);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mint_note n = note_of(&m, rows[i].oid);

		assert_string_equal(n.what, rows[i].what);
		assert_non_null(strstr(n.reason, rows[i].reason));
	}
	assert_int_equal(m.notes.count, ARRAY_LEN(rows));
	assert_int_equal(m.notes.more, 0);
	assert_false(has_extension(&m.c, B("\x2b\x06\x01\x05\x05\x07\x01\x01")));
	assert_false(has_extension(&m.c, B("\x55\x1d\x1f")));
	assert_false(has_extension(&m.c, B("\x2a\x03\x04\x05")));
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void key_identifiers_are_the_new_keys(void **state)
{
	struct test_cert t = test_leaf_make("a.example", NULL);
	struct mimic m = mint(test_cert_der(&t), root, KEY_P256),
		     n = mint(test_cert_der(&t), twin, KEY_P384);
	struct cert o, r, w;

	(void)state;
	assert_int_equal(cert_parse(test_cert_der(&t), &o, NULL), 0);
	assert_int_equal(cert_parse(authority_cert_der(root), &r, NULL), 0);
	assert_int_equal(cert_parse(authority_cert_der(twin), &w, NULL), 0);
	assert_true(bytes_equal(m.c.issuer, r.subject) && bytes_equal(n.c.issuer, w.subject));
	assert_true(bytes_equal(m.c.aki, r.ski) && bytes_equal(n.c.aki, w.ski));
	assert_false(bytes_equal(m.c.ski, o.ski) || bytes_equal(m.c.ski, n.c.ski));
	assert_int_equal(m.c.ski.n, 20);
	mimic_fini(&m);
	mimic_fini(&n);
	test_cert_fini(&t);
}

static void key_usage_fits_the_new_key(void **state)
{
	enum { DS = 1u << USAGE_DIGITAL_SIGNATURE, NR = 1u << USAGE_NON_REPUDIATION };
	enum { KE = 1u << USAGE_KEY_ENCIPHERMENT, KA = 1u << USAGE_KEY_AGREEMENT };
	static const struct {
		const char *key, *usage;
		enum key_kind kind;
		unsigned want; /* 0: no extension */
	} rows[] = {
		{ "RSA 2048", "critical,digitalSignature,keyEncipherment", KEY_RSA2048, DS | KE },
		{ "RSA 2048", "critical,digitalSignature,keyEncipherment", KEY_P256, DS },
		{ "RSA 2048", "keyEncipherment", KEY_RSA2048, DS | KE },
		{ "RSA 2048", "keyEncipherment", KEY_P256, DS },
		{ "RSA 2048", "nonRepudiation", KEY_P256, NR },
		{ "RSA 2048", "dataEncipherment", KEY_P256, 0 },
		{ "P-256", "digitalSignature,keyAgreement", KEY_P256, DS | KA },
		{ "P-256", "digitalSignature,keyEncipherment", KEY_P256, DS | KE },
		{ "P-256", "keyAgreement,decipherOnly", KEY_RSA2048, DS },
		{ "ED25519", "digitalSignature", KEY_P256, DS },
		{ "P-256", "keyCertSign,cRLSign", KEY_P256, 0 },
		{ "P-256", "critical,digitalSignature,keyCertSign,cRLSign", KEY_P256, DS },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_extension x = { "keyUsage", rows[i].usage };
		struct test_options o = { .cn = "x",
					  .key = rows[i].key,
					  .not_after = TEST_NOW + 1,
					  .extensions = &x,
					  .count = 1 };
		struct test_cert t = test_cert_make(&o);
		struct mimic m = mint(test_cert_der(&t), root, rows[i].kind);

		assert_int_equal(m.c.key_usage, rows[i].want);
		assert_int_equal(!!(m.c.has & CERT_HAS_KEY_USAGE), rows[i].want != 0);
		mimic_fini(&m);
		test_cert_fini(&t);
	}
}

static void a_mimic_of_a_ca_is_no_ca(void **state)
{
	struct test_cert t = test_ca_make("some CA", NULL);
	struct mimic m = mint(test_cert_der(&t), root, KEY_P256);

	(void)state;
	assert_true(m.c.has & CERT_HAS_BASIC_CONSTRAINTS);
	assert_false(m.c.is_ca || (m.c.has & (CERT_HAS_PATH_LENGTH | CERT_HAS_KEY_USAGE)));
	assert_int_equal(X509_check_ca(m.x), 0);
	assert_string_equal(note_of(&m, "2.5.29.19").what, "recomputed");
	assert_string_equal(note_of(&m, "2.5.29.15").what, "dropped");
	assert_int_equal(strict_verdict(&m, root, NULL), X509_V_OK);
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void bare_origins_become_version_3(void **state)
{
	static const struct {
		int version;
		const char *serial;
	} rows[] = { { 1, "0" }, { 1, "-1" }, { 2, "5" }, { 3, "5" } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_options o = { .cn = "old.example",
					  .not_after = TEST_NOW + TEST_DAY,
					  .version = rows[i].version,
					  .serial = rows[i].serial };
		struct test_cert t = test_cert_make(&o);
		struct mimic m = mint(test_cert_der(&t), root, KEY_P256);

		assert_int_equal(m.c.version, 3);
		assert_true(m.c.has & CERT_HAS_SKI && m.c.has & CERT_HAS_AKI);
		assert_int_equal(X509_get_extension_flags(m.x) & (EXFLAG_CA | EXFLAG_INVALID), 0);
		assert_int_equal(strict_verdict(&m, root, NULL), X509_V_OK);
		mimic_fini(&m);
		test_cert_fini(&t);
	}
}

static void an_empty_subject_makes_the_names_critical(void **state)
{
	static const struct test_extension san = { "subjectAltName", "DNS:only.example" };
	struct test_options o = { .not_after = TEST_NOW + 1, .extensions = &san, .count = 1 };
	struct test_cert t = test_cert_make(&o);
	struct mimic m = mint(test_cert_der(&t), root, KEY_P256);

	(void)state;
	assert_int_equal(strict_verdict(&m, root, "only.example"), X509_V_OK);
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void expired_stays_expired(void **state)
{
	struct test_options o = { .cn = "x", .not_after = TEST_NOW - TEST_DAY };
	struct test_cert t = test_cert_make(&o);
	struct mimic m = mint(test_cert_der(&t), root, KEY_P256);

	(void)state;
	assert_int_equal(strict_verdict(&m, root, NULL), X509_V_ERR_CERT_HAS_EXPIRED);
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void a_repaired_mimic_verifies_whatever_is_wrong_with_the_origin(void **state)
{
	struct test_extension client[] = { { "extendedKeyUsage", "clientAuth" },
					   { "keyUsage", "critical,keyCertSign" },
					   { "subjectAltName", "DNS:other.example" } };
	struct test_options all[] = {
		{ .cn = "x", .not_after = TEST_NOW - TEST_DAY },
		{ .cn = "x", .not_before = TEST_NOW + 1, .not_after = TEST_NOW + TEST_DAY },
		{ .cn = "x",
		  .not_after = TEST_NOW - 1,
		  .extensions = client,
		  .count = ARRAY_LEN(client) },
		{ .not_after = TEST_NOW + TEST_DAY }, /* no names at all */
	};
	struct mint_repair repair = { .now_s = TEST_NOW, .name = B("a.example") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		struct test_cert t = test_cert_make(&all[i]);
		struct mimic m = mint_as(test_cert_der(&t), root, KEY_P256, &repair);

		assert_int_equal(strict_verdict(&m, root, "a.example"), X509_V_OK);
		assert_true(m.c.not_after >= TEST_NOW + 7 * TEST_DAY);
		assert_false(m.c.is_ca);
		if (i == 2)
			assert_int_equal(strict_verdict(&m, root, "other.example"), X509_V_OK);
		mimic_fini(&m);
		test_cert_fini(&t);
	}
}

static void a_repaired_mimic_is_for_an_address_too(void **state)
{
	struct test_cert t = test_leaf_make("a.example", NULL);
	struct mint_repair repair = { .now_s = TEST_NOW, .name = B("192.0.2.1") };
	struct mimic m = mint_as(test_cert_der(&t), root, KEY_P256, &repair);

	(void)state;
	assert_int_equal(strict_verdict(&m, root, "a.example"), X509_V_OK);
	assert_int_equal(X509_check_ip_asc(m.x, "192.0.2.1", 0), 1);
	mimic_fini(&m);
	repair.name = B("");
	m = mint_as(test_cert_der(&t), root, KEY_P256, &repair);
	assert_int_equal(X509_check_ip_asc(m.x, "192.0.2.1", 0), 0);
	assert_int_equal(strict_verdict(&m, root, "a.example"), X509_V_OK);
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void every_truncated_origin_is_refused_and_leaves_the_output_alone(void **state)
{
	struct test_cert t = test_leaf_make("a.example", NULL);
	struct buf out = buf_init(10000);
	struct mint_request req = { .by = root,
				    .spki = buf_bytes(&pool[KEY_P256].spki),
				    .serial = serial };

	(void)state;
	assert_int_equal(buf_add(&out, B("before"), NULL), 0);
	for (size_t n = 0; n < t.n; n++) {
		struct err e = { 0 };

		req.origin_der = bytes_of(t.p, n);
		assert_int_equal(mint_leaf(&req, &out, NULL, &e), -1);
		assert_int_equal(e.code, ERR_DER);
		assert_int_equal(out.n, 6);
	}
	req.origin_der = test_cert_der(&t);
	req.spki = B("\x30\x00");
	assert_int_equal(mint_leaf(&req, &out, NULL, NULL), -1);
	buf_fini(&out);
	test_cert_fini(&t);
}

static void a_full_buffer_and_no_memory_are_reported(void **state)
{
	struct test_cert t = test_leaf_make("a.example", NULL);
	struct mint_request req = { .origin_der = test_cert_der(&t),
				    .by = root,
				    .spki = buf_bytes(&pool[KEY_P256].spki),
				    .serial = serial };
	struct err e = { 0 };
	int done = -1;

	(void)state;
	for (size_t max = 0; done < 0; max += 50) {
		struct buf out = buf_init(max);

		done = mint_leaf(&req, &out, NULL, &e);
		if (done < 0)
			assert_int_equal(e.code, ERR_LIMIT);
		assert_int_equal(out.n == 0, done < 0);
		buf_fini(&out);
		assert_in_range(max, 0, 2000);
	}
	done = -1;
	for (size_t at = 1; done < 0; at++) {
		struct buf out = buf_init(10000);

		mem_fail_at(at);
		done = mint_leaf(&req, &out, NULL, &e);
		mem_fail_at(0);
		assert_int_equal(out.n == 0, done < 0);
		buf_fini(&out);
	}
	test_cert_fini(&t);
}

static void notes_are_bounded(void **state)
{
	struct test_extension many[40];
	char names[ARRAY_LEN(many)][16];
	struct test_options o = {
		.cn = "x", .not_after = 1, .extensions = many, .count = ARRAY_LEN(many)
	};
	struct test_cert t;
	struct mimic m;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(names[i], sizeof(names[i]), "1.2.3.%zu", i + 1);
		many[i] = (struct test_extension){ names[i], "DER:0500" };
	}
	t = test_cert_make(&o);
	m = mint(test_cert_der(&t), root, KEY_P256);
	assert_int_equal(m.notes.count, MINT_NOTES_MAX);
	assert_int_equal(m.notes.more, ARRAY_LEN(many) - MINT_NOTES_MAX);
	mimic_fini(&m);
	test_cert_fini(&t);
}

static void the_nearest_kind_of_key_is_chosen(void **state)
{
	static const struct {
		const char *key;
		enum key_kind kind;
		const char *reason;
	} rows[] = {
		{ "P-256", KEY_P256, "" },
		{ "P-384", KEY_P384, "" },
		{ "P-521", KEY_P384,
		  "the origin's key is EC P-521, the nearest kept ready is EC P-384" },
		{ "secp256k1", KEY_P256,
		  "the origin's key is EC secp256k1, the nearest kept ready is EC P-256" },
		{ "RSA 1024", KEY_RSA2048,
		  "the origin's key is RSA 1024, the nearest kept ready is RSA 2048" },
		{ "RSA 2048", KEY_RSA2048, "" },
		{ "RSA 3000", KEY_RSA3072,
		  "the origin's key is RSA 3000, the nearest kept ready is RSA 3072" },
		{ "ED25519", KEY_P256,
		  "the origin's key is Ed25519, the nearest kept ready is EC P-256" },
		{ "ED448", KEY_P256,
		  "the origin's key is Ed448, the nearest kept ready is EC P-256" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_options o = { .cn = "x", .not_after = 1, .key = rows[i].key };
		struct test_cert t = test_cert_make(&o);
		struct buf reason = buf_init(200);

		assert_int_equal(mimic_key_kind(test_cert_der(&t), &reason, NULL), rows[i].kind);
		assert_true(bytes_equal(buf_bytes(&reason), bytes_str(rows[i].reason)));
		assert_int_equal(mimic_key_kind(test_cert_der(&t), NULL, NULL), rows[i].kind);
		buf_fini(&reason);
		test_cert_fini(&t);
	}
	assert_int_equal(mimic_key_kind(B("rubbish"), NULL, NULL), KEY_P256);
}

static void every_type_of_authority_signs_what_libcrypto_accepts(void **state)
{
	static const char *const keys[] = { "P-256", "P-384", "P-521", "RSA 2048" };
	struct test_cert leaf = test_leaf_make("a.example", NULL);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct test_cert ca = test_signer_make("our own CA", keys[i]);
		struct buf cert = buf_init(10000), key = buf_init_secret(10000);
		struct authority *a = NULL;
		struct mimic m;

		test_cert_pem(&ca, &cert, &key);
		assert_int_equal(authority_new(buf_bytes(&cert), buf_bytes(&key), &a, NULL), 0);
		m = mint(test_cert_der(&leaf), a, KEY_P256);
		assert_int_equal(strict_verdict(&m, a, "a.example"), X509_V_OK);
		mimic_fini(&m);
		authority_free(a);
		buf_fini(&cert);
		buf_fini(&key);
		test_cert_fini(&ca);
	}
	test_cert_fini(&leaf);
}

static void *mint_often(void *arg)
{
	struct test_cert *t = arg;
	struct mint_request req = { .origin_der = test_cert_der(t),
				    .by = root,
				    .spki = buf_bytes(&pool[KEY_P256].spki),
				    .serial = serial };
	struct buf out = buf_init(10000);
	bool good = true;

	for (int i = 0; good && i < 50; i++) {
		buf_clear(&out);
		good = mint_leaf(&req, &out, NULL, NULL) == 0;
	}
	buf_fini(&out);
	return good ? NULL : arg;
}

static void threads_share_an_authority(void **state)
{
	struct test_cert t = test_leaf_make("a.example", NULL);
	pthread_t threads[3];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, mint_often, &t), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed = &t;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	test_cert_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mimic_has_what_the_origin_has),
		cmocka_unit_test(what_is_not_copied_is_noted_with_its_reason),
		cmocka_unit_test(key_identifiers_are_the_new_keys),
		cmocka_unit_test(key_usage_fits_the_new_key),
		cmocka_unit_test(a_mimic_of_a_ca_is_no_ca),
		cmocka_unit_test(bare_origins_become_version_3),
		cmocka_unit_test(an_empty_subject_makes_the_names_critical),
		cmocka_unit_test(expired_stays_expired),
		cmocka_unit_test(a_repaired_mimic_verifies_whatever_is_wrong_with_the_origin),
		cmocka_unit_test(a_repaired_mimic_is_for_an_address_too),
		cmocka_unit_test(every_truncated_origin_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(a_full_buffer_and_no_memory_are_reported),
		cmocka_unit_test(notes_are_bounded),
		cmocka_unit_test(the_nearest_kind_of_key_is_chosen),
		cmocka_unit_test(every_type_of_authority_signs_what_libcrypto_accepts),
		cmocka_unit_test(threads_share_an_authority),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
