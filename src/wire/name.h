/* Host names, and the patterns that rules match them with. Text from the network becomes a name
 * here or nowhere: what passes is safe in a path, a log and a certificate. */
#ifndef WIRE_NAME_H
#define WIRE_NAME_H

#include "wire/addr.h"

#define NAME_MAX_BYTES 253

/* Lower case, without the trailing dot, NUL after the last byte. */
struct name {
	char text[NAME_MAX_BYTES + 1];
	size_t n;
};

static inline struct bytes name_bytes(const struct name *name)
{
	return bytes_of(name->text, name->n);
}

/* Letters, digits, hyphen and underscore in labels of 1 to 63 bytes, 253 in all; one trailing dot
 * is removed. A literal address is no name, nor is anything whose last label is a number ("127.1",
 * "0x7f000001"), which resolvers take for one. Fails with ERR_NAME, out untouched. */
int name_parse(struct bytes text, struct name *out, struct err *e) MUST_CHECK;
bool name_equal(const struct name *a, const struct name *b);

/* What a client may ask to be connected with: a name or a literal address. */
enum host_kind { HOST_NONE, HOST_NAME, HOST_ADDR };
struct host {
	enum host_kind kind;
	struct name name; /* HOST_NAME */
	struct addr addr; /* HOST_ADDR; with the port */
	uint16_t port;	  /* 0: none was given */
};
#define HOST_TEXT_MAX (NAME_MAX_BYTES + 8) /* "name:65535" or "[ip6]:65535", and NUL */

/* Fails with ERR_NAME. */
int host_parse(struct bytes text, uint16_t port, struct host *out, struct err *e) MUST_CHECK;
/* "name:port", "1.2.3.4:port", "[ip6]:port". Without a port only where port is not 0: then that is
 * the default, put in. port 0: the port is needed, 1 to 65535. Fails with ERR_NAME. */
int host_parse_authority(struct bytes text, uint16_t port, struct host *out,
			 struct err *e) MUST_CHECK;
const char *host_text(const struct host *h, char out[HOST_TEXT_MAX]); /* with port, if any */

/* "a.example": itself. "*.example": one label or more before it, never "example" itself. "*": all,
 * also no name. */
enum name_pattern_kind { NAME_EXACT, NAME_SUFFIX, NAME_ANY };
struct name_pattern {
	enum name_pattern_kind kind;
	struct name name; /* what is compared; after "*." */
};

/* Fails with ERR_NAME, the sentence says what would be right. */
int name_pattern_parse(struct bytes text, struct name_pattern *out, struct err *e) MUST_CHECK;
/* name NULL: there is none (a ClientHello without server_name, a literal address). */
bool name_match(const struct name_pattern *pattern, const struct name *name);

#endif
