/* TLS alerts (RFC 8446, 6; the older ones too): codes, names, what they mean for a person. */
#ifndef WIRE_ALERT_H
#define WIRE_ALERT_H

#include "base/err.h"

enum alert {
	ALERT_CLOSE_NOTIFY = 0,
	ALERT_END_OF_EARLY_DATA = 1,
	ALERT_UNEXPECTED_MESSAGE = 10,
	ALERT_BAD_RECORD_MAC = 20,
	ALERT_DECRYPTION_FAILED = 21,
	ALERT_RECORD_OVERFLOW = 22,
	ALERT_DECOMPRESSION_FAILURE = 30,
	ALERT_HANDSHAKE_FAILURE = 40,
	ALERT_NO_CERTIFICATE = 41,
	ALERT_BAD_CERTIFICATE = 42,
	ALERT_UNSUPPORTED_CERTIFICATE = 43,
	ALERT_CERTIFICATE_REVOKED = 44,
	ALERT_CERTIFICATE_EXPIRED = 45,
	ALERT_CERTIFICATE_UNKNOWN = 46,
	ALERT_ILLEGAL_PARAMETER = 47,
	ALERT_UNKNOWN_CA = 48,
	ALERT_ACCESS_DENIED = 49,
	ALERT_DECODE_ERROR = 50,
	ALERT_DECRYPT_ERROR = 51,
	ALERT_TOO_MANY_CIDS_REQUESTED = 52,
	ALERT_EXPORT_RESTRICTION = 60,
	ALERT_PROTOCOL_VERSION = 70,
	ALERT_INSUFFICIENT_SECURITY = 71,
	ALERT_INTERNAL_ERROR = 80,
	ALERT_INAPPROPRIATE_FALLBACK = 86,
	ALERT_USER_CANCELED = 90,
	ALERT_NO_RENEGOTIATION = 100,
	ALERT_MISSING_EXTENSION = 109,
	ALERT_UNSUPPORTED_EXTENSION = 110,
	ALERT_CERTIFICATE_UNOBTAINABLE = 111,
	ALERT_UNRECOGNIZED_NAME = 112,
	ALERT_BAD_CERTIFICATE_STATUS_RESPONSE = 113,
	ALERT_BAD_CERTIFICATE_HASH_VALUE = 114,
	ALERT_UNKNOWN_PSK_IDENTITY = 115,
	ALERT_CERTIFICATE_REQUIRED = 116,
	ALERT_GENERAL_ERROR = 117,
	ALERT_NO_APPLICATION_PROTOCOL = 120,
	ALERT_ECH_REQUIRED = 121,
};

enum alert_level { ALERT_WARNING = 1, ALERT_FATAL = 2 };

const char *alert_name(uint8_t code); /* IANA's: "unknown_ca"; "unassigned" for others */
const char *
alert_meaning(uint8_t code); /* what its sender says: "it does not trust the issuer …" */
/* It says that the sender does not accept the certificate it was shown (bad_certificate,
 * unknown_ca, certificate_unknown, …): what a client that pins, or lacks our root, sends. */
bool alert_is_about_certificate(uint8_t code);

/* A whole record with the alert in plaintext. */
#define ALERT_RECORD_SIZE 7
void alert_write(uint8_t out[ALERT_RECORD_SIZE], uint16_t version, enum alert_level level,
		 enum alert code);
/* The two bytes of an alert, from a record's body in plaintext. Fails with ERR_TLS_DECODE. */
int alert_parse(struct bytes body, uint8_t *level, uint8_t *code, struct err *e) MUST_CHECK;

#endif
