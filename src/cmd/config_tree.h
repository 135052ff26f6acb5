/* YAML text as a tree of nodes, each of which knows where it stands. Only what a configuration
 * needs: one document of mappings, lists and text; no anchors, aliases or tags. */
#ifndef CMD_CONFIG_TREE_H
#define CMD_CONFIG_TREE_H

#include "base/arena.h"
#include "cmd/config_file.h"

/* Where a complaint points to. */
struct config_at {
	const char *name; /* of the file, or of the option that overrides it */
	unsigned line;	  /* from 1; 0: there are no lines */
	unsigned column;  /* from 1, in characters */
};

enum config_node_kind { CONFIG_NODE_TEXT, CONFIG_NODE_LIST, CONFIG_NODE_MAP };

struct config_node {
	enum config_node_kind kind;
	struct config_at at;
	struct bytes text;		  /* TEXT; a NUL follows */
	bool plain;			  /* TEXT written without quotes */
	struct config_node *first, *last; /* LIST: the entries, MAP: the values */
	size_t count;
	struct config_node *next;
	struct config_node *key; /* of a value in a MAP: its key, a TEXT */
};

/* Fills e with ERR_CONFIG and "NAME:LINE:COLUMN: sentence", and yields -1. */
#define CONFIG_FAIL(at, e, ...) err_minus_one(config_fail((at), (e), ERR_ORIGIN, __VA_ARGS__))
int config_fail(const struct config_at *at, struct err *e, const char *origin, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* Nodes live in a. name must live as long. *root is never NULL. Fails with ERR_CONFIG, ERR_NOMEM. */
int config_tree_parse(struct arena *a, const char *name, struct bytes text,
		      struct config_node **root, struct err *e) MUST_CHECK;
#define CONFIG_DOCUMENTS_MAX ((size_t)64 << 20)
/* The same for a file of many documents, of at most CONFIG_DOCUMENTS_MAX bytes: *root is a list of their roots, without
 * those that are empty. Anchors, aliases to finished values and the tags of YAML's own types are
 * understood within a document; an alias shares its children with what it stands for. */
int config_tree_parse_documents(struct arena *a, const char *name, struct bytes text,
				struct config_node **root, struct err *e) MUST_CHECK;
/* Puts the override's value into the tree. Fails with ERR_CONFIG, ERR_NOMEM. */
int config_tree_override(struct arena *a, struct config_node *root, const struct config_override *o,
			 struct err *e) MUST_CHECK;
/* The value of a key, or NULL. */
struct config_node *config_node_find(const struct config_node *map, const char *key);
/* At the end of a list, or with a key of a map. */
void config_node_add(struct config_node *parent, struct config_node *key,
		     struct config_node *value);

/* "a list", "nothing" or the text, in quotes and escaped. Returns out. */
#define CONFIG_FOUND_MAX 80
const char *config_node_text(const struct config_node *n, char out[CONFIG_FOUND_MAX]);
bool config_node_is_nothing(const struct config_node *n); /* "key:" with no value, ~ or null */

#endif
