/* Lines of an SSLKEYLOGFILE (RFC 9850): label, client random, secret; and the older labels that
 * tools still write or read. Also linked into the preload library. */
#ifndef KEYLOG_LINE_H
#define KEYLOG_LINE_H

#include "base/err.h"

enum keylog_label {
	KEYLOG_NONE,
	KEYLOG_CLIENT_RANDOM, /* TLS 1.2 and before: the master secret, 48 bytes */
	KEYLOG_CLIENT_EARLY_TRAFFIC_SECRET,
	KEYLOG_EARLY_EXPORTER_SECRET,
	KEYLOG_CLIENT_HANDSHAKE_TRAFFIC_SECRET,
	KEYLOG_SERVER_HANDSHAKE_TRAFFIC_SECRET,
	KEYLOG_CLIENT_TRAFFIC_SECRET, /* generation 0, and later ones after a KeyUpdate */
	KEYLOG_SERVER_TRAFFIC_SECRET,
	KEYLOG_EXPORTER_SECRET,
	KEYLOG_ECH_SECRET,
	KEYLOG_ECH_CONFIG, /* bytes of an ECHConfig, no secret */
	KEYLOG_RSA,	   /* key: 8 bytes of the encrypted pre-master secret; secret: the latter */
	KEYLOG_RSA_SESSION_ID,	  /* key: session id; secret: the master secret */
	KEYLOG_PMS_CLIENT_RANDOM, /* key: client random; secret: the pre-master secret */
	KEYLOG_LABEL_COUNT
};

#define KEYLOG_KEY_MAX 32
#define KEYLOG_SECRET_MAX 2048 /* an ECHConfig is the longest by far */
/* Generation of a traffic secret whose label ends in the letter N: the next one, in order. */
#define KEYLOG_NEXT UINT32_MAX
#define KEYLOG_LINE_MAX (40 + 2 * (KEYLOG_KEY_MAX + KEYLOG_SECRET_MAX) + 16)

struct keylog_line {
	enum keylog_label label;
	uint32_t generation; /* of traffic secrets; 0 for all others */
	uint8_t key[KEYLOG_KEY_MAX];
	size_t key_n;
	uint8_t secret[KEYLOG_SECRET_MAX];
	size_t secret_n;
};

enum keylog_outcome {
	KEYLOG_LINE,  /* out is filled */
	KEYLOG_EMPTY, /* a comment or nothing */
	KEYLOG_OTHER, /* a label nobody here knows; skipped, as RFC 9850, 2 wants */
	KEYLOG_BAD,   /* e says why (ERR_WIRE_DECODE), never with the secret in it */
};

/* One line without or with its line end (LF, CRLF). Hexadecimal digits of either case. */
enum keylog_outcome keylog_line_parse(struct bytes text, struct keylog_line *out,
				      struct err *e) MUST_CHECK;
void keylog_line_wipe(struct keylog_line *line); /* for AUTO(keylog_line_wipe) */

/* The line with its newline into out of size bytes; *n is how many (no NUL). secret is not longer
 * than KEYLOG_SECRET_MAX. Fails with ERR_LIMIT. */
struct keylog_entry {
	enum keylog_label label;
	uint32_t generation;
	struct bytes key, secret; /* borrowed */
};
int keylog_line_write(const struct keylog_entry *entry, char *out, size_t size, size_t *n,
		      struct err *e) MUST_CHECK;
/* As the line has it: "CLIENT_TRAFFIC_SECRET_0"; for generation 0. */
const char *keylog_label_name(enum keylog_label label);
/* The label, as text, at the front of a line that was made elsewhere (for events); may be empty. */
struct bytes keylog_line_label(struct bytes line);

#endif
