/* The tables of keys as Markdown. */
#include "cmd/config_schema.h"

enum { CELL_MAX = 4096, SCHEMAS_MAX = 32 };

/* A walk over all schemas, each of which is told once. */
struct walk {
	struct config_printer printer;
	const struct config_schema *told[SCHEMAS_MAX];
	size_t count;
};

static const char head[] =
	"# oriel.yaml\n"
	"\n"
	"What `oriel run` reads. `oriel run --check FILE` says whether it is right, `oriel run\n"
	"--print-config` prints the whole effective configuration, defaults written down; what it\n"
	"prints can be used as it is. A mistake is one sentence with file, line and column, and "
	"the\n"
	"running configuration stays.\n"
	"\n"
	"```yaml\n"
	"listeners:\n"
	"  - bind: 127.0.0.1:8080\n"
	"    mode: egress\n"
	"    rules:\n"
	"      - {match: {sni: [\"*.bank.example\"], target: [\"*.bank.example\"]}, do: splice}\n"
	"      - {match: {target: [\"*\"]}, do: bump, invalid-upstream: mirror}\n"
	"admin: unix:/run/oriel/admin.sock      # or 127.0.0.1:9901: metrics, health, CA "
	"certificate only\n"
	"observe:\n"
	"  keylog: {path: /run/oriel/keys, local: [10.0.0.0/8], remote: [0.0.0.0/0]}\n"
	"hosts: {db.test: 10.9.0.43}            # names that do not come from DNS\n"
	"upstream-proxy: http://proxy.corp:3128 # for people behind one\n"
	"```\n"
	"\n"
	"The tables below are made from the tables that the program parses with.\n";

/* A bar would end the cell, a star could begin emphasis. */
static int cell(struct walk *w, struct bytes text, struct err *e)
{
	struct buf *out = w->printer.out;

	for (size_t i = 0; i < text.n; i++) {
		if (strchr("|*", text.p[i]) && buf_printf(out, e, "\\") < 0)
			return -1;
		if (buf_printf(out, e, "%c", text.p[i]) < 0)
			return -1;
	}
	return buf_printf(out, e, " | ");
}

static int default_cell(struct walk *w, const struct config_key *k, const uint8_t *field,
			struct err *e)
{
	struct buf *out = w->printer.out;
	struct buf value = buf_init(CELL_MAX);
	struct config_printer p = { .out = &value, .config = w->printer.config };
	int result;

	if (k->needed)
		return buf_printf(out, e, "has to be written | ");
	if (k->kind == CONFIG_KIND_MAP && config_value_is_set(k, field))
		return buf_printf(out, e, "below | ");
	if (!config_value_is_set(k, field))
		return buf_printf(out, e, "not set | ");
	if (config_value_print(&p, k, field, e) < 0) {
		buf_fini(&value);
		return -1;
	}
	result = buf_printf(out, e, "`%.*s` | ", BYTES_FMT(buf_bytes(&value)));
	buf_fini(&value);
	return result;
}

static int row(struct walk *w, const struct config_key *k, const uint8_t *object, struct err *e)
{
	char expects[CONFIG_EXPECTS_MAX];
	struct buf *out = w->printer.out;

	if (buf_printf(out, e, "| `%s` | ", k->name) < 0 ||
	    cell(w, bytes_str(config_key_expects(k, expects)), e) < 0 ||
	    default_cell(w, k, object + k->offset, e) < 0)
		return -1;
	return buf_printf(out, e, "%s%s%s |\n", k->help, k->where ? "; only " : "",
			  k->where ? k->where : "");
}

static bool was_told(struct walk *w, const struct config_schema *s)
{
	for (size_t i = 0; i < w->count; i++)
		if (w->told[i] == s)
			return true;
	if (w->count < SCHEMAS_MAX)
		w->told[w->count++] = s;
	return false;
}

/* This schema, then those inside it. object is one with all defaults. */
static int tell(struct walk *w, const struct config_schema *s, const uint8_t *object, struct err *e)
{
	if (was_told(w, s))
		return 0;
	if (buf_printf(w->printer.out, e,
		       "\n## %s\n\n%s\n\n| key | value | default | meaning |\n|---|---|---|---|\n",
		       s->title, s->help) < 0)
		return -1;
	for (const struct config_key *k = s->keys; k->name; k++)
		if (row(w, k, object, e) < 0)
			return -1;
	for (const struct config_key *k = s->keys; k->name; k++) {
		if (k->of &&
		    tell(w, k->of,
			 k->kind == CONFIG_KIND_LIST ? k->of->defaults : object + k->offset, e) < 0)
			return -1;
	}
	return 0;
}

int config_file_document(struct buf *out, struct err *e)
{
	AUTO(proxy_config_freep) struct proxy_config *c = NULL;
	struct walk w = { .printer = { .out = out } };

	if (proxy_config_new(&c, e) < 0 || buf_printf(out, e, "%s", head) < 0)
		return -1;
	w.printer.config = c;
	return tell(&w, &config_schema_root, (const uint8_t *)c, e);
}
