/* Values from the command line, put into the tree before it is read. */
#include "cmd/config_tree.h"

/* An override on its way into the tree. */
struct walk {
	struct arena *arena;
	const struct config_override *o;
};

/* One step along a path: "listeners" or "0". */
struct step {
	struct bytes name;
	bool is_number;
	uint64_t number;
};

static struct step take_step(struct bytes *path)
{
	struct step s = { .name = bytes_slice(*path, 0, bytes_index(*path, '.')) };

	*path = bytes_slice(*path, s.name.n + 1, path->n);
	s.is_number = bytes_decimal(s.name, SIZE_MAX, &s.number);
	return s;
}

/* Nodes of an override have no lines: complaints name the option. */
static void forget_lines(struct config_node *n)
{
	n->at.line = n->at.column = 0;
	for (struct config_node *child = n->first; child; child = child->next) {
		if (child->key)
			child->key->at.line = child->key->at.column = 0;
		forget_lines(child);
	}
}

static struct config_node *make(const struct walk *w, enum config_node_kind kind, struct bytes text)
{
	struct config_node *n = arena_new(w->arena, 1, sizeof(*n));
	uint8_t *copy = n ? arena_dup(w->arena, text) : NULL;

	if (!copy)
		return NULL;
	n->kind = kind;
	n->at.name = w->o->origin;
	n->text = bytes_of(copy, text.n);
	return n;
}

static int no_memory(const struct walk *w, struct err *e)
{
	return FAIL(e, NOMEM, "%s: out of memory", w->o->origin);
}

static int make_value(const struct walk *w, struct config_node **out, struct err *e)
{
	const struct config_override *o = w->o;

	if (o->yaml) {
		if (config_tree_parse(w->arena, o->origin, o->value, out, e) < 0)
			return -1;
		forget_lines(*out);
		return 0;
	}
	*out = make(w, CONFIG_NODE_TEXT, o->value);
	return *out ? 0 : no_memory(w, e);
}

static struct config_node *find_step(const struct config_node *parent, const struct step *s)
{
	struct config_node *n = parent->first;

	if (parent->kind == CONFIG_NODE_LIST) {
		for (uint64_t i = 0; n && i < s->number; i++)
			n = n->next;
		return n;
	}
	while (n && !bytes_equal(n->key->text, s->name))
		n = n->next;
	return n;
}

/* value takes the place of what parent had at s, or is added. */
static int put(const struct walk *w, struct config_node *parent, const struct step *s,
	       struct config_node *value, struct err *e)
{
	struct config_node *old = find_step(parent, s), *next, *key;

	if (old) {
		next = old->next;
		key = old->key;
		*old = *value;
		old->next = next;
		old->key = key;
		return 0;
	}
	if (parent->kind == CONFIG_NODE_LIST) {
		if (s->number != parent->count)
			return FAIL(e, CONFIG, "%s: %s: the list has only %zu entries",
				    w->o->origin, w->o->path, parent->count);
		config_node_add(parent, NULL, value);
		return 0;
	}
	key = make(w, CONFIG_NODE_TEXT, s->name);
	if (!key)
		return no_memory(w, e);
	config_node_add(parent, key, value);
	return 0;
}

static bool fits(const struct config_node *parent, const struct step *s)
{
	return parent->kind == (s->is_number ? CONFIG_NODE_LIST : CONFIG_NODE_MAP);
}

/* What parent has at s, as something that next can lead into. Where there is only a text ("keylog:
 * PATH"), or nothing, the override wins. */
static int enter(const struct walk *w, struct config_node **parent, const struct step *s,
		 const struct step *next, struct err *e)
{
	enum config_node_kind kind = next->is_number ? CONFIG_NODE_LIST : CONFIG_NODE_MAP;
	struct config_node *child = find_step(*parent, s);

	if (!child || child->kind == CONFIG_NODE_TEXT) {
		child = make(w, kind, (struct bytes){ 0 });
		if (!child)
			return no_memory(w, e);
		if (put(w, *parent, s, child, e) < 0)
			return -1;
		child = find_step(*parent, s);
	}
	*parent = child;
	return 0;
}

int config_tree_override(struct arena *a, struct config_node *root, const struct config_override *o,
			 struct err *e)
{
	const struct walk w = { a, o };
	struct bytes path = bytes_str(o->path);
	struct config_node *parent = root, *value;
	struct step s = take_step(&path);

	if (make_value(&w, &value, e) < 0)
		return -1;
	while (fits(parent, &s) && path.n) {
		struct step next = take_step(&path);

		if (enter(&w, &parent, &s, &next, e) < 0)
			return -1;
		s = next;
	}
	if (!fits(parent, &s))
		return FAIL(e, CONFIG, "%s: %s does not fit the configuration file: %.*s is no %s",
			    o->origin, o->path, BYTES_FMT(s.name), s.is_number ? "list" : "key");
	return put(&w, parent, &s, value, e);
}
