#include "wire/ja.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include <openssl/evp.h>

#include "wire/hello.h"
#include "wire/hello_make.h"

#define B(s) bytes_of("" s, sizeof(s) - 1)

static const char *corpus; /* folder of ClientHellos from real programs */

static int sha256(struct bytes text, uint8_t out[32], struct err *e)
{
	if (EVP_Q_digest(NULL, "SHA256", NULL, text.p, text.n, out, NULL) != 1)
		return FAIL(e, CRYPTO, "SHA-256");
	return 0;
}

static int broken_sha256(struct bytes text, uint8_t out[32], struct err *e)
{
	(void)out;
	return FAIL(e, CRYPTO, "no hash of %zu bytes", text.n);
}

/* The 32 digits of text's MD5. */
static void md5_text(struct bytes text, char out[33])
{
	uint8_t hash[16];

	assert_int_equal(EVP_Q_digest(NULL, "MD5", NULL, text.p, text.n, hash, NULL), 1);
	for (size_t i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

static struct bytes read_file(const char *name, uint8_t *room, size_t size)
{
	char path[1024];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", corpus, name);
	f = fopen(path, "rb");
	assert_non_null(f);
	n = fread(room, 1, size, f);
	fclose(f);
	return bytes_of(room, n);
}

/* What real programs of today send; the fingerprints were computed by other implementations. */
static const struct {
	const char *file, *server_name;
	uint16_t max_version;
	size_t ciphers, extensions;
	const char *ja4, *ja3_md5;
} samples[] = {
	/* clang-format off */
	{ "chromium", "www.example.com", 0x0304, 16, 19, "t13d1517h2_8daaf6152771_cb7bf5808d99", "b2dc1608bf185da7d5ef3523d12bdf4d" },
	{ "curl", "www.example.com", 0x0304, 31, 12, "t13d3112h2_e8f1e7e78f70_b26ce05bbdd6", "0149f47eabf9a20d0893e2a44e5a6323" },
	{ "gnutls_alpn_legacy", "www.example.com", 0x0304, 29, 13, "t13d2913h2_723694b0fccc_5671b5df5029", "2cbcec37dfff29e4c6a34dd35ebe1d70" },
	{ "gnutls_default", "www.example.com", 0x0304, 29, 13, "t13d291300_723694b0fccc_2cc26d266019", "f35ce21b44ac0b87d3266294bb1b0e20" },
	{ "go_mlkem", "www.example.com", 0x0304, 13, 12, "t13d1312h2_f57a46bbacb6_ab7e3b40a677", "03117a8ed39ef02427ebbc39f121275c" },
	{ "java", "www.example.com", 0x0304, 37, 12, "t13d371200_db35923f8641_7c76daad20ec", "0a0d72200639a7a39887b9d81a247310" },
	{ "node", "www.example.com", 0x0304, 59, 11, "t13d5911h2_a33745022dd6_1f22a2ca17c4", "1a28e69016765d92e3b381168d68922c" },
	{ "nss", "www.example.com", 0x0304, 35, 11, "t13d351100_948423e5275c_496733ea6893", "ab5db42466846be28dbb1efc688a4608" },
	{ "openssl_after_retry", "www.example.com", 0x0304, 31, 11, "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4", "5f4e206dded3ee468e914011090d7c44" },
	{ "openssl_all_ciphers", "www.example.com", 0x0304, 93, 10, "t13d931000_76395a2b3870_5ac7197df9d2", "ad3df5101c07359b067e8a2d77772040" },
	{ "openssl_default", "www.example.com", 0x0304, 31, 10, "t13d311000_e8f1e7e78f70_1f22a2ca17c4", "a3afc2c46ba4a7d7fbe1cfb7a3031c2f" },
	{ "openssl_maxfraglen", "www.example.com", 0x0304, 31, 11, "t13d311100_e8f1e7e78f70_21e25a62dcf6", "dcf13cacd25c55b21ab4c4273e343a8e" },
	{ "openssl_nosni", "", 0x0304, 31, 9, "t13i310900_e8f1e7e78f70_1f22a2ca17c4", "c216e752cae6f8755fd27f561d031636" },
	{ "openssl_psk_early_data", "www.example.com", 0x0304, 31, 12, "t13d311200_e8f1e7e78f70_87f12a3f655c", "73a4e2cca8dc512d9d81c80851418f14" },
	{ "openssl_status_alpn", "www.example.com", 0x0304, 31, 12, "t13d3112h1_e8f1e7e78f70_f6eeaf393d2e", "6dfd110ecec56cf3479112379fa202ad" },
	{ "openssl_tls10", "www.example.com", 0x0301, 23, 6, "t10d230600_44099cda8a52_195413a0cc0f", "4e9d43688ef48b6b1fbe71f290acfc8f" },
	{ "openssl_tls12", "www.example.com", 0x0303, 28, 8, "t12d2808h2_d943125447b4_e7e480e5a997", "22558766122974704364c9c75c5cce0a" },
	{ "openssl_tls12_ticket", "www.example.com", 0x0303, 28, 7, "t12d280700_d943125447b4_e7e480e5a997", "871a754af286dfb70c1b53c6887c62e0" },
	{ "python", "www.example.com", 0x0304, 31, 11, "t13d311100_e8f1e7e78f70_d41ae481755e", "d39e1be3241d516b1f714bd47c2bc968" },
	{ "wget", "localhost", 0x0304, 29, 13, "t13d291300_723694b0fccc_899037bd0b8c", "bb4f9fef542ff6b4b29aa653bf0c1d31" },
	/* clang-format on */
};

static void real_hellos_have_the_known_fingerprints(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		AUTO(buf_fini)
		struct buf ja3 = buf_init(4096), joined = buf_init(HELLO_MESSAGE_MAX);
		char ja4[JA4_TEXT_MAX], md5[33];
		struct hello hello = hello_init();
		struct client_hello h;
		enum alert alert;
		struct err e = { 0 };
		struct bytes raw, message;
		uint8_t room[4096];

		raw = read_file(samples[i].file, room, sizeof(room));
		assert_int_equal(hello_run(&hello, raw, &alert, &e), HELLO_DONE);
		assert_int_equal(hello_message(&hello, raw, &joined, &message, &e), 0);
		if (client_hello_parse(message, &h, &alert, &e) < 0)
			fail_msg("%s: %s", samples[i].file, e.sentence);
		assert_true(bytes_equal(h.server_name, bytes_str(samples[i].server_name)));
		assert_int_equal(h.max_version, samples[i].max_version);
		assert_int_equal(codes_count(h.cipher_suites), samples[i].ciphers);
		assert_int_equal(h.extension_count, samples[i].extensions);
		assert_int_equal(ja4_write(&h, 't', sha256, ja4, &e), 0);
		assert_string_equal(ja4, samples[i].ja4);
		assert_int_equal(ja3_write(&h, &ja3, &e), 0);
		md5_text(buf_bytes(&ja3), md5);
		assert_string_equal(md5, samples[i].ja3_md5);
	}
}

static const uint16_t foxio_ciphers[] = {
	0x2a2a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030,
	0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c, 0x009d, 0x002f, 0x0035,
};
static const uint16_t foxio_extensions[] = {
	0x3a3a, 0x001b, 0x0000, 0x0033, 0x0010, 0x4469, 0x0017, 0x002d, 0x000d,
	0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b, 0x000a, 0x0015, 0x9a9a,
};

static struct bytes body_of(uint16_t type, bool sigalgs)
{
	switch (type) {
	case EXTENSION_COMPRESS_CERTIFICATE:
		return B("\x02\x00\x02");
	case EXTENSION_SERVER_NAME:
		return B("\x00\x04\x00\x00\x01x");
	case EXTENSION_KEY_SHARE:
		return B("\x00\x0a\x4a\x4a\x00\x01x\x00\x1d\x00\x01y");
	case EXTENSION_ALPN:
		return B("\x00\x0c\x02h2\x08http/1.1");
	case EXTENSION_PSK_KEY_EXCHANGE_MODES:
		return B("\x01\x01");
	case EXTENSION_SIGNATURE_ALGORITHMS:
		return sigalgs ? B("\x00\x12\x6a\x6a\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05"
				   "\x01\x08"
				   "\x06\x06\x01")
			       : B("\x00\x02\x6a\x6a");
	case EXTENSION_STATUS_REQUEST:
		return B("\x01\x00\x00\x00\x00");
	case EXTENSION_SUPPORTED_VERSIONS:
		return B("\x06\x5a\x5a\x03\x04\x03\x03");
	case EXTENSION_RENEGOTIATION_INFO:
		return B("\x00");
	case EXTENSION_EC_POINT_FORMATS:
		return B("\x01\x00");
	case EXTENSION_SUPPORTED_GROUPS:
		return B("\x00\x08\x1a\x1a\x00\x1d\x00\x17\x00\x18");
	default:
		return B("");
	}
}

/* The example of FoxIO's description of JA4, with GREASE wherever there may be some. */
static void make_foxio_example(struct hello_make *m, bool sigalgs, struct client_hello *h)
{
	struct hello_start s = hello_start_usual();
	uint8_t ciphers[2 * ARRAY_LEN(foxio_ciphers)];
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(foxio_ciphers); i++) {
		ciphers[2 * i] = (uint8_t)(foxio_ciphers[i] >> 8);
		ciphers[2 * i + 1] = (uint8_t)foxio_ciphers[i];
	}
	s.ciphers = bytes_of(ciphers, sizeof(ciphers));
	*m = (struct hello_make){ 0 };
	hello_make_begin(m, &s);
	hello_make_extensions(m);
	for (size_t i = 0; i < ARRAY_LEN(foxio_extensions); i++)
		hello_make_add(m, foxio_extensions[i], body_of(foxio_extensions[i], sigalgs));
	if (client_hello_parse(hello_make_end(m), h, NULL, &e) < 0)
		fail_msg("%s", e.sentence);
}

