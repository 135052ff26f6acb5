/* The extensions that we write (RFC 5280, 4.2), as a table: issuing and comparing read the same
 * rows. */
#ifndef CA_EXTENSION_H
#define CA_EXTENSION_H

#include "ca/profile.h"

/* The identifiers of the keys: contents; aki may be empty. */
struct ca_key_ids {
	struct bytes ski, aki;
};

struct ca_extension {
	const char *word; /* as manifests and people call it */
	struct bytes oid; /* content */
	bool of_the_keys; /* follows from the keys, not from the profile */
	bool critical;	  /* always; subjectAltName when the subject is empty */
};
/* In the order of the certificate; ends with a row without a word. */
extern const struct ca_extension ca_extensions[];

/* Appends the value of the row's extension, or nothing when the certificate has none. Fails with
 * ERR_LIMIT, ERR_NOMEM. */
int ca_extension_value(const struct ca_extension *x, const struct profile *p,
		       const struct ca_key_ids *ids, struct buf *out, struct err *e) MUST_CHECK;
bool ca_extension_is_critical(const struct ca_extension *x, const struct profile *p);

/* The first two fields in which a certificate says something else than the profile: words of
 * `have` and `want` for people ("DNS:a.example"), escaped. Key usages that are the profile's but
 * for keyEncipherment are the same when lenient is set. */
struct ca_difference {
	const char *word; /* "sans"; static */
	char have[240], want[240];
};
#define CA_DIFFERENCES_MAX 16
struct ca_differences {
	struct ca_difference list[CA_DIFFERENCES_MAX];
	size_t count;
};
/* Compares the extensions that follow from the profile. Fails with ERR_LIMIT, ERR_NOMEM. */
int ca_extensions_compare(const struct profile *p, const struct cert *have, bool lenient,
			  struct ca_differences *out, struct err *e) MUST_CHECK;
/* A row of the list, to be filled; NULL when it is full. */
struct ca_difference *ca_differences_add(struct ca_differences *d, const char *word);

#endif
