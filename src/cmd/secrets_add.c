/* `oriel secrets add`: a capture with the secrets that it needs, each before the first packet that it
 * may be needed for. */
#include <stdio.h>

#include "base/cache.h"
#include "base/mem.h"
#include "base/secret.h"
#include "cmd/capture_output.h"
#include "cmd/keylog_source.h"
#include "cmd/secrets.h"
#include "cmd/secrets_search.h"
#include "cmd/verbs.h"
#include "pcap/pcapng.h"
#include "proc/paths.h"
#include "tap/front.h"

#define KNOWN_MAX ((size_t)1 << 30)
#define LINES_MAX ((size_t)64 << 20)
#define SEEN_MAX 65536

struct add {
	struct capture_output out;
	bool from_pcap, big_endian;
	bool all, all_done;
	struct keylog_table *known;
	struct keylog_table *have; /* what the output has so far */
	struct front *front;
	struct secrets_search *search;
	struct cache *seen; /* client randoms */
	struct buf lines;   /* to go before the packet at hand */
	uint64_t secrets, connections, dark;
	bool missing; /* a block could not be copied */
	struct err e; /* of a callback that cannot fail */
	bool failed;
};

static bool is_needed(enum keylog_label label)
{
	return label != KEYLOG_EXPORTER_SECRET && label != KEYLOG_EARLY_EXPORTER_SECRET;
}

static bool has(const struct keylog_table *t, const struct keylog_secret *s)
{
	const struct keylog_secret *o = keylog_table_find(t, bytes_of(s->key, s->key_n));

	for (; o; o = o->next)
		if (o->label == s->label && secret_equal(bytes_of(o->secret, o->secret_n),
							 bytes_of(s->secret, s->secret_n)))
			return true;
	return false;
}

static int add_line(struct add *a, const struct keylog_secret *s, struct err *e)
{
	struct keylog_entry entry = { .label = s->label,
				      .generation = s->generation,
				      .key = bytes_of(s->key, s->key_n),
				      .secret = bytes_of(s->secret, s->secret_n) };
	char line[KEYLOG_LINE_MAX];
	size_t n;
	int r;

	if (has(a->have, s))
		return 0;
	r = keylog_line_write(&entry, line, sizeof(line), &n, e);
	if (r == 0)
		r = buf_add(&a->lines, bytes_of(line, n), e);
	if (r == 0)
		r = keylog_table_feed(a->have, bytes_of(line, n), e);
	mem_wipe(line, sizeof(line));
	a->secrets += r == 0;
	return r;
}

/* Counts a connection by its client random, once. */
static int count(struct add *a, struct bytes random, bool known, struct err *e)
{
	uint8_t *mark;

	if (cache_find(a->seen, random, 0))
		return 0;
	mark = mem_new(1);
	if (!mark)
		return FAIL(e, NOMEM, "the connections of a capture");
	a->connections += known;
	a->dark += !known;
	return cache_put(a->seen, random, mark, 0, e);
}

static void found(void *ctx, enum secrets_key kind, struct bytes key)
{
	struct add *a = ctx;
	const struct keylog_secret *s = keylog_table_find(a->known, key);
	bool known = s != NULL || keylog_table_find(a->have, key) != NULL;

	if (a->failed)
		return;
	if (kind == SECRETS_CLIENT_RANDOM)
		a->failed = count(a, key, known, &a->e) < 0;
	for (; s && !a->failed; s = s->next)
		if (is_needed(s->label))
			a->failed = add_line(a, s, &a->e) < 0;
}

static void segment(void *ctx, const struct tap_segment *s)
{
	struct add *a = ctx;

	if (!a->failed && s->payload.n)
		a->failed =
			secrets_search_feed(a->search, s->flow * 2 + s->dir, s->payload, &a->e) < 0;
}

/* Every secret there is, before the first packet. */
static int add_all(struct add *a, struct err *e)
{
	for (const struct keylog_secret *s = keylog_table_walk(a->known, NULL); s;
	     s = keylog_table_walk(a->known, s))
		if (add_line(a, s, e) < 0)
			return -1;
	a->all_done = true;
	return 0;
}

static int put_secrets(struct add *a, struct err *e)
{
	if (a->lines.n == 0)
		return 0;
	if (pcapng_secrets_in(&a->out.b, a->from_pcap || a->big_endian, buf_bytes(&a->lines), e) <
	    0)
		return -1;
	buf_clear(&a->lines);
	return 0;
}

static int put_packet(struct add *a, const struct capture_packet *p, struct err *e)
{
	struct pcapng_packet out = { .wall_ns = p->wall_ns,
				     .bytes = p->bytes,
				     .wire_n = p->wire_n };

	if (pcapng_packet(&a->out.b, &out, e) < 0)
		return -1;
	return capture_output_flush(&a->out, e);
}

static int add_packet(struct add *a, const struct capture_item *item, struct err *e)
{
	const struct capture_packet *p = &item->u.packet;
	struct front_sink sink = { segment, a };
	struct front_packet packet = { .link = p->link,
				       .wire_n = p->wire_n,
				       .frame = p->bytes,
				       .at = { p->number, p->wall_ns },
				       .pid = p->pid };

	if (a->all && !a->all_done && add_all(a, e) < 0)
		return -1;
	front_packet(a->front, &packet, &sink);
	if (a->failed) {
		*e = a->e;
		return -1;
	}
	if (put_secrets(a, e) < 0)
		return -1;
	return a->from_pcap ? put_packet(a, p, e) : capture_output_copy(&a->out, item, e);
}

