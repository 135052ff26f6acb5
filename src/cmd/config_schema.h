/* The keys of oriel.yaml as tables. Parsing, "did you mean", the printer and doc/oriel.yaml.md all
 * read the same rows: a new key is a new row. */
#ifndef CMD_CONFIG_SCHEMA_H
#define CMD_CONFIG_SCHEMA_H

#include "cmd/config_tree.h"

enum config_kind {
	CONFIG_KIND_BOOL,
	CONFIG_KIND_NUMBER,
	CONFIG_KIND_SIZE,     /* bytes */
	CONFIG_KIND_DURATION, /* nanoseconds */
	CONFIG_KIND_CHOICE,
	CONFIG_KIND_TEXT,    /* const char *; no control characters */
	CONFIG_KIND_PATH,    /* const char * */
	CONFIG_KIND_ASSET,   /* int */
	CONFIG_KIND_ASSETS,  /* struct config_assets */
	CONFIG_KIND_ADDR,    /* struct addr */
	CONFIG_KIND_RANGES,  /* struct config_ranges */
	CONFIG_KIND_TARGETS, /* struct config_patterns */
	CONFIG_KIND_NAMES,   /* struct config_patterns, of an sni list */
	CONFIG_KIND_ALLOW,   /* struct config_allow */
	CONFIG_KIND_HEADERS, /* struct config_header *, count */
	CONFIG_KIND_HOSTS,   /* struct host_entry *, count */
	CONFIG_KIND_SOCKET,  /* struct config_admin */
	CONFIG_KIND_PROXY,   /* struct config_upstream_proxy */
	CONFIG_KIND_MAP,     /* a schema's object inside the object */
	CONFIG_KIND_LIST,    /* of a schema's objects: pointer, count */
	CONFIG_KIND_COUNT
};

struct config_choice {
	const char *name; /* NULL ends the list */
	unsigned value;
};

struct config_reader;

struct config_key {
	const char *name;
	enum config_kind kind;
	size_t offset, size; /* of the field in the object */
	uint64_t min, max;   /* NUMBER, SIZE, DURATION; LIST: entries, max 0: any */
	const struct config_choice *choices;
	enum config_asset_kind asset;
	const struct config_schema *of; /* MAP, LIST */
	bool needed;			/* has to be written */
	bool first;			/* is read before the others, which inherit from it */
	/* Whether the key means something in this object, and where it does ("with do: bump"). */
	bool (*applies)(const void *object);
	const char *where;
	const char *help; /* one sentence, no full stop, Markdown */
};

struct config_schema {
	const char *title;	       /* "listeners[]" */
	const char *help;	       /* a sentence or two, with full stops */
	const struct config_key *keys; /* ends with a row without a name */
	const void *
		defaults; /* an object as it is before anything is read; NULL: as it is in its owner's */
	size_t size;	  /* of an object */
	/* The key that a bare text in place of the mapping is the value of; NULL: there is none. */
	const char *(*bare)(struct bytes text);
	/* Whether there is something to print. NULL: always. */
	bool (*present)(const void *object);
	/* Before the keys are read, and after. NULL: nothing to do. */
	void (*begin)(struct config_reader *r, const struct config_node *n, void *object);
	int (*check)(struct config_reader *r, const struct config_node *n, const void *object,
		     struct err *e);
};

/* The whole file: struct proxy_config. */
extern const struct config_schema config_schema_root;

/* What a value of the key has to be: "a number from 1 to 65535". Returns out. */
#define CONFIG_EXPECTS_MAX 200
const char *config_key_expects(const struct config_key *k, char out[CONFIG_EXPECTS_MAX]);
const struct config_key *config_key_find(const struct config_schema *s, struct bytes name);

/* Numbers, sizes, durations, choices and booleans are kept in fields of 1, 2, 4 or 8 bytes. */
uint64_t config_field_number(const struct config_key *k, const void *field);
void config_field_set_number(const struct config_key *k, void *field, uint64_t value);

/* What all lists look like in memory. */
struct config_any_list {
	const void *list;
	size_t count;
};
struct config_any_list config_field_list(const void *field);
void config_field_set_list(void *field, const void *list, size_t count);

/* Reading. */
struct config_reader {
	struct proxy_config *config;
	struct config_asset *assets; /* config->assets while it grows; room for CONFIG_ASSETS_MAX */
};

/* One value into its field. */
int config_value_read(struct config_reader *r, const struct config_key *k,
		      const struct config_node *n, void *field, struct err *e) MUST_CHECK;
/* "KEY: expected ..., found ...". Yields -1. */
int config_value_refuse(const struct config_key *k, const struct config_node *n, struct err *e);
int config_map_read(struct config_reader *r, const struct config_schema *s,
		    const struct config_node *n, void *object, struct err *e) MUST_CHECK;
int config_list_read(struct config_reader *r, const struct config_key *k,
		     const struct config_node *n, void *field, struct err *e) MUST_CHECK;
int config_no_memory(struct err *e); /* fills e, yields -1 */

/* Checks across keys, called by the tables. */
int config_check_root(struct config_reader *r, const struct config_node *n, const void *object,
		      struct err *e);
int config_check_listener(struct config_reader *r, const struct config_node *n, const void *object,
			  struct err *e);
int config_check_admin(struct config_reader *r, const struct config_node *n, const void *object,
		       struct err *e);
int config_check_upstream_proxy(struct config_reader *r, const struct config_node *n,
				const void *object, struct err *e);

/* Printing. */
struct config_printer {
	struct buf *out;
	const struct proxy_config *config;
	unsigned indent;
};
/* Whether there is a value to print: optional ones may not be there. */
bool config_value_is_set(const struct config_key *k, const void *field);
/* The value as YAML behind "key: ", without the end of the line. Not MAP and LIST. */
int config_value_print(struct config_printer *p, const struct config_key *k, const void *field,
		       struct err *e) MUST_CHECK;

#endif
