/* Fingerprints of a ClientHello: JA3 (Salesforce, 2017) and JA4 (FoxIO, 2023; that of TLS clients
 * is under the BSD licence). wire has no hashes: the caller brings SHA-256. */
#ifndef WIRE_JA_H
#define WIRE_JA_H

#include "base/buf.h"
#include "wire/client_hello.h"

/* Code points in one list; a hello with more has no fingerprint. */
#define JA_CODES_MAX 1024
#define JA4_TEXT_MAX 37 /* "t13d1516h2_8daaf6152771_e5627efa2ab1" and NUL */

/* The text whose MD5 is the JA3: "771,4865-4866,0-23-65281,29-23-24,0". Appended to out. Fails with
 * ERR_LIMIT, ERR_NOMEM. */
int ja3_write(const struct client_hello *hello, struct buf *out, struct err *e) MUST_CHECK;

/* Hashes one text. 0 or -1 with e filled. */
typedef int ja_sha256_fn(struct bytes text, uint8_t out[32], struct err *e);

/* transport: 't' for TLS over TCP, 'q' for QUIC, 'd' for DTLS. Makes no allocation. Fails with
 * ERR_LIMIT and with what sha256 fails with. */
int ja4_write(const struct client_hello *hello, char transport, ja_sha256_fn *sha256,
	      char out[JA4_TEXT_MAX], struct err *e) MUST_CHECK;
/* The raw form (JA4_r): the sorted lists themselves. Appended to out. */
int ja4_write_raw(const struct client_hello *hello, char transport, struct buf *out,
		  struct err *e) MUST_CHECK;

#endif
