/* Sentences for what went wrong inside libssl. */
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/escape.h"
#include "tls/session.h"

/* What libssl's reason means to a person. */
static const struct {
	int reason;
	enum err_code code;
	const char *sentence;
} reasons[] = {
	{ SSL_R_UNSUPPORTED_PROTOCOL, ERR_TLS_PROTOCOL,
	  "no TLS version in common: the peer's is not among those allowed" },
	{ SSL_R_WRONG_SSL_VERSION, ERR_TLS_PROTOCOL,
	  "no TLS version in common: the peer's is not among those allowed" },
	{ SSL_R_VERSION_TOO_LOW, ERR_TLS_PROTOCOL,
	  "no TLS version in common: the peer's is below the lowest allowed" },
	{ SSL_R_VERSION_TOO_HIGH, ERR_TLS_PROTOCOL,
	  "no TLS version in common: the peer's is above the highest allowed" },
	{ SSL_R_INAPPROPRIATE_FALLBACK, ERR_TLS_PROTOCOL,
	  "the peer fell back to an older TLS version than both sides have" },
	{ SSL_R_NO_SHARED_CIPHER, ERR_TLS_PROTOCOL,
	  "no cipher in common (or none that fits the certificate's key)" },
	{ SSL_R_WRONG_CIPHER_RETURNED, ERR_TLS_PROTOCOL,
	  "the peer chose a cipher that was not offered" },
	{ SSL_R_UNKNOWN_CIPHER_RETURNED, ERR_TLS_PROTOCOL,
	  "the peer chose a cipher that was not offered" },
	{ SSL_R_NO_SUITABLE_KEY_SHARE, ERR_TLS_PROTOCOL, "no key exchange group in common" },
	{ SSL_R_NO_SUITABLE_GROUPS, ERR_TLS_PROTOCOL, "no key exchange group in common" },
	{ SSL_R_WRONG_CURVE, ERR_TLS_PROTOCOL,
	  "the peer chose a key exchange group that was not offered" },
	{ SSL_R_BAD_KEY_SHARE, ERR_TLS_PROTOCOL, "the peer sent a bad key share" },
	{ SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, ERR_TLS_PROTOCOL,
	  "no signature algorithm in common that fits the certificate's key" },
	{ SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, ERR_TLS_PROTOCOL,
	  "no signature algorithm in common" },
	{ SSL_R_WRONG_SIGNATURE_TYPE, ERR_TLS_PROTOCOL,
	  "the peer signed with an algorithm that was not offered" },
	{ SSL_R_BAD_SIGNATURE, ERR_TLS_PROTOCOL,
	  "the peer's signature does not fit its certificate" },
	{ SSL_R_DIGEST_CHECK_FAILED, ERR_TLS_PROTOCOL,
	  "the peer's Finished message does not fit the handshake: someone changed it on the way" },
	{ SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC, ERR_TLS_PROTOCOL,
	  "a record cannot be decrypted: it was changed on the way, or is not TLS" },
	{ SSL_R_CERTIFICATE_VERIFY_FAILED, ERR_REFUSED, "the peer's certificate was refused" },
	{ SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, ERR_REFUSED, "the peer sent no certificate" },
	{ SSL_R_EXCESSIVE_MESSAGE_SIZE, ERR_TLS_DECODE,
	  "a handshake message is longer than is allowed for its kind" },
	{ SSL_R_UNEXPECTED_MESSAGE, ERR_TLS_PROTOCOL, "a message came out of turn" },
	{ SSL_R_APP_DATA_IN_HANDSHAKE, ERR_TLS_PROTOCOL,
	  "application data came before the handshake was done" },
	{ SSL_R_LENGTH_MISMATCH, ERR_TLS_DECODE, "a length in a handshake message is wrong" },
	{ SSL_R_LENGTH_TOO_SHORT, ERR_TLS_DECODE, "a handshake message is too short" },
	{ SSL_R_LENGTH_TOO_LONG, ERR_TLS_DECODE, "a handshake message is too long" },
	{ SSL_R_BAD_LENGTH, ERR_TLS_DECODE, "a length is wrong" },
	{ SSL_R_BAD_EXTENSION, ERR_TLS_DECODE, "an extension is malformed" },
	{ SSL_R_BAD_PACKET, ERR_TLS_DECODE, "a handshake message is malformed" },
	{ SSL_R_DATA_LENGTH_TOO_LONG, ERR_TLS_DECODE, "a record is too long" },
	{ SSL_R_ENCRYPTED_LENGTH_TOO_LONG, ERR_TLS_DECODE, "a record is too long" },
	{ SSL_R_PACKET_LENGTH_TOO_LONG, ERR_TLS_DECODE, "a record is too long" },
	{ SSL_R_TOO_MANY_WARN_ALERTS, ERR_TLS_PROTOCOL,
	  "the peer sends one warning after another" },
	{ SSL_R_TOO_MANY_KEY_UPDATES, ERR_TLS_PROTOCOL,
	  "the peer changes its keys again and again" },
};

