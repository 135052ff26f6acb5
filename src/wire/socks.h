/* The server side of SOCKS5 (RFC 1928) with user name and password (RFC 1929). Each parser looks at
 * everything received so far and not yet used up. */
#ifndef WIRE_SOCKS_H
#define WIRE_SOCKS_H

#include "wire/name.h"

enum socks_outcome { SOCKS_MORE, SOCKS_DONE, SOCKS_BAD };

enum socks_method {
	SOCKS_NO_AUTH = 0x00,
	SOCKS_GSSAPI = 0x01,
	SOCKS_PASSWORD = 0x02,
	SOCKS_NO_METHOD = 0xff, /* in the answer: none of these; then close */
};

struct socks_greeting {
	bool no_auth, password; /* offered */
};

enum socks_command { SOCKS_CONNECT = 1, SOCKS_BIND = 2, SOCKS_UDP_ASSOCIATE = 3 };

enum socks_reply {
	SOCKS_SUCCEEDED = 0,
	SOCKS_FAILURE = 1,
	SOCKS_NOT_ALLOWED = 2,
	SOCKS_NETWORK_UNREACHABLE = 3,
	SOCKS_HOST_UNREACHABLE = 4,
	SOCKS_REFUSED = 5,
	SOCKS_TTL_EXPIRED = 6,
	SOCKS_BAD_COMMAND = 7,
	SOCKS_BAD_ADDRESS = 8,
};

struct socks_request {
	uint8_t command;  /* one of enum socks_command */
	struct host host; /* with port; a name that is none is SOCKS_BAD */
};

struct socks_password { /* borrows */
	struct bytes user, password;
};

/* SOCKS_DONE: *used bytes are used up, out is filled. SOCKS_BAD fills e with ERR_WIRE_DECODE. */
enum socks_outcome socks_greeting_parse(struct bytes in, struct socks_greeting *out, size_t *used,
					struct err *e) MUST_CHECK;
enum socks_outcome socks_password_parse(struct bytes in, struct socks_password *out, size_t *used,
					struct err *e) MUST_CHECK;
/* SOCKS_BAD: *reply says what to answer (a domain that is no name: SOCKS_BAD_ADDRESS; an unknown
 * command: SOCKS_BAD_COMMAND). BIND and UDP_ASSOCIATE are SOCKS_DONE: the caller refuses them. Port
 * 0 is SOCKS_BAD for CONNECT only. */
enum socks_outcome socks_request_parse(struct bytes in, struct socks_request *out, size_t *used,
				       enum socks_reply *reply, struct err *e) MUST_CHECK;

#define SOCKS_METHOD_SIZE 2
#define SOCKS_STATUS_SIZE 2
#define SOCKS_REPLY_MAX 22
void socks_method_write(enum socks_method method, uint8_t out[SOCKS_METHOD_SIZE]);
void socks_password_write(bool accepted, uint8_t out[SOCKS_STATUS_SIZE]);
/* bound may be NULL: 0.0.0.0:0. Returns the number of bytes. */
size_t socks_reply_write(enum socks_reply reply, const struct addr *bound,
			 uint8_t out[SOCKS_REPLY_MAX]);
const char *socks_reply_text(uint8_t reply); /* "host unreachable" */
/* SOCKS4's refusal (91), so that such a client sees more than a closed connection. */
#define SOCKS4_REPLY_SIZE 8
void socks4_refusal_write(uint8_t out[SOCKS4_REPLY_SIZE]);

#endif
