#include "wire/names.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/extension.h"
#include "wire/names_table.h"

static const struct names_row versions[] = {
	{ 0x0002, "SSL 2.0" },	{ 0x0300, "SSL 3.0" },	{ 0x0301, "TLS 1.0" },
	{ 0x0302, "TLS 1.1" },	{ 0x0303, "TLS 1.2" },	{ 0x0304, "TLS 1.3" },
	{ 0xfefc, "DTLS 1.3" }, { 0xfefd, "DTLS 1.2" }, { 0xfeff, "DTLS 1.0" },
};

/* clang-format off */
static const struct names_row groups[] = {
	{ 0x0001, "sect163k1" },
	{ 0x0002, "sect163r1" },
	{ 0x0003, "sect163r2" },
	{ 0x0004, "sect193r1" },
	{ 0x0005, "sect193r2" },
	{ 0x0006, "sect233k1" },
	{ 0x0007, "sect233r1" },
	{ 0x0008, "sect239k1" },
	{ 0x0009, "sect283k1" },
	{ 0x000a, "sect283r1" },
	{ 0x000b, "sect409k1" },
	{ 0x000c, "sect409r1" },
	{ 0x000d, "sect571k1" },
	{ 0x000e, "sect571r1" },
	{ 0x000f, "secp160k1" },
	{ 0x0010, "secp160r1" },
	{ 0x0011, "secp160r2" },
	{ 0x0012, "secp192k1" },
	{ 0x0013, "secp192r1" },
	{ 0x0014, "secp224k1" },
	{ 0x0015, "secp224r1" },
	{ 0x0016, "secp256k1" },
	{ 0x0017, "secp256r1" },
	{ 0x0018, "secp384r1" },
	{ 0x0019, "secp521r1" },
	{ 0x001a, "brainpoolP256r1" },
	{ 0x001b, "brainpoolP384r1" },
	{ 0x001c, "brainpoolP512r1" },
	{ 0x001d, "x25519" },
	{ 0x001e, "x448" },
	{ 0x001f, "brainpoolP256r1tls13" },
	{ 0x0020, "brainpoolP384r1tls13" },
	{ 0x0021, "brainpoolP512r1tls13" },
	{ 0x0022, "GC256A" },
	{ 0x0023, "GC256B" },
	{ 0x0024, "GC256C" },
	{ 0x0025, "GC256D" },
	{ 0x0026, "GC512A" },
	{ 0x0027, "GC512B" },
	{ 0x0028, "GC512C" },
	{ 0x0029, "curveSM2" },
	{ 0x0100, "ffdhe2048" },
	{ 0x0101, "ffdhe3072" },
	{ 0x0102, "ffdhe4096" },
	{ 0x0103, "ffdhe6144" },
	{ 0x0104, "ffdhe8192" },
	{ 0x0200, "MLKEM512" },
	{ 0x0201, "MLKEM768" },
	{ 0x0202, "MLKEM1024" },
	{ 0x11eb, "SecP256r1MLKEM768" },
	{ 0x11ec, "X25519MLKEM768" },
	{ 0x11ed, "SecP384r1MLKEM1024" },
	{ 0x11ee, "curveSM2MLKEM768" },
	{ 0x6399, "X25519Kyber768Draft00" },
	{ 0x639a, "SecP256r1Kyber768Draft00" },
	{ 0xfe30, "X25519Kyber512Draft00" },
	{ 0xfe31, "X25519Kyber768Draft00Old" },
	{ 0xff01, "arbitrary_explicit_prime_curves" },
	{ 0xff02, "arbitrary_explicit_char2_curves" },
};

