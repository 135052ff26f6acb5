/* What key logs say, by what they say it for: client random, session id, or the first bytes of an
 * encrypted pre-master secret. Every different line is kept, conflicting ones too, in the order in
 * which they came: whoever decrypts tries them all. Bounded in memory. */
#ifndef KEYLOG_TABLE_H
#define KEYLOG_TABLE_H

#include "keylog/line.h"

struct keylog_table;

/* One secret; the same entry stays at the same place as long as the table lives. */
struct keylog_secret {
	const struct keylog_secret *next; /* of the same key, in the order of the lines */
	enum keylog_label label;
	/* Of traffic secrets; 0 for all others. A line with the letter N has the number after the
	 * highest one that came before it with its label and key: the first is 1. */
	uint32_t generation;
	uint16_t secret_n;
	uint16_t key_n;
	uint64_t line; /* from 1, over everything that was fed: where a person finds it */
	const uint8_t *key;
	const uint8_t *secret;
};

/* max_bytes of memory; lines beyond are counted as dropped. Fails with ERR_NOMEM. */
int keylog_table_new(size_t max_bytes, struct keylog_table **out, struct err *e) MUST_CHECK;
void keylog_table_free(struct keylog_table *t); /* wipes all secrets */
/* Text of a key log, cut anywhere: lines may be continued by the next call. Garbage is counted and
 * stepped over, whatever its length; of a line with two values, what follows them is nobody's. Fails
 * with ERR_NOMEM only; what was taken before that stays. */
int keylog_table_feed(struct keylog_table *t, struct bytes text, struct err *e) MUST_CHECK;
/* The text is over (more may follow: another file). The last line may have had no line end. */
int keylog_table_end(struct keylog_table *t, struct err *e) MUST_CHECK;
/* One line that was parsed elsewhere. Fails with ERR_NOMEM, the table unchanged but for its counts. */
int keylog_table_add(struct keylog_table *t, const struct keylog_line *line,
		     struct err *e) MUST_CHECK;
/* The first secret whose key this is (client random, session id …), or NULL; then ->next. */
const struct keylog_secret *keylog_table_find(const struct keylog_table *t, struct bytes key);
/* All secrets, in the order of their lines: NULL gives the first. */
const struct keylog_secret *keylog_table_walk(const struct keylog_table *t,
					      const struct keylog_secret *after);
/* The secrets of one label, the last one first: NULL gives that. */
const struct keylog_secret *keylog_table_newest(const struct keylog_table *t,
						enum keylog_label label,
						const struct keylog_secret *before);
size_t keylog_table_count(const struct keylog_table *t, enum keylog_label label);

struct keylog_stats {
	uint64_t lines;	    /* all but comments and empty ones */
	uint64_t secrets;   /* kept */
	uint64_t repeated;  /* known already */
	uint64_t other;	    /* labels of other protocols */
	uint64_t bad;	    /* not lines of a key log */
	uint64_t first_bad; /* number of the first bad line; 0: none */
	uint64_t dropped;   /* there was no room */
};
void keylog_table_stats(const struct keylog_table *t, struct keylog_stats *out);

#endif