static void foxios_example_comes_out(void **state)
{
	AUTO(buf_fini) struct buf raw = buf_init(4096);
	char ja4[JA4_TEXT_MAX];
	struct client_hello h;
	struct hello_make m;

	(void)state;
	make_foxio_example(&m, true, &h);
	assert_int_equal(ja4_write(&h, 't', sha256, ja4, NULL), 0);
	assert_string_equal(ja4, "t13d1516h2_8daaf6152771_e5627efa2ab1");
	assert_int_equal(ja4_write(&h, 'q', sha256, ja4, NULL), 0);
	assert_string_equal(ja4, "q13d1516h2_8daaf6152771_e5627efa2ab1");
	assert_int_equal(ja4_write_raw(&h, 't', &raw, NULL), 0);
	assert_true(bytes_equal(
		buf_bytes(&raw),
		B("t13d1516h2_002f,0035,009c,009d,1301,1302,1303,c013,c014,c02b,c02c,c02f,c030,"
		  "cca8,"
		  "cca9_0005,000a,000b,000d,0012,0015,0017,001b,0023,002b,002d,0033,4469,ff01_0403,"
		  "0804,0401,0503,0805,0501,0806,0601")));
	buf_fini(&m.b);

	/* Without signature algorithms there is no underscore before them. */
	make_foxio_example(&m, false, &h);
	assert_int_equal(ja4_write(&h, 't', sha256, ja4, NULL), 0);
	assert_string_equal(ja4, "t13d1516h2_8daaf6152771_6d807ffa2a79");
	buf_fini(&m.b);
}

