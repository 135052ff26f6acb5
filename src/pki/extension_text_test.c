#include "pki/extension_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/test_cert.h"

static const struct test_extension made[] = {
	{ "basicConstraints", "critical,CA:TRUE,pathlen:3" },
	{ "keyUsage", "critical,digitalSignature,keyCertSign,decipherOnly" },
	{ "extendedKeyUsage", "serverAuth,clientAuth,1.2.3.4" },
	{ "subjectAltName",
	  "DNS:a.example,IP:192.0.2.1,IP:2001:db8::1,URI:http://x/\x1b,email:x@y,RID:1.2.3" },
	{ "nameConstraints",
	  "permitted;DNS:.a.example,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:b.example" },
	{ "crlDistributionPoints", "URI:http://c/1.crl,URI:http://c/2.crl" },
	{ "authorityInfoAccess", "OCSP;URI:http://o/,caIssuers;URI:http://i/" },
	{ "2.5.29.32",
	  "DER:30:18:30:06:06:04:55:1D:20:00:30:08:06:06:67:81:0C:01:02:01:30:04:06:02:2A:03" },
	{ "policyMappings", "1.2.3:1.2.4" },
	{ "inhibitAnyPolicy", "2" },
	{ "tlsfeature", "status_request,17" },
	{ "subjectKeyIdentifier", "0A0B0C" },
	{ "1.2.3.4.5", "DER:04:02:AA:BB" },
};
static const struct {
	const char *title, *text;
} told[] = {
	{ "basic constraints", "a CA, at most 3 CAs below it" },
	{ "key usage", "digitalSignature, keyCertSign, decipherOnly" },
	{ "extended key usage", "serverAuth, clientAuth, 1.2.3.4" },
	{ "subject alternative names",
	  "DNS:a.example, IP:192.0.2.1, IP:2001:db8::1, URI:http://x/\\x1b, email:x@y, OID:1.2.3" },
	{ "name constraints",
	  "only DNS:.a.example, only IP:10.0.0.0/255.0.0.0, not email:b.example" },
	{ "CRL distribution points", "URI:http://c/1.crl, URI:http://c/2.crl" },
	{ "authority information access", "OCSP URI:http://o/, issuer URI:http://i/" },
	{ "certificate policies", "anyPolicy, domain validated, 1.2.3" },
	{ "policy mappings", "1.2.3 to 1.2.4" },
	{ "inhibit anyPolicy", "2" },
	{ "TLS features", "must staple (status_request), feature 17" },
	{ "subject key identifier", "0A:0B:0C" },
	{ "1.2.3.4.5", "4 bytes: 04:02:AA:BB" },
};
_Static_assert(ARRAY_LEN(made) == ARRAY_LEN(told), "what is told of each");

static struct test_cert make(void)
{
	struct test_options o = { .cn = "x",
				  .not_before = TEST_NOW,
				  .not_after = TEST_NOW + TEST_DAY,
				  .extensions = made,
				  .count = ARRAY_LEN(made) };

	return test_cert_make(&o);
}

static void tells_each_kind_in_words(void **state)
{
	struct test_cert t = make();
	struct buf text = buf_init(4096);
	struct cert_extension x;
	struct bytes rest;
	struct cert c;
	char room[64];
	size_t n = 0;

	(void)state;
	assert_int_equal(cert_parse(test_cert_der(&t), &c, NULL), 0);
	rest = c.extensions;
	while (cert_extension_next(&rest, &x)) {
		buf_clear(&text);
		assert_int_equal(extension_text(&x, &text, NULL), 0);
		assert_string_equal(extension_title(x.oid, room), told[n].title);
		assert_true(bytes_equal(buf_bytes(&text), bytes_str(told[n].text)));
		n++;
	}
	assert_int_equal(n, ARRAY_LEN(told));
	buf_fini(&text);
	test_cert_fini(&t);
}

static void calls_every_truncation_malformed(void **state)
{
	struct test_cert t = make();
	struct buf text = buf_init(4096);
	struct cert_extension x;
	struct bytes rest;
	struct cert c;

	(void)state;
	assert_int_equal(cert_parse(test_cert_der(&t), &c, NULL), 0);
	rest = c.extensions;
	for (size_t i = 0; cert_extension_next(&rest, &x); i++) {
		struct bytes whole = x.value;

		for (size_t n = 0; i + 1 < ARRAY_LEN(told) && n < whole.n; n++) {
			x.value = bytes_slice(whole, 0, n);
			buf_clear(&text);
			assert_int_equal(extension_text(&x, &text, NULL), 0);
			assert_true(bytes_starts(buf_bytes(&text), bytes_str("malformed, ")));
		}
	}
	buf_fini(&text);
	test_cert_fini(&t);
}

static void fails_when_there_is_no_room_or_memory(void **state)
{
	struct test_cert t = make();
	struct cert_extension x;
	struct bytes rest;
	struct cert c;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cert_parse(test_cert_der(&t), &c, NULL), 0);
	rest = c.extensions;
	while (cert_extension_next(&rest, &x)) {
		struct buf none = buf_init(0), small = buf_init(100);

		assert_int_equal(extension_text(&x, &none, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		mem_fail_at(1);
		assert_int_equal(extension_text(&x, &small, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
		buf_fini(&none);
		buf_fini(&small);
	}
	test_cert_fini(&t);
}

static void tells_an_address_of_a_wrong_size(void **state)
{
	struct san s = { .kind = SAN_IP, .value = bytes_str("12345") };
	char text[100];

	(void)state;
	assert_string_equal(san_kind_text(&s, text, sizeof(text)),
			    "IP:(5 bytes, expected 4 or 16)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_each_kind_in_words),
		cmocka_unit_test(calls_every_truncation_malformed),
		cmocka_unit_test(fails_when_there_is_no_room_or_memory),
		cmocka_unit_test(tells_an_address_of_a_wrong_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
