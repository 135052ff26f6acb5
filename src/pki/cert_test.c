#include "pki/cert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/bundle.h"
#include "pki/test_cert.h"
#include "wire/der.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)
#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

static struct cert parsed(const struct test_cert *t)
{
	struct cert c;
	struct err e = { 0 };

	if (cert_parse(test_cert_der(t), &c, &e) < 0)
		fail_msg("%s", e.sentence);
	if (cert_agrees_with_libcrypto(&c, t->x, &e) < 0)
		fail_msg("%s", e.sentence);
	return c;
}

static void reads_all_of_a_leaf(void **state)
{
	struct test_cert root = test_ca_make("root", NULL);
	struct test_cert leaf = test_leaf_make("www.example", &root);
	struct cert c = parsed(&leaf), r = parsed(&root);
	struct bytes rest = c.eku, oid;
	char text[100];

	(void)state;
	assert_int_equal(c.version, 3);
	assert_true(bytes_equal(c.serial, B("\x01")));
	assert_int_equal(c.not_before, TEST_NOW - 30 * TEST_DAY);
	assert_int_equal(c.not_after, TEST_NOW + 30 * TEST_DAY);
	assert_true(bytes_equal(c.issuer, r.subject));
	assert_int_equal(c.key.type, KEY_TYPE_EC);
	assert_int_equal(c.key.bits, 256);
	assert_string_equal(cert_key_text(&c.key, text, sizeof(text)), "EC P-256");
	assert_string_equal(name_text(c.subject, text, sizeof(text)), "CN=www.example");
	assert_int_equal(c.key_usage, 1u << USAGE_DIGITAL_SIGNATURE);
	assert_true(eku_next(&rest, &oid));
	assert_string_equal(oid_text(oid, text, sizeof(text)), "1.3.6.1.5.5.7.3.1");
	assert_false(eku_next(&rest, &oid));
	assert_false(c.is_ca);
	assert_true(bytes_equal(c.aki, r.ski) && c.aki.n == 20);
	assert_true(r.is_ca && cert_is_self_issued(&r) && !cert_is_self_issued(&c));
	assert_string_equal(cert_names_text(&c, text, sizeof(text)), "www.example");
	assert_int_equal(cert_length(test_cert_der(&leaf)), leaf.n);
	test_cert_fini(&leaf);
	test_cert_fini(&root);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
	struct test_cert leaf = test_leaf_make("www.example", NULL);
	struct cert c;
	uint8_t *more;

	(void)state;
	for (size_t n = 0; n < leaf.n; n++) {
		/* An exact copy, so that a read past the end is seen. */
		uint8_t *copy = mem_dup(bytes_of(leaf.p, n));
		struct err e = { 0 };

		assert_int_equal(cert_parse(bytes_of(copy, n), &c, &e), -1);
		assert_int_equal(e.code, ERR_DER);
		mem_free(copy);
	}
	more = mem_new(leaf.n + 1);
	memcpy(more, leaf.p, leaf.n);
	assert_int_equal(cert_parse(bytes_of(more, leaf.n + 1), &c, NULL), -1);
	mem_free(more);
	test_cert_fini(&leaf);
}

static void never_crashes_on_a_changed_byte(void **state)
{
	struct test_cert leaf = test_leaf_make("www.example", NULL);
	uint8_t *copy = mem_dup(test_cert_der(&leaf));
	unsigned refused = 0;

	(void)state;
	for (size_t i = 0; i < leaf.n; i++) {
		struct cert c;

		copy[i] ^= 0x81;
		if (cert_parse(bytes_of(copy, leaf.n), &c, NULL) < 0)
			refused++;
		copy[i] ^= 0x81;
	}
	assert_in_range(refused, 50, leaf.n);
	mem_free(copy);
	test_cert_fini(&leaf);
}

