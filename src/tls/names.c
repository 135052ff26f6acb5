#include "tls/names.h"

#include <openssl/obj_mac.h>
#include <openssl/tls1.h>

/* IANA's "TLS Supported Groups". No NID: libssl reports the bare code point. */
static const struct {
	uint16_t code;
	const char *name;
	long nid;
} groups[] = {
	{ 0x0017, "P-256", NID_X9_62_prime256v1 },
	{ 0x0018, "P-384", NID_secp384r1 },
	{ 0x0019, "P-521", NID_secp521r1 },
	{ 0x0016, "secp256k1", NID_secp256k1 },
	{ 0x001a, "brainpoolP256r1", NID_brainpoolP256r1 },
	{ 0x001b, "brainpoolP384r1", NID_brainpoolP384r1 },
	{ 0x001c, "brainpoolP512r1", NID_brainpoolP512r1 },
	{ 0x001d, "X25519", NID_X25519 },
	{ 0x001e, "X448", NID_X448 },
	{ 0x001f, "brainpoolP256r1tls13", 0 },
	{ 0x0020, "brainpoolP384r1tls13", 0 },
	{ 0x0021, "brainpoolP512r1tls13", 0 },
	{ 0x0100, "ffdhe2048", NID_ffdhe2048 },
	{ 0x0101, "ffdhe3072", NID_ffdhe3072 },
	{ 0x0102, "ffdhe4096", NID_ffdhe4096 },
	{ 0x0103, "ffdhe6144", NID_ffdhe6144 },
	{ 0x0104, "ffdhe8192", NID_ffdhe8192 },
	{ 0x0200, "MLKEM512", 0 },
	{ 0x0201, "MLKEM768", 0 },
	{ 0x0202, "MLKEM1024", 0 },
	{ 0x11eb, "SecP256r1MLKEM768", 0 },
	{ 0x11ec, "X25519MLKEM768", 0 },
	{ 0x11ed, "SecP384r1MLKEM1024", 0 },
};

/* IANA's "TLS SignatureScheme", without DSA. */
static const struct {
	uint16_t code;
	const char *name;
} sigalgs[] = {
	{ 0x0201, "rsa_pkcs1_sha1" },
	{ 0x0203, "ECDSA+SHA1" },
	{ 0x0301, "RSA+SHA224" },
	{ 0x0303, "ECDSA+SHA224" },
	{ 0x0401, "rsa_pkcs1_sha256" },
	{ 0x0501, "rsa_pkcs1_sha384" },
	{ 0x0601, "rsa_pkcs1_sha512" },
	{ 0x0403, "ecdsa_secp256r1_sha256" },
	{ 0x0503, "ecdsa_secp384r1_sha384" },
	{ 0x0603, "ecdsa_secp521r1_sha512" },
	{ 0x0804, "rsa_pss_rsae_sha256" },
	{ 0x0805, "rsa_pss_rsae_sha384" },
	{ 0x0806, "rsa_pss_rsae_sha512" },
	{ 0x0807, "ed25519" },
	{ 0x0808, "ed448" },
	{ 0x0809, "rsa_pss_pss_sha256" },
	{ 0x080a, "rsa_pss_pss_sha384" },
	{ 0x080b, "rsa_pss_pss_sha512" },
	{ 0x081a, "ecdsa_brainpoolP256r1tls13_sha256" },
	{ 0x081b, "ecdsa_brainpoolP384r1tls13_sha384" },
	{ 0x081c, "ecdsa_brainpoolP512r1tls13_sha512" },
	{ 0x0904, "mldsa44" },
	{ 0x0905, "mldsa65" },
	{ 0x0906, "mldsa87" },
};

const char *names_group(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (groups[i].code == code)
			return groups[i].name;
	return NULL;
}

const char *names_sigalg(uint16_t code)
{
	for (size_t i = 0; i < ARRAY_LEN(sigalgs); i++)
		if (sigalgs[i].code == code)
			return sigalgs[i].name;
	return NULL;
}

uint16_t names_group_of_nid(long nid)
{
	if (nid <= 0)
		return 0;
	if (nid & TLSEXT_nid_unknown)
		return (uint16_t)(nid & 0xffff);
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (groups[i].nid == nid)
			return groups[i].code;
	return 0;
}
