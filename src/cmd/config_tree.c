#include "cmd/config_tree.h"

#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "base/escape.h"

enum {
	DEPTH_MAX = 12,	     /* the deepest place that means something is seven */
	ENTRIES_MAX = 10000, /* of one list or mapping */
	NODES_MAX = 100000,
	STEP_MAX = 64, /* one step of an override's path */
};

/* A document being built from events. */
struct builder {
	struct arena *arena;
	const char *name;
	struct bytes text;
	struct config_node *open[DEPTH_MAX]; /* the lists and mappings around what comes next */
	struct config_node *key[DEPTH_MAX];  /* of each mapping: the key that waits for its value */
	size_t depth;
	size_t nodes;
	struct config_node *root;
	struct config_node *documents; /* their list; NULL: one document is all that may come */
	struct anchor *anchors;	       /* of this document */
};

/* &name; known as soon as its value is whole. */
struct anchor {
	const char *name;
	const struct config_node *node;
	struct anchor *next;
	bool open; /* its value is not whole yet */
};

int config_fail(const struct config_at *at, struct err *e, const char *origin, const char *fmt, ...)
{
	char sentence[sizeof(e->sentence)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	if (at->line == 0)
		return err_set(e, ERR_CONFIG, 0, origin, "%s: %s", at->name, sentence);
	return err_set(e, ERR_CONFIG, 0, origin, "%s:%u:%u: %s", at->name, at->line, at->column,
		       sentence);
}

static struct config_at at_mark(const struct builder *b, const yaml_mark_t *m)
{
	return (struct config_at){ b->name, (unsigned)m->line + 1, (unsigned)m->column + 1 };
}

/* Where byte number offset stands. */
static struct config_at at_offset(const struct builder *b, size_t offset)
{
	struct config_at at = { b->name, 1, 1 };

	for (size_t i = 0; i < offset && i < b->text.n; i++) {
		uint8_t c = b->text.p[i];

		if (c == '\n') {
			at.line++;
			at.column = 1;
		} else if ((c & 0xc0) != 0x80) {
			at.column++;
		}
	}
	return at;
}

/* What libyaml says, and what helps. Where it complains of an alias, somebody wrote a pattern. */
static const struct {
	const char *context, *problem; /* NULL: whatever it is */
	const char *sentence;
} remedies[] = {
	{ "while scanning an alias", NULL,
	  "text that begins with * needs quotes, such as \"*.example.com\"" },
	{ "while scanning an anchor", NULL, "text that begins with & needs quotes" },
	{ NULL, "mapping values are not allowed in this context",
	  "\": \" where no key can be; text that holds it needs quotes, and keys of one mapping "
	  "the same indentation" },
	{ NULL, "could not find expected ':'", "a key needs \": \" and a value behind it" },
	{ NULL, "did not find expected key",
	  "expected a key; the indentation does not fit the lines above" },
	{ NULL, "did not find expected '-' indicator",
	  "expected \"- \"; the indentation does not fit the list above" },
	{ NULL, "did not find expected ',' or ']'",
	  "a list [ ... ] is not closed, or lacks a comma" },
	{ NULL, "did not find expected ',' or '}'",
	  "a mapping { ... } is not closed, or lacks a comma" },
	{ NULL, "found character that cannot start any token",
	  "text that begins with @, ` or % needs quotes" },
	{ NULL, "found unexpected end of stream", "text in quotes is not closed" },
	{ NULL, "found unexpected document indicator", "text in quotes is not closed" },
	{ NULL, "found unknown escape character",
	  "unknown escape after a backslash; single quotes leave backslashes alone" },
	{ NULL, "control characters are not allowed", "a control character; only text is allowed" },
};

static bool same_text(const char *wanted, const char *found)
{
	return !wanted || (found && strcmp(wanted, found) == 0);
}

/* NULL: there is none. Where the context decides, the complaint points to its beginning. */
static const char *remedy(const struct builder *b, const yaml_parser_t *y, struct config_at *at)
{
	for (size_t i = 0; i < ARRAY_LEN(remedies); i++) {
		if (!same_text(remedies[i].context, y->context) ||
		    !same_text(remedies[i].problem, y->problem))
			continue;
		if (remedies[i].context)
			*at = at_mark(b, &y->context_mark);
		return remedies[i].sentence;
	}
	return NULL;
}

/* The place of a tab in the indentation of a line (from 1), if there is one. */
static bool find_tab(const struct builder *b, unsigned line, struct config_at *at)
{
	struct bytes rest = b->text;

	for (unsigned i = 1; i < line; i++)
		rest = bytes_slice(rest, bytes_index(rest, '\n') + 1, rest.n);
	for (size_t i = 0; i < rest.n && (rest.p[i] == ' ' || rest.p[i] == '\t'); i++) {
		if (rest.p[i] != '\t')
			continue;
		*at = (struct config_at){ b->name, line, (unsigned)i + 1 };
		return true;
	}
	return false;
}

static int refuse_yaml(const struct builder *b, const yaml_parser_t *y, struct err *e)
{
	const char *help, *problem = y->problem ? y->problem : "it cannot be read";
	struct config_at at = at_mark(b, &y->problem_mark);
	struct config_at end = at_offset(b, b->text.n), tab;

	/* A last line without an end has one for libyaml. */
	if (at.line > end.line)
		at = end;
	help = remedy(b, y, &at);
	if (y->error == YAML_MEMORY_ERROR)
		return FAIL(e, NOMEM, "%s: out of memory", b->name);
	if (y->error == YAML_READER_ERROR) {
		at = at_offset(b, y->problem_offset);
		if (!help)
			help = "not UTF-8";
	}
	if (find_tab(b, at.line, &tab))
		return CONFIG_FAIL(&tab, e, "a tab; YAML is indented with spaces only");
	if (help)
		return CONFIG_FAIL(&at, e, "%s", help);
	return CONFIG_FAIL(&at, e, "not YAML: %s", problem);
}

static int new_node(struct builder *b, enum config_node_kind kind, const yaml_event_t *event,
		    struct config_node **out, struct err *e)
{
	struct config_at at = at_mark(b, &event->start_mark);
	struct config_node *n;

	if (++b->nodes > NODES_MAX && !b->documents)
		return CONFIG_FAIL(&at, e, "more than %d values", NODES_MAX);
	n = arena_new(b->arena, 1, sizeof(*n));
	if (!n)
		return FAIL(e, NOMEM, "%s: out of memory", b->name);
	n->kind = kind;
	n->at = at;
	*out = n;
	return 0;
}

void config_node_add(struct config_node *parent, struct config_node *key, struct config_node *value)
{
	value->key = key;
	if (parent->last)
		parent->last->next = value;
	else
		parent->first = value;
	parent->last = value;
	parent->count++;
}

/* The node goes where it was written. */
static int place(struct builder *b, struct config_node *n, struct err *e)
{
	struct config_node *parent = b->depth ? b->open[b->depth - 1] : NULL;
	struct config_node **key = b->depth ? &b->key[b->depth - 1] : NULL;

	if (!parent && b->documents) {
		if (!config_node_is_nothing(n))
			config_node_add(b->documents, NULL, n);
		return 0;
	}
	if (!parent) {
		b->root = n;
		return 0;
	}
	if (parent->kind == CONFIG_NODE_MAP && !*key) {
		if (n->kind != CONFIG_NODE_TEXT)
			return CONFIG_FAIL(&n->at, e,
					   "a key has to be text; found %s (text that begins with "
					   "[ or { needs quotes)",
					   n->kind == CONFIG_NODE_LIST ? "a list" : "a mapping");
		*key = n;
		return 0;
	}
	if (parent->count == ENTRIES_MAX)
		return CONFIG_FAIL(&n->at, e, "more than %d entries in one %s", ENTRIES_MAX,
				   parent->kind == CONFIG_NODE_MAP ? "mapping" : "list");
	config_node_add(parent, *key, n);
	*key = NULL;
	return 0;
}

/* A list or mapping begins. */
static int enter(struct builder *b, struct config_node *n, struct err *e)
{
	if (place(b, n, e) < 0)
		return -1;
	if (b->depth == DEPTH_MAX)
		return CONFIG_FAIL(&n->at, e, "nested more than %d deep", DEPTH_MAX);
	b->open[b->depth] = n;
	b->key[b->depth] = NULL;
	b->depth++;
	return 0;
}

/* The tags that say what is so without them: !!str "x". */
static bool is_own_tag(const yaml_char_t *tag)
{
	return bytes_starts(bytes_str((const char *)tag), bytes_str("tag:yaml.org,2002:"));
}

static int refuse_marks(const struct builder *b, const yaml_event_t *event,
			const yaml_char_t *anchor, const yaml_char_t *tag, struct err *e)
{
	struct config_at at = at_mark(b, &event->start_mark);

	if (anchor && !b->documents)
		return CONFIG_FAIL(&at, e,
				   "an anchor (&...), which is not supported; write the value out");
	if (tag && !(b->documents && is_own_tag(tag)))
		return CONFIG_FAIL(&at, e,
				   "a tag (!...), which is not supported; text that begins with ! "
				   "needs quotes");
	return 0;
}

static int anchor_add(struct builder *b, const yaml_char_t *name, const struct config_node *n,
		      struct err *e)
{
	struct bytes text = bytes_str((const char *)name);
	struct anchor *one;

	if (!name)
		return 0;
	one = arena_new(b->arena, 1, sizeof(*one));
	if (one)
		one->name = arena_dup(b->arena, text);
	if (!one || !one->name)
		return FAIL(e, NOMEM, "%s: out of memory", b->name);
	one->node = n;
	one->open = n->kind != CONFIG_NODE_TEXT;
	one->next = b->anchors;
	b->anchors = one;
	return 0;
}

static int on_scalar(struct builder *b, const yaml_event_t *event, struct err *e)
{
	struct bytes text = bytes_of(event->data.scalar.value, event->data.scalar.length);
	struct config_node *n;
	uint8_t *copy;

	if (refuse_marks(b, event, event->data.scalar.anchor, event->data.scalar.tag, e) < 0 ||
	    new_node(b, CONFIG_NODE_TEXT, event, &n, e) < 0)
		return -1;
	copy = arena_dup(b->arena, text);
	if (!copy)
		return FAIL(e, NOMEM, "%s: out of memory", b->name);
	n->text = bytes_of(copy, text.n);
	n->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (anchor_add(b, event->data.scalar.anchor, n, e) < 0)
		return -1;
	return place(b, n, e);
}

static int on_list(struct builder *b, const yaml_event_t *event, struct err *e)
{
	struct config_node *n;

	if (refuse_marks(b, event, event->data.sequence_start.anchor,
			 event->data.sequence_start.tag, e) < 0 ||
	    new_node(b, CONFIG_NODE_LIST, event, &n, e) < 0 ||
	    anchor_add(b, event->data.sequence_start.anchor, n, e) < 0)
		return -1;
	return enter(b, n, e);
}

static int on_map(struct builder *b, const yaml_event_t *event, struct err *e)
{
	struct config_node *n;

	if (refuse_marks(b, event, event->data.mapping_start.anchor, event->data.mapping_start.tag,
			 e) < 0 ||
	    new_node(b, CONFIG_NODE_MAP, event, &n, e) < 0 ||
	    anchor_add(b, event->data.mapping_start.anchor, n, e) < 0)
		return -1;
	return enter(b, n, e);
}

static int on_end(struct builder *b, const yaml_event_t *event, struct err *e)
{
	(void)event;
	(void)e;
	b->depth--;
	for (struct anchor *a = b->anchors; a; a = a->next)
		if (a->node == b->open[b->depth])
			a->open = false;
	return 0;
}

static int on_document(struct builder *b, const yaml_event_t *event, struct err *e)
{
	struct config_at at = at_mark(b, &event->start_mark);

	b->anchors = NULL;
	if (b->root)
		return CONFIG_FAIL(&at, e, "a second document; a configuration is one document");
	return 0;
}

/* A copy of the node where the alias stands; its children are shared. */
static int use_anchor(struct builder *b, const yaml_event_t *event, const struct config_at *at,
		      const char *shown, struct err *e)
{
	const struct anchor *a = b->anchors;
	struct config_node *n;

	while (a && strcmp(a->name, (const char *)event->data.alias.anchor) != 0)
		a = a->next;
	if (!a)
		return CONFIG_FAIL(at, e,
				   "*%s stands for nothing in this document; if it is text, it "
				   "needs quotes",
				   shown);
	if (a->open)
		return CONFIG_FAIL(at, e, "*%s stands within what it stands for", shown);
	if (new_node(b, a->node->kind, event, &n, e) < 0)
		return -1;
	n->text = a->node->text;
	n->plain = a->node->plain;
	n->first = a->node->first;
	n->last = a->node->last;
	n->count = a->node->count;
	return place(b, n, e);
}

static int on_alias(struct builder *b, const yaml_event_t *event, struct err *e)
{
	struct config_at at = at_mark(b, &event->start_mark);
	char name[48];

	escape_to(name, sizeof(name), bytes_str((const char *)event->data.alias.anchor));
	if (b->documents)
		return use_anchor(b, event, &at, name, e);
	return CONFIG_FAIL(&at, e,
			   "*%s without quotes is an alias, which is not supported; write \"*%s\"",
			   name, name);
}

static int on_other(struct builder *b, const yaml_event_t *event, struct err *e)
{
	(void)b;
	(void)event;
	(void)e;
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *event, struct err *e)
{
	static int (*const steps[])(struct builder *, const yaml_event_t *, struct err *) = {
		[YAML_NO_EVENT] = on_other,	      [YAML_STREAM_START_EVENT] = on_other,
		[YAML_STREAM_END_EVENT] = on_other,   [YAML_DOCUMENT_START_EVENT] = on_document,
		[YAML_DOCUMENT_END_EVENT] = on_other, [YAML_ALIAS_EVENT] = on_alias,
		[YAML_SCALAR_EVENT] = on_scalar,      [YAML_SEQUENCE_START_EVENT] = on_list,
		[YAML_SEQUENCE_END_EVENT] = on_end,   [YAML_MAPPING_START_EVENT] = on_map,
		[YAML_MAPPING_END_EVENT] = on_end,
	};

	return steps[event->type](b, event, e);
}

static int run(struct builder *b, yaml_parser_t *y, struct err *e)
{
	yaml_event_t event;
	bool more = true;

	while (more) {
		int result;

		if (!yaml_parser_parse(y, &event))
			return refuse_yaml(b, y, e);
		more = event.type != YAML_STREAM_END_EVENT;
		result = on_event(b, &event, e);
		yaml_event_delete(&event);
		if (result < 0)
			return -1;
	}
	return 0;
}

static int build(struct builder *b, size_t max, struct err *e)
{
	struct config_at start = { b->name, 1, 1 };
	yaml_parser_t y;
	int result;

	if (b->text.n > max)
		return CONFIG_FAIL(&start, e, "longer than %zu bytes", max);
	if (!yaml_parser_initialize(&y))
		return FAIL(e, NOMEM, "%s: out of memory", b->name);
	/* Otherwise two bytes at the beginning could make it UTF-16, and every place wrong. */
	yaml_parser_set_encoding(&y, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y, b->text.n ? b->text.p : (const uint8_t *)"", b->text.n);
	result = run(b, &y, e);
	yaml_parser_delete(&y);
	return result;
}

int config_tree_parse(struct arena *a, const char *name, struct bytes text,
		      struct config_node **root, struct err *e)
{
	struct builder b = { .arena = a, .name = name, .text = text };
	struct config_at start = { name, 1, 1 };

	if (build(&b, CONFIG_FILE_MAX, e) < 0)
		return -1;
	if (!b.root)
		return CONFIG_FAIL(
			&start, e,
			"there is nothing in it; the least is a key, such as \"listeners:\"");
	*root = b.root;
	return 0;
}

int config_tree_parse_documents(struct arena *a, const char *name, struct bytes text,
				struct config_node **root, struct err *e)
{
	struct builder b = { .arena = a, .name = name, .text = text };

	b.documents = arena_new(a, 1, sizeof(*b.documents));
	if (!b.documents)
		return FAIL(e, NOMEM, "%s: out of memory", name);
	b.documents->kind = CONFIG_NODE_LIST;
	b.documents->at = (struct config_at){ name, 1, 1 };
	if (build(&b, CONFIG_DOCUMENTS_MAX, e) < 0)
		return -1;
	*root = b.documents;
	return 0;
}

struct config_node *config_node_find(const struct config_node *map, const char *key)
{
	struct bytes name = bytes_str(key);

	if (map->kind != CONFIG_NODE_MAP)
		return NULL;
	for (struct config_node *n = map->first; n; n = n->next)
		if (bytes_equal(n->key->text, name))
			return n;
	return NULL;
}

bool config_node_is_nothing(const struct config_node *n)
{
	return n->kind == CONFIG_NODE_TEXT && n->plain &&
	       (n->text.n == 0 || bytes_equal(n->text, bytes_str("~")) ||
		bytes_equal_nocase(n->text, bytes_str("null")));
}

const char *config_node_text(const struct config_node *n, char out[CONFIG_FOUND_MAX])
{
	char text[CONFIG_FOUND_MAX - 2];

	if (n->kind != CONFIG_NODE_TEXT)
		snprintf(out, CONFIG_FOUND_MAX, "%s %s", n->count ? "a" : "an empty",
			 n->kind == CONFIG_NODE_LIST ? "list" : "mapping");
	else if (config_node_is_nothing(n))
		snprintf(out, CONFIG_FOUND_MAX, "nothing");
	else
		snprintf(out, CONFIG_FOUND_MAX, "\"%s\"", escape_to(text, sizeof(text), n->text));
	return out;
}
