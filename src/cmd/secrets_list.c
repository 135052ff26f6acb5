/* `oriel secrets list` and `drop`: what is in a capture, and the capture without it. */
#include <stdio.h>

#include "cmd/capture_output.h"
#include "cmd/secrets.h"
#include "cmd/verbs.h"
#include "keylog/table.h"

#define TABLE_MAX ((size_t)256 << 20)
#define TEXT_MAX ((size_t)256 << 20)
#define LINE_MAX ((size_t)1 << 20)
#define BLOCK_SECRETS 10

struct list {
	bool raw;
	struct keylog_table *table;
	struct buf text; /* to print: of --raw, and of secrets that are not TLS's */
	bool damaged;
};

static int list_item(void *ctx, const struct capture_item *item, struct err *e)
{
	struct bytes data = item->u.secrets.data;
	struct list *l = ctx;

	if (item->kind != CAPTURE_SECRETS)
		return 0;
	if (item->u.secrets.type != CAPTURE_SECRETS_TLS)
		return l->raw ? 0
			      : buf_printf(&l->text, e, "other secrets, type 0x%08x: %zu bytes\n",
					   item->u.secrets.type, data.n);
	if (!l->raw)
		return keylog_table_feed(l->table, data, e) < 0 ? -1
								: keylog_table_end(l->table, e);
	if (buf_add(&l->text, data, e) < 0)
		return -1;
	/* The next block begins a line. */
	if (data.n && data.p[data.n - 1] != '\n')
		return buf_add(&l->text, bytes_str("\n"), e);
	return 0;
}

static int list_bad(void *ctx, const struct capture_item *item, struct err *e)
{
	struct list *l = ctx;

	(void)e;
	l->damaged |= item->block_type == BLOCK_SECRETS;
	return 0;
}

/* The label as a line has it, with its generation. */
static int add_label(struct buf *out, const struct keylog_secret *s, struct err *e)
{
	/* Only the label is looked at; there is no secret in it. */
	struct keylog_entry entry = { .label = s->label,
				      .generation = s->generation,
				      .key = bytes_of(s->key, s->key_n),
				      .secret = bytes_of(s->key, 0) };
	char line[KEYLOG_LINE_MAX];
	struct bytes label;
	size_t n;

	if (keylog_line_write(&entry, line, sizeof(line), &n, e) < 0)
		return -1;
	label = keylog_line_label(bytes_of(line, n));
	return buf_printf(out, e, " %.*s", BYTES_FMT(label));
}

/* One line for each key: "0a1b…  LABEL LABEL". */
static int print_table(const struct keylog_table *t, struct buf *out, struct err *e)
{
	for (const struct keylog_secret *s = keylog_table_walk(t, NULL); s;
	     s = keylog_table_walk(t, s)) {
		struct bytes key = bytes_of(s->key, s->key_n);

		if (keylog_table_find(t, key) != s)
			continue; /* told with the first of its key */
		for (size_t i = 0; i < key.n; i++)
			if (buf_printf(out, e, "%02x", key.p[i]) < 0)
				return -1;
		if (buf_add(out, bytes_str(" "), e) < 0)
			return -1;
		for (const struct keylog_secret *of = s; of; of = of->next)
			if (add_label(out, of, e) < 0)
				return -1;
		if (buf_add(out, bytes_str("\n"), e) < 0)
			return -1;
	}
	return 0;
}

static int list(const char *path, struct list *l, struct secrets_walk *walk, struct err *e)
{
	if (keylog_table_new(TABLE_MAX, &l->table, e) < 0 || secrets_walk(path, walk, e) < 0)
		return -1;
	return l->raw ? 0 : print_table(l->table, &l->text, e);
}

static void say_what_is_wrong(const struct keylog_table *t, const char *path)
{
	struct keylog_stats s;

	keylog_table_stats(t, &s);
	if (s.bad)
		fprintf(stderr, "oriel: %s: %llu of %llu lines are no lines of a key log\n", path,
			(unsigned long long)s.bad, (unsigned long long)s.lines);
	if (s.dropped)
		fprintf(stderr, "oriel: %s: there was no room for %llu secrets\n", path,
			(unsigned long long)s.dropped);
}

int secrets_list(const struct args *a)
{
	struct list l = { .raw = args_has(a, "raw"), .text = buf_init_secret(TEXT_MAX) };
	struct secrets_walk walk = { .item = list_item, .bad = list_bad, .ctx = &l };
	const char *path = a->operands[1];
	struct err e = { 0 };
	int status;

	if (list(path, &l, &walk, &e) < 0) {
		status = verb_fail(&e);
	} else {
		say_what_is_wrong(l.table, secrets_name(path));
		if (l.text.n == 0)
			fprintf(stderr, "oriel: %s: no secrets\n", secrets_name(path));
		status = verb_print(buf_bytes(&l.text));
		if (status == EXIT_OK && (walk.cut || l.damaged))
			status = EXIT_PARTIAL;
	}
	keylog_table_free(l.table);
	buf_fini(&l.text);
	return status;
}

/* --- drop --- */

struct drop {
	struct capture_output out;
	uint64_t dropped;
	bool missing; /* something else could not be copied */
};

static int drop_item(void *ctx, const struct capture_item *item, struct err *e)
{
	struct drop *d = ctx;

	if (item->block_type != BLOCK_SECRETS)
		return capture_output_copy(&d->out, item, e);
	d->dropped++;
	return 0;
}

static int drop_bad(void *ctx, const struct capture_item *item, struct err *e)
{
	struct drop *d = ctx;

	d->missing |= item->raw.n == 0 && item->block_type != BLOCK_SECRETS;
	return drop_item(ctx, item, e);
}

int secrets_drop(const struct args *a)
{
	struct drop d = { .out.draft.fd = -1 };
	struct secrets_walk walk = { .item = drop_item, .bad = drop_bad, .ctx = &d };
	const char *to = args_value(a, "output");
	struct err e = { 0 };
	int status = EXIT_OK;

	if (capture_output_open(to, &d.out, &e) < 0 ||
	    secrets_walk(a->operands[1], &walk, &e) < 0 || capture_output_commit(&d.out, &e) < 0)
		status = verb_fail(&e);
	else if (walk.cut || d.missing)
		status = EXIT_PARTIAL;
	if (status == EXIT_OK || status == EXIT_PARTIAL)
		fprintf(stderr, "oriel: %s: %llu block%s of secrets taken out\n",
			secrets_name(a->operands[1]), (unsigned long long)d.dropped,
			d.dropped == 1 ? "" : "s");
	capture_output_fini(&d.out);
	return status;
}
