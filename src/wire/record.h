/* TLS records (RFC 8446, 5; RFC 5246, 6.2): their header and its limits. */
#ifndef WIRE_RECORD_H
#define WIRE_RECORD_H

#include "base/err.h"
#include "wire/alert.h"

enum record_type {
	RECORD_CHANGE_CIPHER_SPEC = 20,
	RECORD_ALERT = 21,
	RECORD_HANDSHAKE = 22,
	RECORD_APPLICATION_DATA = 23,
	RECORD_HEARTBEAT = 24,
};

#define RECORD_HEADER_SIZE 5
#define RECORD_PLAIN_MAX 16384		    /* RFC 8446, 5.1 */
#define RECORD_CIPHER_MAX (16384 + 256)	    /* RFC 8446, 5.2 */
#define RECORD_CIPHER_MAX_12 (16384 + 2048) /* RFC 5246, 6.2.3 */

struct record {
	uint8_t type;
	uint16_t version; /* as on the wire; says nothing in TLS 1.3 */
	struct bytes body;
	struct bytes raw; /* header and body: what to step over */
};

enum record_outcome { RECORD_MORE, RECORD_DONE, RECORD_NOT_TLS, RECORD_BAD };

/* The first record in in, whose body may have at most max bytes (one of the limits above). Judges
 * the header as soon as it can: with fewer than five bytes too. RECORD_NOT_TLS: an unknown type or
 * a major version that is not 3. RECORD_BAD: too long (record_overflow), or without content where
 * that is forbidden (unexpected_message). These two fill e with ERR_TLS_DECODE; *alert (may be
 * NULL) is set with RECORD_BAD. out borrows from in and is filled with RECORD_DONE only. */
enum record_outcome record_next(struct bytes in, size_t max, struct record *out, enum alert *alert,
				struct err *e) MUST_CHECK;
const char *record_type_name(uint8_t type); /* "handshake"; "unknown" */

#endif
