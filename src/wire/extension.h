/* What hellos are made of: lists of 16-bit code points, GREASE (RFC 8701), extensions. Everything
 * is a view of the message; the lists were checked by whoever parsed the hello. */
#ifndef WIRE_EXTENSION_H
#define WIRE_EXTENSION_H

#include "base/err.h"

enum extension_type {
	EXTENSION_SERVER_NAME = 0,
	EXTENSION_MAX_FRAGMENT_LENGTH = 1,
	EXTENSION_STATUS_REQUEST = 5,
	EXTENSION_SUPPORTED_GROUPS = 10,
	EXTENSION_EC_POINT_FORMATS = 11,
	EXTENSION_SIGNATURE_ALGORITHMS = 13,
	EXTENSION_ALPN = 16,
	EXTENSION_SIGNED_CERTIFICATE_TIMESTAMP = 18,
	EXTENSION_PADDING = 21,
	EXTENSION_ENCRYPT_THEN_MAC = 22,
	EXTENSION_EXTENDED_MASTER_SECRET = 23,
	EXTENSION_COMPRESS_CERTIFICATE = 27,
	EXTENSION_RECORD_SIZE_LIMIT = 28,
	EXTENSION_DELEGATED_CREDENTIAL = 34,
	EXTENSION_SESSION_TICKET = 35,
	EXTENSION_PRE_SHARED_KEY = 41,
	EXTENSION_EARLY_DATA = 42,
	EXTENSION_SUPPORTED_VERSIONS = 43,
	EXTENSION_COOKIE = 44,
	EXTENSION_PSK_KEY_EXCHANGE_MODES = 45,
	EXTENSION_CERTIFICATE_AUTHORITIES = 47,
	EXTENSION_POST_HANDSHAKE_AUTH = 49,
	EXTENSION_SIGNATURE_ALGORITHMS_CERT = 50,
	EXTENSION_KEY_SHARE = 51,
	EXTENSION_QUIC_TRANSPORT_PARAMETERS = 57,
	EXTENSION_NEXT_PROTOCOL_NEGOTIATION = 13172,
	EXTENSION_ENCRYPTED_CLIENT_HELLO = 0xfe0d,
	EXTENSION_RENEGOTIATION_INFO = 0xff01,
};

/* 0x0a0a, 0x1a1a, … 0xfafa: sent so that servers learn to ignore what they do not know. */
static inline bool code_is_grease(uint16_t code)
{
	return (code & 0x0f0f) == 0x0a0a && code >> 8 == (code & 0xff);
}

/* Lists of code points as on the wire, without their length. */
static inline size_t codes_count(struct bytes list)
{
	return list.n / 2;
}
static inline uint16_t codes_get(struct bytes list, size_t i) /* i < codes_count */
{
	return (uint16_t)(list.p[2 * i] << 8 | list.p[2 * i + 1]);
}
bool codes_have(struct bytes list, uint16_t code);
/* Copies the first max that are not GREASE; the number copied. */
size_t codes_copy(struct bytes list, uint16_t *out, size_t max);

struct extension {
	uint16_t type;
	struct bytes body;
};
/* Walks a hello's extensions in their order: takes the first out of *list. False at the end. */
bool extension_next(struct bytes *list, struct extension *out);

/* Walks an ALPN list (RFC 7301, 3.1): names with a length of one byte before each. */
bool alpn_next(struct bytes *list, struct bytes *name);
bool alpn_has(struct bytes list, struct bytes name);
/* Checks a list from anywhere: names of 1 to 255 bytes, at least one. Fails with ERR_TLS_DECODE. */
int alpn_check(struct bytes list, struct err *e) MUST_CHECK;

/* Walks the shares of a key_share extension (RFC 8446, 4.2.8). */
bool key_share_next(struct bytes *list, uint16_t *group, struct bytes *key);

#endif
