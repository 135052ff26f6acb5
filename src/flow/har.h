/* HTTP Archive (HAR 1.2), written as exchanges come. The file is valid JSON after every write: what
 * an entry adds replaces the file's fixed tail and ends with it again. */
#ifndef FLOW_HAR_H
#define FLOW_HAR_H

#include "base/buf.h"
#include "flow/exchange.h"

struct har_options {
	const char *version; /* oriel's */
	bool mask;	     /* as mask.h says; bodies are then left out */
	size_t body_max;     /* bytes of a decoded body; 0: 1 MiB */
};

struct har {
	struct har_options options;
	uint64_t first; /* where in the file the first entry begins */
	uint64_t at;	/* where the tail begins; set it back when an entry could not be written */
	uint64_t entries;
};

/* The beginning of a file, to be written at its start. */
int har_begin(struct har *h, const struct har_options *o, struct buf *out,
	      struct err *e) MUST_CHECK;
/* The same in two steps, for exchanges that are rendered elsewhere than the file is written:
 * har_render appends the entry alone; har_add appends to out what is to be written for it, as
 * har_entry does. Fail as har_entry. */
int har_render(const struct har_options *o, struct buf *out, const struct flow_info *f,
	       const struct exchange *x, struct err *e) MUST_CHECK;
int har_add(struct har *h, struct buf *out, struct bytes entry, struct err *e) MUST_CHECK;
/* Appends to out what is to be written, in one pwrite(2), at the offset that h->at had *before*
 * the call. On failure (ERR_LIMIT, ERR_NOMEM) h and out are as they were. */
int har_entry(struct har *h, struct buf *out, const struct flow_info *f, const struct exchange *x,
	      struct err *e) MUST_CHECK;

#endif