static void reads_every_kind_of_alternative_name(void **state)
{
	static const struct test_extension san[] = { {
		"subjectAltName",
		"critical,DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,"
		"email:x@y.example,URI:spiffe://td/x,RID:1.2.3.4,otherName:1.2.3;UTF8:hello",
	} };
	static const enum san_kind kinds[] = {
		SAN_DNS, SAN_DNS, SAN_IP, SAN_IP, SAN_EMAIL, SAN_URI, SAN_REGISTERED_ID, SAN_OTHER
	};
	struct test_options o = { .not_after = 1, .extensions = san, .count = 1 };
	struct test_cert t = test_cert_make(&o);
	struct cert c = parsed(&t);
	struct cert_extension x;
	struct bytes rest = c.san;
	struct san s;
	char text[100], small[24];
	size_t i = 0;

	(void)state;
	while (san_next(&rest, &s)) {
		assert_in_range(i, 0, ARRAY_LEN(kinds) - 1);
		assert_int_equal(s.kind, kinds[i]);
		i++;
	}
	assert_int_equal(i, ARRAY_LEN(kinds));
	assert_string_equal(cert_names_text(&c, text, sizeof(text)),
			    "a.example, *.b.example, 192.0.2.1 and 1 more");
	assert_string_equal(cert_names_text(&c, small, sizeof(small)), "a.example, *.b.examp...");
	assert_string_equal(name_text(c.subject, text, sizeof(text)), "(empty)");
	assert_true(cert_extension_find(&c, B("\x55\x1d\x11"), &x) && x.critical);
	assert_false(cert_extension_find(&c, B("\x55\x1d\x12"), &x));
	test_cert_fini(&t);
}

static void reads_versions_and_serials_of_any_kind(void **state)
{
	static const struct {
		int version;
		const char *serial;
		size_t n;
	} rows[] = {
		{ 1, "0", 1 },
		{ 1, "-5", 1 },
		{ 2, "127", 1 },
		{ 3, "128", 2 },
		{ 3, "-128", 1 },
		{ 3, "-129", 2 },
		{ 3, "99999999999999999999999999999999999999999999999999999999999", 25 },
		{ 3,
		  "9999999999999999999999999999999999999999999999999999999999999999999999999999999"
		  "9999999999999999999999999999999999999999999999999999999999999999999999999999999"
		  "999999999999999999999999999999999999",
		  81 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_options o = { .cn = "x",
					  .not_after = 1,
					  .version = rows[i].version,
					  .serial = rows[i].serial };
		struct test_cert t = test_cert_make(&o);
		struct cert c = parsed(&t);

		assert_int_equal(c.version, rows[i].version);
		assert_int_equal(c.serial.n, rows[i].n);
		assert_int_equal(c.extensions.n, 0);
		test_cert_fini(&t);
	}
}

static void knows_the_kinds_of_keys(void **state)
{
	static const struct {
		const char *make, *text;
		unsigned bits;
	} rows[] = {
		{ "P-384", "EC P-384", 384 },	      { "P-521", "EC P-521", 521 },
		{ "secp256k1", "EC secp256k1", 256 }, { "RSA 1024", "RSA 1024", 1024 },
		{ "RSA 2048", "RSA 2048", 2048 },     { "RSA 1031", "RSA 1031", 1031 },
		{ "ED25519", "Ed25519", 256 },	      { "ED448", "Ed448", 456 },
	};
	char text[100];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_options o = { .cn = "x", .not_after = 1, .key = rows[i].make };
		struct test_cert t = test_cert_make(&o);
		struct cert c = parsed(&t);

		assert_string_equal(cert_key_text(&c.key, text, sizeof(text)), rows[i].text);
		assert_int_equal(c.key.bits, rows[i].bits);
		test_cert_fini(&t);
	}
}

static void reads_validity_on_both_sides_of_2050(void **state)
{
	static const int64_t times[] = { -631152000, 0, 2524607999, 2524608000, 253402300799 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(times); i++) {
		struct test_options o = { .cn = "x",
					  .not_before = times[i],
					  .not_after = times[i] };
		struct test_cert t = test_cert_make(&o);

		assert_int_equal(parsed(&t).not_after, times[i]);
		test_cert_fini(&t);
	}
}

static void key_usage_and_path_length_are_read(void **state)
{
	static const struct test_extension extensions[] = {
		{ "keyUsage", "digitalSignature,keyCertSign,decipherOnly" },
		{ "basicConstraints", "CA:TRUE,pathlen:3" },
	};
	struct test_options o = { .cn = "x", .not_after = 1, .extensions = extensions, .count = 2 };
	struct test_cert t = test_cert_make(&o);
	struct cert c = parsed(&t);

	(void)state;
	assert_int_equal(c.key_usage, 1u << USAGE_DIGITAL_SIGNATURE | 1u << USAGE_KEY_CERT_SIGN |
					      1u << USAGE_DECIPHER_ONLY);
	assert_true(c.is_ca && (c.has & CERT_HAS_PATH_LENGTH));
	assert_int_equal(c.path_length, 3);
	test_cert_fini(&t);
}