static void ja3_leaves_grease_out(void **state)
{
	AUTO(buf_fini) struct buf ja3 = buf_init(4096);
	struct client_hello h;
	struct hello_make m;

	(void)state;
	make_foxio_example(&m, true, &h);
	assert_int_equal(ja3_write(&h, &ja3, NULL), 0);
	assert_true(
		bytes_equal(buf_bytes(&ja3),
			    B("771,4865-4866-4867-49195-49199-49196-49200-52393-52392-49171-49172-"
			      "156-157-47-53,"
			      "27-0-51-16-17513-23-45-13-5-35-18-43-65281-11-10-21,29-23-24,0")));
	buf_fini(&m.b);
}

static void alpn_is_shown_by_its_first_and_last_character(void **state)
{
	static const struct {
		const char *name;
		size_t n;
		const char *want;
	} cases[] = {
		{ "h2", 2, "h2" },
		{ "http/1.1", 8, "h1" },
		{ "x", 1, "xx" },
		{ "\xab", 1, "ab" },
		{ "\xab\xcd", 2, "ad" },
		{ "\x30\xab", 2, "3b" },
		{ "\x30\x31\xab\xcd", 4, "3d" },
		{ "\x30\xab\xcd\x31", 4, "01" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct hello_start s = hello_start_usual();
		struct hello_make m = { 0 };
		uint8_t body[16] = { 0, (uint8_t)(cases[i].n + 1), (uint8_t)cases[i].n };
		char ja4[JA4_TEXT_MAX];
		struct client_hello h;

		memcpy(body + 3, cases[i].name, cases[i].n);
		hello_make_begin(&m, &s);
		hello_make_extensions(&m);
		hello_make_add(&m, EXTENSION_ALPN, bytes_of(body, cases[i].n + 3));
		assert_int_equal(client_hello_parse(hello_make_end(&m), &h, NULL, NULL), 0);
		assert_int_equal(ja4_write(&h, 't', sha256, ja4, NULL), 0);
		assert_memory_equal(ja4 + 8, cases[i].want, 2);
		/* Only ALPN, which is not hashed. */
		assert_string_equal(ja4 + 24, "000000000000");
		buf_fini(&m.b);
	}
}

static void counts_stop_at_99_and_lists_at_their_limit(void **state)
{
	static uint8_t ciphers[2 * (JA_CODES_MAX + 1)];
	char ja4[JA4_TEXT_MAX];

	(void)state;
	for (size_t n = JA_CODES_MAX; n <= JA_CODES_MAX + 1; n++) {
		struct hello_start s = hello_start_usual();
		struct hello_make m = { 0 };
		AUTO(buf_fini) struct buf ja3 = buf_init(1 << 16);
		struct client_hello h;
		struct err e = { 0 };

		memset(ciphers, 0xc0, sizeof(ciphers));
		s.ciphers = bytes_of(ciphers, 2 * n);
		hello_make_begin(&m, &s);
		assert_int_equal(client_hello_parse(hello_make_end(&m), &h, NULL, NULL), 0);
		assert_int_equal(ja4_write(&h, 't', sha256, ja4, &e), n > JA_CODES_MAX ? -1 : 0);
		assert_int_equal(ja3_write(&h, &ja3, &e), n > JA_CODES_MAX ? -1 : 0);
		if (n > JA_CODES_MAX)
			assert_int_equal(e.code, ERR_LIMIT);
		else
			assert_memory_equal(ja4, "t12i990000_", 11);
		buf_fini(&m.b);
	}
}

static void other_versions_are_shown_as_00(void **state)
{
	struct hello_start s = hello_start_usual();
	struct hello_make m = { 0 };
	char ja4[JA4_TEXT_MAX];
	struct client_hello h;

	(void)state;
	hello_make_begin(&m, &s);
	hello_make_extensions(&m);
	hello_make_add(&m, EXTENSION_SUPPORTED_VERSIONS, B("\x02\x7f\x1c"));
	assert_int_equal(client_hello_parse(hello_make_end(&m), &h, NULL, NULL), 0);
	assert_int_equal(ja4_write(&h, 't', sha256, ja4, NULL), 0);
	assert_memory_equal(ja4, "t00i0301", 8);
	buf_fini(&m.b);
}

static void too_many_extensions_have_no_fingerprint(void **state)
{
	struct hello_start s = hello_start_usual();
	AUTO(buf_fini) struct buf ja3 = buf_init(1 << 16);
	struct hello_make m = { 0 };
	char ja4[JA4_TEXT_MAX];
	struct client_hello h;
	struct err e = { 0 };

	(void)state;
	hello_make_begin(&m, &s);
	hello_make_extensions(&m);
	for (uint16_t i = 0; i <= JA_CODES_MAX; i++)
		hello_make_add(&m, (uint16_t)(0x4000 + i), B(""));
	assert_int_equal(client_hello_parse(hello_make_end(&m), &h, NULL, NULL), 0);
	assert_int_equal(ja4_write(&h, 't', sha256, ja4, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(ja3_write(&h, &ja3, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&m.b);
}

static void ja3_stops_at_any_limit(void **state)
{
	AUTO(buf_fini) struct buf whole = buf_init(4096);
	struct client_hello h;
	struct hello_make m;

	(void)state;
	make_foxio_example(&m, true, &h);
	assert_int_equal(ja3_write(&h, &whole, NULL), 0);
	for (size_t max = 0; max < whole.n; max++) {
		AUTO(buf_fini) struct buf out = buf_init(max);

		assert_int_equal(ja3_write(&h, &out, NULL), -1);
	}
	buf_fini(&m.b);
}

static void a_failing_hash_and_a_full_buffer_are_told(void **state)
{
	AUTO(buf_fini) struct buf small = buf_init(20);
	char ja4[JA4_TEXT_MAX];
	struct client_hello h;
	struct hello_make m;
	struct err e = { 0 };

	(void)state;
	make_foxio_example(&m, true, &h);
	assert_int_equal(ja4_write(&h, 't', broken_sha256, ja4, &e), -1);
	assert_int_equal(e.code, ERR_CRYPTO);
	assert_int_equal(ja4_write_raw(&h, 't', &small, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(ja3_write(&h, &small, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	buf_fini(&m.b);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_hellos_have_the_known_fingerprints),
		cmocka_unit_test(foxios_example_comes_out),
		cmocka_unit_test(ja3_leaves_grease_out),
		cmocka_unit_test(alpn_is_shown_by_its_first_and_last_character),
		cmocka_unit_test(counts_stop_at_99_and_lists_at_their_limit),
		cmocka_unit_test(other_versions_are_shown_as_00),
		cmocka_unit_test(too_many_extensions_have_no_fingerprint),
		cmocka_unit_test(ja3_stops_at_any_limit),
		cmocka_unit_test(a_failing_hash_and_a_full_buffer_are_told),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: %s FOLDER-OF-CLIENT-HELLOS\n", argv[0]);
		return 2;
	}
	corpus = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
