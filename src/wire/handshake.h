/* TLS handshake messages (RFC 8446, 4): types and framing. */
#ifndef WIRE_HANDSHAKE_H
#define WIRE_HANDSHAKE_H

#include "base/err.h"
#include "wire/alert.h"

enum handshake_type {
	HANDSHAKE_HELLO_REQUEST = 0,
	HANDSHAKE_CLIENT_HELLO = 1,
	HANDSHAKE_SERVER_HELLO = 2,
	HANDSHAKE_HELLO_VERIFY_REQUEST = 3,
	HANDSHAKE_NEW_SESSION_TICKET = 4,
	HANDSHAKE_END_OF_EARLY_DATA = 5,
	HANDSHAKE_ENCRYPTED_EXTENSIONS = 8,
	HANDSHAKE_CERTIFICATE = 11,
	HANDSHAKE_SERVER_KEY_EXCHANGE = 12,
	HANDSHAKE_CERTIFICATE_REQUEST = 13,
	HANDSHAKE_SERVER_HELLO_DONE = 14,
	HANDSHAKE_CERTIFICATE_VERIFY = 15,
	HANDSHAKE_CLIENT_KEY_EXCHANGE = 16,
	HANDSHAKE_FINISHED = 20,
	HANDSHAKE_CERTIFICATE_URL = 21,
	HANDSHAKE_CERTIFICATE_STATUS = 22,
	HANDSHAKE_SUPPLEMENTAL_DATA = 23,
	HANDSHAKE_KEY_UPDATE = 24,
	HANDSHAKE_COMPRESSED_CERTIFICATE = 25,
	HANDSHAKE_NEXT_PROTOCOL = 67,
	HANDSHAKE_MESSAGE_HASH = 254,
};

#define HANDSHAKE_HEADER_SIZE 4

struct handshake {
	uint8_t type;
	struct bytes body;
	struct bytes raw; /* header and body: what is hashed, and what to step over */
};

enum handshake_outcome { HANDSHAKE_MORE, HANDSHAKE_DONE, HANDSHAKE_TOO_LONG };

/* The first message in in, which are bodies of handshake records joined. HANDSHAKE_TOO_LONG: its
 * header says more than max bytes, header included. Filled with HANDSHAKE_DONE only, out borrows. */
enum handshake_outcome handshake_next(struct bytes in, size_t max,
				      struct handshake *out) MUST_CHECK;
const char *handshake_type_name(uint8_t type); /* "client_hello"; "unknown" */

#endif
