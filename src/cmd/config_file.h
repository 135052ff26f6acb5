/* oriel.yaml: text to configuration and back. Pure: no file is opened, neither the one that the
 * text came from nor those that it names (proxy_config.assets), so that the sandboxed worker can
 * parse what its supervisor has read. */
#ifndef CMD_CONFIG_FILE_H
#define CMD_CONFIG_FILE_H

#include "base/buf.h"
#include "proxy/config.h"

#define CONFIG_FILE_MAX (1u << 20)

/* A value from the command line in place of the file's, before anything is checked. */
struct config_override {
	const char *path;   /* "observe.keylog.path", "listeners.0.bind": positions from 0, what is
			     * missing on the way is made */
	struct bytes value; /* text as it is */
	bool yaml;	    /* value is YAML: a list, a mapping */
	const char *origin; /* complaints begin with it: "--listen" */
};

struct config_file {
	const char *name; /* how complaints call it: "oriel.yaml" */
	struct bytes
		text; /* empty: no file, only defaults; p != NULL and n == 0 is an empty file */
	const struct config_override *overrides;
	size_t override_count;
};

/* On success the caller owns *out (count 1). Fails with ERR_CONFIG and the sentence
 * `NAME:LINE:COLUMN: what, and what would be right`, with ERR_LIMIT never, with ERR_NOMEM. */
int config_file_parse(const struct config_file *file, struct proxy_config **out,
		      struct err *e) MUST_CHECK;

/* Appends the whole effective configuration as YAML, defaults written down. Parsing it again
 * yields the same. Fails with ERR_LIMIT, ERR_NOMEM. */
int config_file_print(const struct proxy_config *c, struct buf *out, struct err *e) MUST_CHECK;

/* The reference of all keys as Markdown: doc/oriel.yaml.md. */
int config_file_document(struct buf *out, struct err *e) MUST_CHECK;

#endif
