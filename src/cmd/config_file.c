#include "cmd/config_file.h"

#include "cmd/config_schema.h"

/* A file of the largest size makes a tree well below this. */
#define TREE_MAX ((size_t)64 << 20)

/* What `oriel run` does unless the file says where it listens. */
static const struct config_override default_listeners = {
	.path = "listeners",
	.value = { (const uint8_t *)"[{bind: 127.0.0.1:8080, default: bump}]", 39 },
	.yaml = true,
	.origin = "the default listener",
};

static int build_tree(const struct config_file *file, struct arena *a, struct config_node **out,
		      struct err *e)
{
	struct config_node *root;

	if (file->text.p) {
		if (config_tree_parse(a, file->name, file->text, &root, e) < 0)
			return -1;
		if (root->kind != CONFIG_NODE_MAP)
			return CONFIG_FAIL(
				&root->at, e,
				"expected a mapping with keys such as listeners: and observe:");
	} else {
		root = arena_new(a, 1, sizeof(*root));
		if (!root)
			return config_no_memory(e);
		root->kind = CONFIG_NODE_MAP;
		root->at.name = file->name;
	}
	if (!config_node_find(root, "listeners") &&
	    config_tree_override(a, root, &default_listeners, e) < 0)
		return -1;
	for (size_t i = 0; i < file->override_count; i++)
		if (config_tree_override(a, root, &file->overrides[i], e) < 0)
			return -1;
	*out = root;
	return 0;
}

static int parse(const struct config_file *file, struct arena *a, struct proxy_config **out,
		 struct err *e)
{
	AUTO(proxy_config_freep) struct proxy_config *c = NULL;
	struct config_reader r = { 0 };
	struct config_node *root = NULL;

	if (build_tree(file, a, &root, e) < 0 || proxy_config_new(&c, e) < 0)
		return -1;
	r.config = c;
	if (config_map_read(&r, &config_schema_root, root, c, e) < 0)
		return -1;
	*out = STEAL(c);
	return 0;
}

int config_file_parse(const struct config_file *file, struct proxy_config **out, struct err *e)
{
	struct arena a = arena_init(TREE_MAX);
	int result = parse(file, &a, out, e);

	arena_fini(&a);
	return result;
}

/* Printing. */

static int print_map(struct config_printer *p, const struct config_schema *s, const void *object,
		     bool dash, struct err *e);

/* "key:" at the beginning of a line; after a dash the first key of a list's entry. */
static int print_name(struct config_printer *p, const struct config_key *k, bool dash,
		      struct err *e)
{
	if (dash)
		return buf_printf(p->out, e, "%*s- %s:", (int)p->indent - 2, "", k->name);
	return buf_printf(p->out, e, "%*s%s:", (int)p->indent, "", k->name);
}

static int print_objects(struct config_printer *p, const struct config_key *k, const void *field,
			 struct err *e)
{
	struct config_any_list l = config_field_list(field);
	const uint8_t *object = l.list;
	int result = 0;

	p->indent += 4;
	for (size_t i = 0; i < l.count && result == 0; i++, object += k->of->size)
		result = print_map(p, k->of, object, true, e);
	p->indent -= 4;
	return result;
}

static int print_inside(struct config_printer *p, const struct config_key *k, const void *field,
			struct err *e)
{
	int result;

	if (buf_printf(p->out, e, "\n") < 0)
		return -1;
	if (k->kind == CONFIG_KIND_LIST)
		return print_objects(p, k, field, e);
	p->indent += 2;
	result = print_map(p, k->of, field, false, e);
	p->indent -= 2;
	return result;
}

static int print_key(struct config_printer *p, const struct config_key *k, const void *field,
		     struct err *e)
{
	bool block = k->kind == CONFIG_KIND_HEADERS || k->kind == CONFIG_KIND_HOSTS;

	if (k->kind == CONFIG_KIND_MAP || k->kind == CONFIG_KIND_LIST)
		return print_inside(p, k, field, e);
	if (!block && buf_printf(p->out, e, " ") < 0)
		return -1;
	if (config_value_print(p, k, field, e) < 0)
		return -1;
	return buf_printf(p->out, e, "\n");
}

static int print_map(struct config_printer *p, const struct config_schema *s, const void *object,
		     bool dash, struct err *e)
{
	for (const struct config_key *k = s->keys; k->name; k++) {
		const uint8_t *field = (const uint8_t *)object + k->offset;

		if (!config_value_is_set(k, field) || (k->applies && !k->applies(object)))
			continue;
		if (print_name(p, k, dash, e) < 0 || print_key(p, k, field, e) < 0)
			return -1;
		dash = false;
	}
	return 0;
}

int config_file_print(const struct proxy_config *c, struct buf *out, struct err *e)
{
	struct config_printer p = { .out = out, .config = c };

	return print_map(&p, &config_schema_root, c, false, e);
}