static const struct names_row sigalgs[] = {
	{ 0x0101, "rsa_pkcs1_md5" },
	{ 0x0201, "rsa_pkcs1_sha1" },
	{ 0x0202, "dsa_sha1" },
	{ 0x0203, "ecdsa_sha1" },
	{ 0x0301, "rsa_pkcs1_sha224" },
	{ 0x0302, "dsa_sha224" },
	{ 0x0303, "ecdsa_sha224" },
	{ 0x0401, "rsa_pkcs1_sha256" },
	{ 0x0402, "dsa_sha256" },
	{ 0x0403, "ecdsa_secp256r1_sha256" },
	{ 0x0420, "rsa_pkcs1_sha256_legacy" },
	{ 0x0501, "rsa_pkcs1_sha384" },
	{ 0x0502, "dsa_sha384" },
	{ 0x0503, "ecdsa_secp384r1_sha384" },
	{ 0x0520, "rsa_pkcs1_sha384_legacy" },
	{ 0x0601, "rsa_pkcs1_sha512" },
	{ 0x0602, "dsa_sha512" },
	{ 0x0603, "ecdsa_secp521r1_sha512" },
	{ 0x0620, "rsa_pkcs1_sha512_legacy" },
	{ 0x0704, "eccsi_sha256" },
	{ 0x0705, "iso_ibs1" },
	{ 0x0706, "iso_ibs2" },
	{ 0x0707, "iso_chinese_ibs" },
	{ 0x0708, "sm2sig_sm3" },
	{ 0x0709, "gostr34102012_256a" },
	{ 0x070a, "gostr34102012_256b" },
	{ 0x070b, "gostr34102012_256c" },
	{ 0x070c, "gostr34102012_256d" },
	{ 0x070d, "gostr34102012_512a" },
	{ 0x070e, "gostr34102012_512b" },
	{ 0x070f, "gostr34102012_512c" },
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

static const struct names_row extensions[] = {
	{ 0, "server_name" },
	{ 1, "max_fragment_length" },
	{ 2, "client_certificate_url" },
	{ 3, "trusted_ca_keys" },
	{ 4, "truncated_hmac" },
	{ 5, "status_request" },
	{ 6, "user_mapping" },
	{ 7, "client_authz" },
	{ 8, "server_authz" },
	{ 9, "cert_type" },
	{ 10, "supported_groups" },
	{ 11, "ec_point_formats" },
	{ 12, "srp" },
	{ 13, "signature_algorithms" },
	{ 14, "use_srtp" },
	{ 15, "heartbeat" },
	{ 16, "application_layer_protocol_negotiation" },
	{ 17, "status_request_v2" },
	{ 18, "signed_certificate_timestamp" },
	{ 19, "client_certificate_type" },
	{ 20, "server_certificate_type" },
	{ 21, "padding" },
	{ 22, "encrypt_then_mac" },
	{ 23, "extended_master_secret" },
	{ 24, "token_binding" },
	{ 25, "cached_info" },
	{ 26, "tls_lts" },
	{ 27, "compress_certificate" },
	{ 28, "record_size_limit" },
	{ 29, "pwd_protect" },
	{ 30, "pwd_clear" },
	{ 31, "password_salt" },
	{ 32, "ticket_pinning" },
	{ 33, "tls_cert_with_extern_psk" },
	{ 34, "delegated_credential" },
	{ 35, "session_ticket" },
	{ 36, "TLMSP" },
	{ 37, "TLMSP_proxying" },
	{ 38, "TLMSP_delegate" },
	{ 39, "supported_ekt_ciphers" },
	{ 41, "pre_shared_key" },
	{ 42, "early_data" },
	{ 43, "supported_versions" },
	{ 44, "cookie" },
	{ 45, "psk_key_exchange_modes" },
	{ 47, "certificate_authorities" },
	{ 48, "oid_filters" },
	{ 49, "post_handshake_auth" },
	{ 50, "signature_algorithms_cert" },
	{ 51, "key_share" },
	{ 52, "transparency_info" },
	{ 53, "connection_id_deprecated" },
	{ 54, "connection_id" },
	{ 55, "external_id_hash" },
	{ 56, "external_session_id" },
	{ 57, "quic_transport_parameters" },
	{ 58, "ticket_request" },
	{ 59, "dnssec_chain" },
	{ 60, "sequence_number_encryption_algorithms" },
	{ 61, "rrc" },
	{ 62, "tls_flags" },
	{ 13172, "next_protocol_negotiation" },
	{ 17513, "application_settings_old" },
	{ 17613, "application_settings" },
	{ 30032, "channel_id" },
	{ 51764, "trust_anchors" },
	{ 0xfd00, "ech_outer_extensions" },
	{ 0xfe0d, "encrypted_client_hello" },
	{ 0xff01, "renegotiation_info" },
	{ 0xffa5, "quic_transport_parameters_draft" },
	{ 0xffce, "encrypted_server_name" },
};
/* clang-format on */

static const struct names_row compressions[] = { { 1, "zlib" }, { 2, "brotli" }, { 3, "zstd" } };

static int compare(const void *key, const void *row)
{
	return (int)*(const uint16_t *)key - (int)((const struct names_row *)row)->code;
}

static const char *find(const struct names_row *rows, size_t count, uint16_t code)
{
	const struct names_row *row = bsearch(&code, rows, count, sizeof(*rows), compare);

	if (row)
		return row->name;
	return code_is_grease(code) ? "GREASE" : NULL;
}

const char *version_name(uint16_t version)
{
	if (version >> 8 == 0x7f)
		return "TLS 1.3 (draft)";
	return find(versions, ARRAY_LEN(versions), version);
}

const char *cipher_name(uint16_t cipher)
{
	return find(names_ciphers.rows, names_ciphers.count, cipher);
}

const char *group_name(uint16_t group)
{
	return find(groups, ARRAY_LEN(groups), group);
}

const char *sigalg_name(uint16_t sigalg)
{
	return find(sigalgs, ARRAY_LEN(sigalgs), sigalg);
}

const char *extension_name(uint16_t type)
{
	return find(extensions, ARRAY_LEN(extensions), type);
}

const char *cert_compression_name(uint16_t algorithm)
{
	return find(compressions, ARRAY_LEN(compressions), algorithm);
}

const char *names_or_code(const char *name, uint16_t code, char out[NAMES_CODE_MAX])
{
	if (name)
		return name;
	snprintf(out, NAMES_CODE_MAX, "0x%04x", code);
	return out;
}
