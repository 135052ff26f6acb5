#include "wire/alert.h"

#include "base/rd.h"
#include "wire/record.h"

static const struct {
	const char *name;
	const char *meaning;
} alerts[] = {
	/* clang-format off */
	[ALERT_CLOSE_NOTIFY] = { "close_notify", "it has nothing more to send" },
	[ALERT_END_OF_EARLY_DATA] = { "end_of_early_data", "its early data ends here" },
	[ALERT_UNEXPECTED_MESSAGE] = { "unexpected_message", "it got a message that was not its turn, or no TLS at all" },
	[ALERT_BAD_RECORD_MAC] = { "bad_record_mac", "a record failed its integrity check: the two sides have different keys, or bytes were changed on the way" },
	[ALERT_DECRYPTION_FAILED] = { "decryption_failed", "a record could not be decrypted" },
	[ALERT_RECORD_OVERFLOW] = { "record_overflow", "a record was longer than TLS allows" },
	[ALERT_DECOMPRESSION_FAILURE] = { "decompression_failure", "compressed data could not be unpacked" },
	[ALERT_HANDSHAKE_FAILURE] = { "handshake_failure", "it found no version, cipher suite, group or signature algorithm that both sides allow" },
	[ALERT_NO_CERTIFICATE] = { "no_certificate", "it has no certificate to show (SSL 3.0)" },
	[ALERT_BAD_CERTIFICATE] = { "bad_certificate", "the certificate is broken, or its signature or name does not hold" },
	[ALERT_UNSUPPORTED_CERTIFICATE] = { "unsupported_certificate", "the certificate is of a kind or for a purpose it does not take" },
	[ALERT_CERTIFICATE_REVOKED] = { "certificate_revoked", "the certificate was revoked by its issuer" },
	[ALERT_CERTIFICATE_EXPIRED] = { "certificate_expired", "the certificate has expired or is not valid yet" },
	[ALERT_CERTIFICATE_UNKNOWN] = { "certificate_unknown", "it does not accept the certificate, for a reason it does not tell" },
	[ALERT_ILLEGAL_PARAMETER] = { "illegal_parameter", "a value in the handshake is out of range or contradicts another" },
	[ALERT_UNKNOWN_CA] = { "unknown_ca", "it does not trust the issuer of the certificate" },
	[ALERT_ACCESS_DENIED] = { "access_denied", "the certificate is valid, but access is not allowed" },
	[ALERT_DECODE_ERROR] = { "decode_error", "a message could not be read: a length or a field is wrong" },
	[ALERT_DECRYPT_ERROR] = { "decrypt_error", "a signature, a Finished or a pre-shared key did not verify" },
	[ALERT_TOO_MANY_CIDS_REQUESTED] = { "too_many_cids_requested", "more connection IDs were asked for than it gives" },
	[ALERT_EXPORT_RESTRICTION] = { "export_restriction", "the key is longer than old export rules allowed" },
	[ALERT_PROTOCOL_VERSION] = { "protocol_version", "it does not speak the TLS version that was offered or chosen" },
	[ALERT_INSUFFICIENT_SECURITY] = { "insufficient_security", "what was offered is weaker than it demands" },
	[ALERT_INTERNAL_ERROR] = { "internal_error", "something went wrong inside it, not on the wire" },
	[ALERT_INAPPROPRIATE_FALLBACK] = { "inappropriate_fallback", "the client came back with an older version, though a newer one is spoken" },
	[ALERT_USER_CANCELED] = { "user_canceled", "it gave the handshake up for a reason of its own" },
	[ALERT_NO_RENEGOTIATION] = { "no_renegotiation", "it does not renegotiate" },
	[ALERT_MISSING_EXTENSION] = { "missing_extension", "an extension that it needs was not sent" },
	[ALERT_UNSUPPORTED_EXTENSION] = { "unsupported_extension", "an extension was answered that it had not offered" },
	[ALERT_CERTIFICATE_UNOBTAINABLE] = { "certificate_unobtainable", "the certificate could not be fetched from its URL" },
	[ALERT_UNRECOGNIZED_NAME] = { "unrecognized_name", "it serves no host of that name" },
	[ALERT_BAD_CERTIFICATE_STATUS_RESPONSE] = { "bad_certificate_status_response", "the OCSP answer with the certificate is missing or wrong" },
	[ALERT_BAD_CERTIFICATE_HASH_VALUE] = { "bad_certificate_hash_value", "a fetched certificate does not match its hash" },
	[ALERT_UNKNOWN_PSK_IDENTITY] = { "unknown_psk_identity", "it does not know the pre-shared key's identity" },
	[ALERT_CERTIFICATE_REQUIRED] = { "certificate_required", "it wants a client certificate and got none" },
	[ALERT_GENERAL_ERROR] = { "general_error", "it failed for a reason that no other alert names" },
	[ALERT_NO_APPLICATION_PROTOCOL] = { "no_application_protocol", "it speaks none of the application protocols (ALPN) that were offered" },
	[ALERT_ECH_REQUIRED] = { "ech_required", "Encrypted Client Hello was offered and not accepted" },
	/* clang-format on */
};

static bool is_assigned(uint8_t code)
{
	return code < ARRAY_LEN(alerts) && alerts[code].name;
}

const char *alert_name(uint8_t code)
{
	return is_assigned(code) ? alerts[code].name : "unassigned";
}

const char *alert_meaning(uint8_t code)
{
	return is_assigned(code) ? alerts[code].meaning
				 : "it sent an alert that no standard defines";
}

bool alert_is_about_certificate(uint8_t code)
{
	switch (code) {
	case ALERT_BAD_CERTIFICATE:
	case ALERT_UNSUPPORTED_CERTIFICATE:
	case ALERT_CERTIFICATE_REVOKED:
	case ALERT_CERTIFICATE_EXPIRED:
	case ALERT_CERTIFICATE_UNKNOWN:
	case ALERT_UNKNOWN_CA:
	case ALERT_BAD_CERTIFICATE_STATUS_RESPONSE:
	case ALERT_BAD_CERTIFICATE_HASH_VALUE:
		return true;
	default:
		return false;
	}
}

void alert_write(uint8_t out[ALERT_RECORD_SIZE], uint16_t version, enum alert_level level,
		 enum alert code)
{
	out[0] = RECORD_ALERT;
	out[1] = (uint8_t)(version >> 8);
	out[2] = (uint8_t)version;
	out[3] = 0;
	out[4] = 2;
	out[5] = (uint8_t)level;
	out[6] = (uint8_t)code;
}

int alert_parse(struct bytes body, uint8_t *level, uint8_t *code, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(body, &bad);
	uint8_t first = rd_u8(&r);
	uint8_t second = rd_u8(&r);

	rd_end(&r);
	if (bad || first < ALERT_WARNING || first > ALERT_FATAL)
		return FAIL(e, TLS_DECODE, "not an alert in plaintext: %zu bytes, level %u", body.n,
			    first);
	*level = first;
	*code = second;
	return 0;
}