static void refuses_malformed_extensions_by_name(void **state)
{
	static const struct {
		struct test_extension x;
		const char *sentence;
	} rows[] = {
		{ { "2.5.29.17", "DER:3003820541" }, "malformed extension subjectAltName" },
		{ { "2.5.29.17", "DER:30038b0141" }, "malformed extension subjectAltName" },
		{ { "2.5.29.15", "DER:0303" }, "malformed extension keyUsage" },
		{ { "2.5.29.15", "DER:030105" }, "malformed extension keyUsage" },
		{ { "2.5.29.37", "DER:300306012a00" }, "malformed extension extKeyUsage" },
		{ { "2.5.29.19", "DER:3003020180" }, "malformed extension basicConstraints" },
		{ { "2.5.29.14", "DER:0500" }, "malformed extension subjectKeyIdentifier" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct test_options o = {
			.cn = "x", .not_after = 1, .extensions = &rows[i].x, .count = 1
		};
		struct test_cert t = test_cert_make(&o);
		struct cert c = { .version = 77 };
		struct err e = { 0 };

		assert_int_equal(cert_parse(test_cert_der(&t), &c, &e), -1);
		assert_int_equal(e.code, ERR_DER);
		assert_non_null(strstr(e.sentence, rows[i].sentence));
		assert_int_equal(c.version, 77); /* untouched */
		test_cert_fini(&t);
	}
}

static void refuses_two_of_a_kind_and_too_many_extensions(void **state)
{
	struct test_extension many[CERT_EXTENSIONS_MAX + 1];
	char names[ARRAY_LEN(many)][16];
	struct test_options o = { .cn = "x", .not_after = 1, .extensions = many };
	struct cert c;
	struct err e = { 0 };
	struct test_cert t;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(names[i], sizeof(names[i]), "1.2.3.%zu", i + 1);
		many[i] = (struct test_extension){ names[i], "DER:0500" };
	}
	o.count = CERT_EXTENSIONS_MAX;
	t = test_cert_make(&o);
	assert_int_equal(cert_parse(test_cert_der(&t), &c, &e), 0);
	test_cert_fini(&t);
	o.count++;
	t = test_cert_make(&o);
	assert_int_equal(cert_parse(test_cert_der(&t), &c, &e), -1);
	assert_int_equal(e.code, ERR_CERT);
	test_cert_fini(&t);
	o.count = 2;
	many[1] = many[0];
	t = test_cert_make(&o);
	assert_int_equal(cert_parse(test_cert_der(&t), &c, &e), -1);
	assert_string_equal(e.sentence, "certificate: two extensions 1.2.3.1");
	test_cert_fini(&t);
}

/* SEQUENCE { SET { SEQUENCE { CN, tag value } } } */
static const char *common_name(uint8_t tag, struct bytes value, char *out, size_t size)
{
	struct buf b = buf_init(1000);
	struct wr w = wr_init(&b);
	struct der_mark name = der_begin(&w, DER_SEQUENCE), set = der_begin(&w, DER_SET),
			seq = der_begin(&w, DER_SEQUENCE);

	der_put(&w, DER_OID, B("\x55\x04\x03"));
	der_put(&w, tag, value);
	der_end(&w, seq);
	der_end(&w, set);
	der_end(&w, name);
	snprintf(out, size, "INVALID");
	if (name_is_valid(buf_bytes(&b)))
		name_text(buf_bytes(&b), out, size);
	buf_fini(&b);
	return out;
}

static void names_go_through_the_escaper(void **state)
{
	char t[200];

	(void)state;
	assert_string_equal(common_name(DER_UTF8_STRING, B("a\x1b[31m,b\xe2\x80\xae"), t,
					sizeof(t)),
			    "CN=a\\x1b[31m\\,b\\xe2\\x80\\xae");
	assert_string_equal(common_name(DER_PRINTABLE_STRING, B("Acme, \"Inc\" + <1>;\\"), t,
					sizeof(t)),
			    "CN=Acme\\, \\\"Inc\\\" \\+ \\<1\\>\\;\\\\");
	assert_string_equal(common_name(DER_UTF8_STRING, B("#x"), t, sizeof(t)), "CN=\\#x");
	assert_string_equal(common_name(DER_BMP_STRING, B("\x00\x41\x20\xac"), t, sizeof(t)),
			    "CN=A\xe2\x82\xac");
	assert_string_equal(common_name(DER_UNIVERSAL_STRING, B("\x00\x01\xf6\x00"), t, sizeof(t)),
			    "CN=\xf0\x9f\x98\x80");
	assert_string_equal(common_name(DER_T61_STRING, B("\xe9"), t, sizeof(t)), "CN=\xc3\xa9");
	assert_string_equal(common_name(DER_UTF8_STRING, B("aaaa\xe2\x82\xac\xe2\x82\xac"), t, 13),
			    "CN=aaaa...");
}

