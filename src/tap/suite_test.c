#include "tap/suite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "wire/names.h"

/* What a word in IANA's name says; the first that is found counts. */
static const struct {
	const char *word;
	enum cipher_kind cipher;
} cipher_words[] = {
	{ "AES_128_GCM", CIPHER_AES_128_GCM },
	{ "AES_256_GCM", CIPHER_AES_256_GCM },
	{ "AES_128_CCM_8", CIPHER_AES_128_CCM_8 },
	{ "AES_256_CCM_8", CIPHER_AES_256_CCM_8 },
	{ "AES_128_CCM", CIPHER_AES_128_CCM },
	{ "AES_256_CCM", CIPHER_AES_256_CCM },
	{ "CHACHA20_POLY1305", CIPHER_CHACHA20_POLY1305 },
	{ "ARIA_128_GCM", CIPHER_ARIA_128_GCM },
	{ "ARIA_256_GCM", CIPHER_ARIA_256_GCM },
	{ "CAMELLIA_128_GCM", CIPHER_CAMELLIA_128_GCM },
	{ "CAMELLIA_256_GCM", CIPHER_CAMELLIA_256_GCM },
	{ "AES_128_CBC", CIPHER_AES_128_CBC },
	{ "AES_256_CBC", CIPHER_AES_256_CBC },
	{ "CAMELLIA_128_CBC", CIPHER_CAMELLIA_128_CBC },
	{ "CAMELLIA_256_CBC", CIPHER_CAMELLIA_256_CBC },
	{ "ARIA_128_CBC", CIPHER_ARIA_128_CBC },
	{ "ARIA_256_CBC", CIPHER_ARIA_256_CBC },
	{ "SEED_CBC", CIPHER_SEED_CBC },
	{ "IDEA_CBC", CIPHER_IDEA_CBC },
	{ "3DES_EDE_CBC", CIPHER_3DES_CBC },
	{ "DES_CBC", CIPHER_DES_CBC },
	{ "DES40_CBC", CIPHER_DES_CBC },
	{ "RC2_CBC_40", CIPHER_RC2_CBC },
	{ "RC4_128", CIPHER_RC4_128 },
	{ "RC4_40", CIPHER_RC4_128 },
	{ "WITH_NULL", CIPHER_NULL },
	{ "TLS_SHA256_SHA256", CIPHER_NULL },
	{ "TLS_SHA384_SHA384", CIPHER_NULL },
};

static const char *const not_here[] = { "SM4", "GOSTR", "AEGIS", "SCSV" };

static bool ends(const char *name, const char *with)
{
	return bytes_ends_nocase(bytes_str(name), bytes_str(with));
}

static enum digest digest_in(const char *name)
{
	if (ends(name, "_MD5"))
		return DIGEST_MD5;
	if (ends(name, "_SHA"))
		return DIGEST_SHA1;
	if (ends(name, "_SHA256"))
		return DIGEST_SHA256;
	if (ends(name, "_SHA384"))
		return DIGEST_SHA384;
	return DIGEST_NONE;
}

static enum suite_exchange exchange_in(const char *name)
{
	const struct bytes b = bytes_str(name);

	if (!strstr(name, "_WITH_"))
		return EXCHANGE_TLS13;
	if (bytes_starts(b, bytes_str("TLS_RSA_WITH_")) ||
	    bytes_starts(b, bytes_str("TLS_RSA_EXPORT_WITH_")))
		return EXCHANGE_RSA;
	if (bytes_starts(b, bytes_str("TLS_PSK_WITH_")))
		return EXCHANGE_PSK;
	return EXCHANGE_OTHER;
}

static void check_row(const struct suite *s, const char *name)
{
	const enum digest d = digest_in(name);
	const bool aead = cipher_info(s->cipher)->class == CIPHER_CLASS_AEAD;
	size_t i = 0;

	while (i < ARRAY_LEN(cipher_words) && !strstr(name, cipher_words[i].word))
		i++;
	assert_true(i < ARRAY_LEN(cipher_words));
	assert_int_equal(s->cipher, cipher_words[i].cipher);
	assert_int_equal(s->exchange, exchange_in(name));
	assert_int_equal(s->mac, aead ? DIGEST_NONE : d);
	/* RFC 5246, 5: SHA-256 where the suite does not name a newer one. */
	assert_int_equal(s->prf, d == DIGEST_SHA384 ? DIGEST_SHA384 : DIGEST_SHA256);
	assert_int_equal(s->export, strstr(name, "EXPORT") != NULL);
}

static void says_what_the_name_of_every_suite_says(void **state)
{
	size_t found = 0;

	(void)state;
	for (uint32_t code = 0; code <= 0xffff; code++) {
		const struct suite *s = suite_find((uint16_t)code);
		const char *name = cipher_name((uint16_t)code);
		bool absent = name == NULL || (code & 0x0f0f) == 0x0a0a;

		for (size_t i = 0; name && i < ARRAY_LEN(not_here); i++)
			absent |= strstr(name, not_here[i]) != NULL;
		if (absent != !s)
			print_message("0x%04x %s\n", code, name ? name : "without a name");
		assert_int_equal(absent, !s);
		if (!s)
			continue;
		assert_int_equal(s->code, code);
		check_row(s, name);
		found++;
	}
	assert_int_equal(found, 339);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_the_name_of_every_suite_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
