/* What a person asked of `oriel read`. */
#ifndef CMD_READ_OPTIONS_H
#define CMD_READ_OPTIONS_H

#include "flow/expr.h"
#include "keylog/table.h"

/* What stands on standard output. */
enum read_show {
	READ_SHOW_EVENTS,     /* connections and exchanges as they come */
	READ_SHOW_GROUPS,     /* by connection */
	READ_SHOW_WHY,	      /* what stays dark */
	READ_SHOW_HANDSHAKES, /* ladders */
	READ_SHOW_FOLLOW,     /* one flow's plaintext */
	READ_SHOW_CURL,	      /* one exchange */
};

enum read_form { READ_TEXT, READ_JSON, READ_HEX, READ_RAW };

struct rsa_key;

#define READ_KEYS_MAX 64

struct read_options {
	const char *path;
	bool tail;
	unsigned lanes;

	enum read_show show;
	enum read_form form;
	bool verbose, body, redact, colour;
	unsigned width;
	int utc_offset_s;
	const char *filter;		   /* an expression that was found good, or NULL */
	uint64_t flow;			   /* 0: all */
	uint64_t exchange;		   /* with READ_SHOW_CURL: which of that flow */
	bool only_client, only_server;	   /* with READ_SHOW_FOLLOW */
	const char *har, *objects, *plain; /* paths, or NULL */

	struct buf caret; /* what to show below the sentence of a failure */

	/* Filled in by read_secrets. */
	struct keylog_table *known;
	bool secrets_may_come; /* while the capture is read; then there is one lane only */
	struct rsa_key *rsa_keys[READ_KEYS_MAX];
	size_t rsa_key_count;
	struct buf psk;
};

struct args;

/* Fails with ERR_USAGE, ERR_NOMEM; o is to be freed then too. */
int read_options_parse(const struct args *a, struct read_options *o, struct err *e) MUST_CHECK;
struct keylog_sources;
/* Reads the secrets: key logs, those in the capture itself, private keys. What is wrong in a key log
 * is said on standard error. Fails as reading the files does. */
int read_secrets(const struct args *a, struct read_options *o, struct keylog_sources *keylogs,
		 struct err *e) MUST_CHECK;
void read_options_fini(struct read_options *o);

#endif