/* How protocols that are not TLS begin: libssl gives up after five bytes. */
static const struct {
	const char *start;
	const char *sentence;
} foreign[] = {
	{ "HTTP/", "the peer answers in plaintext HTTP, not TLS" },
	{ "GET ", "the peer sends a plaintext HTTP request, not TLS" },
	{ "POST ", "the peer sends a plaintext HTTP request, not TLS" },
	{ "HEAD ", "the peer sends a plaintext HTTP request, not TLS" },
	{ "PUT ", "the peer sends a plaintext HTTP request, not TLS" },
	{ "PATCH", "the peer sends a plaintext HTTP request, not TLS" },
	{ "DELET", "the peer sends a plaintext HTTP request, not TLS" },
	{ "OPTIO", "the peer sends a plaintext HTTP request, not TLS" },
	{ "CONNE", "the peer sends a plaintext HTTP request, not TLS" },
	{ "SSH-", "the peer speaks SSH, not TLS" },
	{ "220", "the peer greets in plaintext (SMTP or FTP), not in TLS" },
	{ "* OK", "the peer greets in plaintext (IMAP), not in TLS" },
	{ "+OK", "the peer greets in plaintext (POP3), not in TLS" },
};

static bool is_record_type(uint8_t type)
{
	return type >= 20 && type <= 24;
}

/* True when the peer's first bytes cannot be a TLS record; then e is filled. */
static bool not_tls(const struct tls *t, struct err *e)
{
	struct bytes first = bytes_of(t->first, t->first_n);
	char shown[FIRST_BYTES * 4 + 1];

	for (size_t i = 0; i < ARRAY_LEN(foreign); i++)
		if (bytes_starts(first, bytes_str(foreign[i].start))) {
			(void)FAIL(e, TLS_PROTOCOL, "%s", foreign[i].sentence);
			return true;
		}
	if (first.n == 0 || (is_record_type(first.p[0]) && (first.n < 2 || first.p[1] == 3)))
		return false;
	(void)FAIL(e, TLS_PROTOCOL, "the peer does not speak TLS: it begins with \"%s\"",
		   escape_to(shown, sizeof(shown), first));
	return true;
}

static int fault_reason(unsigned long code, struct err *e)
{
	int reason = ERR_GET_REASON(code);
	const char *text = ERR_reason_error_string(code);

	if (ERR_GET_LIB(code) == ERR_LIB_SSL)
		for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
			if (reasons[i].reason == reason)
				return err_set(e, reasons[i].code, 0, ERR_ORIGIN, "%s",
					       reasons[i].sentence);
	if (reason == ERR_R_MALLOC_FAILURE)
		return FAIL(e, NOMEM, "libssl is out of memory");
	return FAIL(e, TLS_PROTOCOL, "the TLS session failed: %s", text ? text : "no reason given");
}

static int fault_alert(int alert, struct err *e)
{
	return FAIL(e, TLS_ALERT, "the peer sent the alert \"%s\" (%d)",
		    SSL_alert_desc_string_long(alert), alert);
}

/* Empties the queue; of what is in it, libssl's own word says most. 0: it is empty. */
static unsigned long take_code(void)
{
	unsigned long first = ERR_get_error(), code = first;

	while (code && ERR_GET_LIB(code) != ERR_LIB_SSL)
		code = ERR_get_error();
	ERR_clear_error();
	return code ? code : first;
}

int fault_take(const struct tls *t, struct err *e)
{
	unsigned long code = take_code();

	if (t->fault == ERR_LIMIT)
		return FAIL(e, LIMIT, "the buffer of %zu bytes for ciphertext is full",
			    t->out->max);
	if (t->fault != ERR_NONE)
		return FAIL(e, NOMEM, "out of memory in a TLS session");
	if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) >= SSL_AD_REASON_OFFSET)
		return fault_alert(ERR_GET_REASON(code) - SSL_AD_REASON_OFFSET, e);
	if (t->state == TLS_HANDSHAKING && not_tls(t, e))
		return -1;
	if (code == 0)
		return FAIL(e, CLOSED, "the peer ended the TLS session");
	return fault_reason(code, e);
}