static void refuses_names_whose_strings_are_broken(void **state)
{
	char t[200];

	(void)state;
	assert_string_equal(common_name(DER_UTF8_STRING, B("\xff"), t, sizeof(t)), "INVALID");
	assert_string_equal(common_name(DER_UTF8_STRING, B("\xed\xa0\x80"), t, sizeof(t)),
			    "INVALID");
	assert_string_equal(common_name(DER_BMP_STRING, B("a"), t, sizeof(t)), "INVALID");
	assert_string_equal(common_name(DER_BMP_STRING, B("\xd8\x00"), t, sizeof(t)), "INVALID");
	assert_string_equal(common_name(DER_UNIVERSAL_STRING, B("\x00\x11\x00\x00"), t, sizeof(t)),
			    "INVALID");
	assert_string_equal(common_name(DER_OCTET_STRING, B("a"), t, sizeof(t)), "INVALID");
	assert_false(name_is_valid(B("\x30\x02\x31\x00"))); /* an empty set */
	assert_true(name_is_valid(B("\x30\x00")));
	assert_false(name_is_valid(B("\x30\x00\x00")));
}

static void names_read_from_the_most_special_to_the_least(void **state)
{
	/* C=US, O=Acme + OU=x, CN=www */
	static const char name[] = "\x30\x36\x31\x0b\x30\x09\x06\x03\x55\x04\x06\x13\x02"
				   "US\x31\x19\x30\x0b\x06\x03\x55\x04\x0a\x0c\x04"
				   "Acme\x30\x0a\x06\x03\x55\x04\x2b\x0c\x03"
				   "xyz\x31\x0c\x30\x0a\x06\x03\x55\x04\x03\x0c\x03"
				   "www";
	char t[100];
	struct bytes all = bytes_of(name, sizeof(name) - 1);

	(void)state;
	assert_true(name_is_valid(all));
	assert_string_equal(name_text(all, t, sizeof(t)), "CN=www,O=Acme+2.5.4.43=xyz,C=US");
	assert_string_equal(name_short_text(all, t, sizeof(t)), "www");
}

static void every_system_root_is_read_as_libcrypto_reads_it(void **state)
{
	static char text[1 << 20];
	FILE *f = fopen(SYSTEM_ROOTS, "rb");
	AUTO(buf_fini) struct buf der = buf_init(CERT_SIZE_MAX);
	struct pem p = { .line = 1 };
	size_t count = 0;
	struct err e = { 0 };

	(void)state;
	if (!f) {
		print_message("no " SYSTEM_ROOTS " here\n");
		skip();
	}
	p.rest = bytes_of(text, fread(text, 1, sizeof(text), f));
	fclose(f);
	while (pem_next_cert(&p, &der, &e) == PEM_BLOCK) {
		const unsigned char *at = der.p;
		X509 *x = d2i_X509(NULL, &at, (long)der.n);
		struct cert c;
		char name[300];

		assert_non_null(x);
		if (cert_parse(buf_bytes(&der), &c, &e) < 0 ||
		    cert_agrees_with_libcrypto(&c, x, &e) < 0)
			fail_msg("root %zu: %s", count, e.sentence);
		assert_true(c.is_ca || c.version == 1);
		assert_true(strlen(name_text(c.subject, name, sizeof(name))) > 5);
		X509_free(x);
		count++;
	}
	assert_in_range(count, 20, 2000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_all_of_a_leaf),
		cmocka_unit_test(refuses_every_truncation_and_a_trailing_byte),
		cmocka_unit_test(never_crashes_on_a_changed_byte),
		cmocka_unit_test(reads_every_kind_of_alternative_name),
		cmocka_unit_test(reads_versions_and_serials_of_any_kind),
		cmocka_unit_test(knows_the_kinds_of_keys),
		cmocka_unit_test(reads_validity_on_both_sides_of_2050),
		cmocka_unit_test(key_usage_and_path_length_are_read),
		cmocka_unit_test(refuses_malformed_extensions_by_name),
		cmocka_unit_test(refuses_two_of_a_kind_and_too_many_extensions),
		cmocka_unit_test(names_go_through_the_escaper),
		cmocka_unit_test(refuses_names_whose_strings_are_broken),
		cmocka_unit_test(names_read_from_the_most_special_to_the_least),
		cmocka_unit_test(every_system_root_is_read_as_libcrypto_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
