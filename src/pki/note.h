/* What is wrong, or soon will be, with a certificate or with the order in which a chain is sent: for
 * a person, with what to do. It judges nothing: that is verify.h and paths.h. */
#ifndef PKI_NOTE_H
#define PKI_NOTE_H

#include "pki/cert.h"

enum note_level {
	NOTE_ERROR,   /* programs refuse it */
	NOTE_WARNING, /* some do, or will soon */
	NOTE_HINT,    /* it could be better */
};

struct note {
	enum note_level level;
	const char *word;   /* "expired" */
	char sentence[300]; /* escaped */
	const char *remedy; /* or "" */
};
#define NOTES_MAX 32
struct notes {
	struct note list[NOTES_MAX];
	size_t count; /* what does not fit is left out */
};

/* Appends. is_leaf: it stands for a server, client or person, not for an issuer of others. */
void cert_notes(const struct cert *c, bool is_leaf, int64_t now_s, struct notes *out);
/* Appends what is wrong with the order and the number of these, leaf first. */
void chain_notes(const struct cert *chain, size_t count, struct notes *out);
void note_add(struct notes *out, enum note_level level, const char *word, const char *remedy,
	      const char *sentence);
/* Errors first; those of one level stay in order. */
void notes_sort(struct notes *n);
const char *note_level_text(enum note_level l); /* "error", "warning", "hint" */

/* "SHA-256 with RSA": of the algorithm that signed it; room for the OID when it is not known. */
const char *signature_text(struct bytes oid, char room[64]);

#endif
