/* The head of the first request to an explicit HTTP/1 proxy (RFC 9110, 9112), read strictly: what
 * two programs might read differently is refused. */
#ifndef WIRE_CONNECT_H
#define WIRE_CONNECT_H

#include "base/buf.h"
#include "wire/name.h"

#define CONNECT_HEAD_MAX (64 * 1024)

enum connect_outcome { CONNECT_MORE, CONNECT_DONE, CONNECT_BAD };

enum connect_form {
	CONNECT_TUNNEL,	  /* CONNECT host:port */
	CONNECT_ABSOLUTE, /* GET http://host[:port]/path: to be proxied */
	CONNECT_ORIGIN,	  /* GET /path: asked of us as a server */
	CONNECT_ASTERISK, /* OPTIONS * */
};

struct connect_head {
	struct bytes raw; /* the head with its empty line: what to step over */
	enum connect_form form;
	struct bytes method;
	struct bytes target;	/* as sent */
	unsigned version_minor; /* of HTTP/1 */
	struct host host;	/* with port; only of CONNECT_TUNNEL and CONNECT_ABSOLUTE */
	struct bytes authority; /* "host[:port]" as sent; of these two forms */
	struct bytes path;   /* with query, of CONNECT_ABSOLUTE: may be empty, or begin with '?' */
	struct bytes fields; /* for connect_field_next; checked */
};

/* Where the search for the head's end stands; all zero at the start. */
struct connect_scan {
	size_t scanned;
	unsigned status; /* after CONNECT_BAD what to answer: 400, 431, 501, 505 */
};

/* in: everything from the request's first byte. Refused: bare CR or LF, control bytes, folded lines,
 * space before a colon, a field name that is no token, a target with spaces or bytes above 0x7e, a
 * fragment or userinfo in it, another scheme than http (an https one is answered 501), a port that
 * is not 1 to 65535, a host that is no name and no address, a head above CONNECT_HEAD_MAX, Host
 * twice or missing in HTTP/1.1, Transfer-Encoding together with Content-Length, several different
 * Content-Lengths. out borrows from in. CONNECT_BAD fills e with ERR_HTTP_DECODE, or ERR_NAME for
 * a host. */
enum connect_outcome connect_run(struct connect_scan *scan, struct bytes in,
				 struct connect_head *out, struct err *e) MUST_CHECK;

struct connect_field {
	struct bytes name, value; /* value without white space around it */
};
bool connect_field_next(struct bytes *fields, struct connect_field *out);
/* The first field of that name, or false. */
bool connect_field_find(const struct connect_head *head, const char *name, struct bytes *value);

struct connect_login {	 /* wiped by the owner */
	struct buf text; /* .secret; user, colon, password */
	struct bytes user, password;
};
enum connect_auth { CONNECT_AUTH_NONE, CONNECT_AUTH_BASIC, CONNECT_AUTH_BAD };
/* Proxy-Authorization: Basic (RFC 7617). CONNECT_AUTH_BAD: there is one, but another scheme, not
 * base64, without a colon, or twice. With ..._BASIC only, out is filled (connect_login_fini). */
enum connect_auth connect_auth_parse(const struct connect_head *head,
				     struct connect_login *out) MUST_CHECK;
void connect_login_fini(struct connect_login *login);

/* The head as an origin server wants it: origin-form, Host made from the target (RFC 9112, 3.2.2),
 * without fields for proxies (Proxy-Authorization, Proxy-Connection, Proxy-Authenticate), and with
 * Connection: close, since the next request may be for somebody else; only an Upgrade that the
 * Connection field names keeps it. All else stays as it was. For CONNECT_ABSOLUTE. Fails with
 * ERR_LIMIT, ERR_NOMEM; out is then unchanged. */
int connect_forward_write(const struct connect_head *head, struct buf *out,
			  struct err *e) MUST_CHECK;

/* "HTTP/1.1 200 Connection established" and an empty line. */
int connect_established_write(struct buf *out, struct err *e) MUST_CHECK;
struct connect_status {
	unsigned status;
	struct bytes reason;	  /* one sentence; escaped here for field and body */
	const char *authenticate; /* value of Proxy-Authenticate, or NULL */
};
/* An error answer as text/plain with Content-Length, Connection: close and X-Oriel-Reason. */
int connect_status_write(const struct connect_status *s, struct buf *out, struct err *e) MUST_CHECK;
const char *connect_status_text(unsigned status); /* "Bad Gateway"; "Error" for others */

#endif
