/* How `oriel certs show` and `verify` tell what they found: as text and as JSON. */
#ifndef CMD_CERTS_VIEW_H
#define CMD_CERTS_VIEW_H

#include "pki/material.h"
#include "pki/note.h"
#include "pki/paths.h"

/* Everything borrows. */
struct certs_shown {
	const char *source; /* a file, or HOST:PORT as it was given */
	bool from_host;
	int64_t now_s;
	const struct material *material;
	const struct cert *certs; /* those that can be read, in order */
	size_t count;
	const struct notes *notes;	  /* of each */
	const struct notes *chain;	  /* of all together */
	const struct path_report *report; /* of the first; NULL: there is none */
};

/* Lines for a person, under construction: after a failure nothing more is added. */
struct certs_out {
	struct buf *b;
	struct err *e;
	bool failed;
};
void certs_say(struct certs_out *o, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Each appends all of it, or fails with ERR_LIMIT, ERR_NOMEM. */
int certs_show_text(const struct certs_shown *s, struct buf *out, struct err *e) MUST_CHECK;
int certs_show_json(const struct certs_shown *s, struct buf *out, struct err *e) MUST_CHECK;
int certs_report_text(const struct path_report *r, struct buf *out, struct err *e) MUST_CHECK;
int certs_report_json(const struct path_report *r, struct buf *out, struct err *e) MUST_CHECK;

/* "AB:CD:…" of the bytes, cut off with "..." */
const char *certs_hex(struct bytes b, char *out, size_t size);
/* SHA-256 of a whole certificate as certs_hex has it; of a key as "sha256/BASE64" (RFC 7469). Empty
 * when libcrypto fails. */
#define CERTS_PRINT_MAX 104
const char *certs_fingerprint(const struct cert *c, char out[CERTS_PRINT_MAX]);
const char *certs_pin(const struct cert *c, char out[CERTS_PRINT_MAX]);
/* The path to be told first: the one that libcrypto judged, else the first; NULL without any. */
const struct path *certs_main_path(const struct path_report *r);

#endif