static int begin(struct add *a, const struct capture_item *item, struct err *e)
{
	a->big_endian = item->big_endian;
	a->from_pcap = item->block_type == 0;
	if (!a->from_pcap)
		return capture_output_copy(&a->out, item, e);
	if (pcapng_section(&a->out.b, "oriel " ORIEL_VERSION, e) < 0)
		return -1;
	return pcapng_interface(&a->out.b, (enum pcapng_link)item->u.interface.link, NULL, e);
}

static int add_item(void *ctx, const struct capture_item *item, struct err *e)
{
	const struct capture_secrets *s = &item->u.secrets;
	struct add *a = ctx;

	if (item->kind == CAPTURE_PACKET)
		return add_packet(a, item, e);
	if (item->kind == CAPTURE_HEADER)
		return begin(a, item, e);
	if (item->kind == CAPTURE_SECRETS && s->type == CAPTURE_SECRETS_TLS &&
	    (keylog_table_feed(a->have, s->data, e) < 0 || keylog_table_end(a->have, e) < 0))
		return -1;
	return capture_output_copy(&a->out, item, e);
}

static int add_bad(void *ctx, const struct capture_item *item, struct err *e)
{
	struct add *a = ctx;

	a->missing |= item->raw.n == 0;
	return capture_output_copy(&a->out, item, e);
}

static int feed(void *ctx, struct bytes text, struct err *e)
{
	return keylog_table_feed(ctx, text, e);
}

static void say_what_is_wrong(const struct keylog_table *t)
{
	struct keylog_stats s;

	keylog_table_stats(t, &s);
	if (s.bad)
		fprintf(stderr,
			"oriel: of %llu lines in the key logs %llu are none; the first is line "
			"%llu\n",
			(unsigned long long)s.lines, (unsigned long long)s.bad,
			(unsigned long long)s.first_bad);
	if (s.dropped)
		fprintf(stderr, "oriel: there was no room for %llu secrets\n",
			(unsigned long long)s.dropped);
}

static int read_keylogs(struct add *a, const struct args *args, struct err *e)
{
	struct keylog_sink sink = { .text = feed, .ctx = a->known };
	struct keylog_sources sources = { 0 };
	const char *path = paths_env("SSLKEYLOGFILE", true);
	int r = 0;

	if (!args_has(args, "keylog") && !path)
		return FAIL(e, USAGE,
			    "secrets add: --keylog FILE is needed, or SSLKEYLOGFILE in the "
			    "environment");
	if (!args_has(args, "keylog"))
		r = keylog_sources_add(&sources, path, e);
	for (size_t i = 0; r == 0 && (path = args_nth(args, "keylog", i)); i++)
		r = keylog_sources_add(&sources, path, e);
	if (r == 0)
		r = keylog_sources_read(&sources, false, &sink, e);
	keylog_sources_fini(&sources);
	if (r < 0 || keylog_table_end(a->known, e) < 0)
		return -1;
	say_what_is_wrong(a->known);
	return 0;
}

static int add_init(struct add *a, const struct args *args, struct err *e)
{
	struct secrets_sink sink = { found, a };
	struct cache_options seen = { .max_entries = SEEN_MAX, .free_value = mem_free };

	if (keylog_table_new(KNOWN_MAX, &a->known, e) < 0 ||
	    keylog_table_new(KNOWN_MAX, &a->have, e) < 0 || read_keylogs(a, args, e) < 0 ||
	    front_new(&(struct front_options){ 0 }, &a->front, e) < 0 ||
	    secrets_search_new(&sink, &a->search, e) < 0 || cache_new(&seen, &a->seen, e) < 0)
		return -1;
	return capture_output_open(args_value(args, "output"), &a->out, e);
}

static void add_fini(struct add *a)
{
	capture_output_fini(&a->out);
	keylog_table_free(a->known);
	keylog_table_free(a->have);
	front_free(a->front);
	secrets_search_free(a->search);
	cache_free(a->seen);
	buf_fini(&a->lines);
}

static const char *plural(uint64_t n)
{
	return n == 1 ? "" : "s";
}

static void say_what_was_done(const struct add *a, const char *path)
{
	fprintf(stderr, "oriel: %s: %llu secret%s put in, for %llu connection%s", path,
		(unsigned long long)a->secrets, plural(a->secrets),
		(unsigned long long)a->connections, plural(a->connections));
	if (a->dark)
		fprintf(stderr, "; there is none for %llu", (unsigned long long)a->dark);
	fprintf(stderr, "\n");
}

int secrets_add(const struct args *args)
{
	struct add a = { .out.draft.fd = -1,
			 .all = args_has(args, "all"),
			 .lines = buf_init_secret(LINES_MAX) };
	struct secrets_walk walk = { .item = add_item, .bad = add_bad, .ctx = &a };
	const char *path = args->operands[1];
	struct err e = { 0 };
	int status;

	if (add_init(&a, args, &e) < 0 || secrets_walk(path, &walk, &e) < 0 ||
	    capture_output_commit(&a.out, &e) < 0) {
		status = verb_fail(&e);
	} else {
		say_what_was_done(&a, secrets_name(path));
		status = walk.cut || a.missing || a.dark ? EXIT_PARTIAL : EXIT_OK;
	}
	add_fini(&a);
	return status;
}
