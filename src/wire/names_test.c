#include "wire/names.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/names_table.h"

typedef const char *lookup(uint16_t code);

/* Binary search needs order: each name in a table is found, so the table is sorted. */
static size_t count_names(lookup *find)
{
	size_t n = 0;

	for (unsigned code = 0; code < 65536; code++) {
		const char *name = find((uint16_t)code);

		n += name && strcmp(name, "GREASE") != 0;
	}
	return n;
}

static void knows_what_iana_assigned(void **state)
{
	(void)state;
	assert_string_equal(version_name(0x0304), "TLS 1.3");
	assert_string_equal(version_name(0x0300), "SSL 3.0");
	assert_string_equal(version_name(0x7f1c), "TLS 1.3 (draft)");
	assert_string_equal(version_name(0xfefd), "DTLS 1.2");
	assert_string_equal(cipher_name(0x0000), "TLS_NULL_WITH_NULL_NULL");
	assert_string_equal(cipher_name(0x002f), "TLS_RSA_WITH_AES_128_CBC_SHA");
	assert_string_equal(cipher_name(0x1301), "TLS_AES_128_GCM_SHA256");
	assert_string_equal(cipher_name(0xc02f), "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256");
	assert_string_equal(cipher_name(0xcca9), "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256");
	assert_string_equal(cipher_name(0x5600), "TLS_FALLBACK_SCSV");
	assert_string_equal(cipher_name(0xd005), "TLS_ECDHE_PSK_WITH_AES_128_CCM_SHA256");
	assert_string_equal(group_name(0x001d), "x25519");
	assert_string_equal(group_name(0x0104), "ffdhe8192");
	assert_string_equal(group_name(0x11eb), "SecP256r1MLKEM768");
	assert_string_equal(group_name(0x11ec), "X25519MLKEM768");
	assert_string_equal(group_name(0x11ed), "SecP384r1MLKEM1024");
	assert_string_equal(group_name(0x6399), "X25519Kyber768Draft00");
	assert_string_equal(sigalg_name(0x0403), "ecdsa_secp256r1_sha256");
	assert_string_equal(sigalg_name(0x0804), "rsa_pss_rsae_sha256");
	assert_string_equal(sigalg_name(0x0905), "mldsa65");
	assert_string_equal(extension_name(0), "server_name");
	assert_string_equal(extension_name(51), "key_share");
	assert_string_equal(extension_name(0xfe0d), "encrypted_client_hello");
	assert_string_equal(extension_name(0xff01), "renegotiation_info");
	assert_string_equal(cert_compression_name(2), "brotli");
}

static void every_row_of_every_table_is_found(void **state)
{
	(void)state;
	assert_int_equal(count_names(version_name), 9 + 256);
	assert_int_equal(count_names(cipher_name), names_ciphers.count);
	assert_int_equal(names_ciphers.count, 352);
	assert_int_equal(count_names(group_name), 59);
	assert_int_equal(count_names(sigalg_name), 45);
	assert_int_equal(count_names(extension_name), 71);
	assert_int_equal(count_names(cert_compression_name), 3);
}

static void numbers_without_a_name_are_shown_as_such(void **state)
{
	char code[NAMES_CODE_MAX];

	(void)state;
	assert_null(cipher_name(0x0047));
	assert_null(version_name(0x0305));
	assert_string_equal(cipher_name(0x2a2a), "GREASE");
	assert_string_equal(group_name(0xfafa), "GREASE");
	assert_string_equal(names_or_code(cipher_name(0x0047), 0x0047, code), "0x0047");
	assert_string_equal(names_or_code(cipher_name(0x1302), 0x1302, code),
			    "TLS_AES_256_GCM_SHA384");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_what_iana_assigned),
		cmocka_unit_test(every_row_of_every_table_is_found),
		cmocka_unit_test(numbers_without_a_name_are_shown_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
