/* The keys of a manifest as a table, and what each does to an entry. */
#ifndef CMD_CERTS_KEYS_H
#define CMD_CERTS_KEYS_H

#include "cmd/certs_manifest.h"

struct certs_reader {
	struct certs_manifest *m;
	const struct config_node *documents; /* all of them, for what may be said about others */
	const struct config_node *defaults;  /* NULL: none yet */
	struct certs_entry *entry;
	struct err *e;
};

/* All keys of the mapping are known, and none is there twice. With defaults set also those that belong
 * to one certificate are refused. Fails with ERR_CONFIG. */
int certs_keys_check(const struct certs_reader *r, const struct config_node *map,
		     bool defaults) MUST_CHECK;
/* Reads them into the entry; the reader's defaults where the mapping says nothing. Fails with ERR_CONFIG,
 * ERR_NOMEM. */
int certs_keys_read(struct certs_reader *r, const struct config_node *map) MUST_CHECK;
/* The value of a key in any case, of the mapping or of one merged into it (<<); NULL: it is not there. */
const struct config_node *certs_keys_find(const struct config_node *map, const char *name);
/* Names the entry's files. Fails with ERR_CONFIG when they would leave the folder. */
int certs_filename_set(struct certs_reader *r, const struct config_at *at,
		       const char *name) MUST_CHECK;
int certs_no_memory(const struct certs_reader *r); /* fails with ERR_NOMEM */

#endif
