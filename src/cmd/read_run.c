#include "cmd/read_run.h"

#include <signal.h>
#include <stdio.h>

#include "base/mem.h"
#include "cmd/capture_input.h"
#include "cmd/read_crew.h"
#include "cmd/read_files.h"
#include "cmd/read_lane.h"
#include "cmd/read_merge.h"
#include "crypt/cipher.h"
#include "crypt/digest.h"
#include "flow/capture_text.h"
#include "proc/sandbox.h"

#define FAULTS_SHOWN 10

struct run {
	const struct read_options *o;
	struct keylog_sources *keylogs;
	struct read_result *result;
	struct capture_input *in;
	struct front *front;
	struct crew *crew;
	struct crew_work work;
	struct read_merge merge;
	struct read_files files;
	struct bytes item; /* the packet that is being taken apart */
	struct tap_at at;
	uint64_t order;
	bool failed; /* e says why; nothing more is dealt out */
	struct err e;
};

static volatile sig_atomic_t stop;

static void on_signal(int signal)
{
	(void)signal;
	stop = 1;
}

static int done(void *ctx, struct read_batch *const *batches, size_t count, struct err *e)
{
	struct run *r = ctx;

	return read_merge_take(&r->merge, batches, count, e);
}

static int deal(struct run *r, size_t lane, const struct unit *u)
{
	/* What is in the middle of a packet is before it. */
	uint64_t before = u->segment.at.packet ? u->segment.at.packet - 1 : 0;

	if (read_batch_full(crew_batch(r->crew, lane)) && crew_submit(r->crew, before, &r->e) < 0)
		return -1;
	return read_batch_add(crew_batch(r->crew, lane), u, r->in, r->item, &r->e);
}

static void deal_to_all(struct run *r, struct unit *u)
{
	u->order = ++r->order;
	u->segment.at = r->at;
	for (size_t i = 0; i < r->work.count && !r->failed; i++)
		r->failed = deal(r, i, u) < 0;
}

static void on_segment(void *ctx, const struct tap_segment *s)
{
	struct run *r = ctx;
	struct unit u = { .order = ++r->order, .kind = UNIT_SEGMENT, .segment = *s };

	if (!r->failed)
		r->failed = deal(r, (s->flow & ~FLOW_UDP) % r->work.count, &u) < 0;
}

static void complain(struct run *r, const struct err *e)
{
	r->result->faults++;
	if (r->result->faults <= FAULTS_SHOWN)
		fprintf(stderr, "oriel: %s\n", e->sentence);
	if (r->result->faults == FAULTS_SHOWN)
		fputs("oriel: more faults of the input are counted, not shown\n", stderr);
}

static void packet(struct run *r, const struct capture_packet *p)
{
	struct front_sink sink = { .segment = on_segment, .ctx = r };
	struct front_packet in = {
		.link = p->link,
		.wire_n = p->wire_n,
		.frame = p->bytes,
		.at = { .packet = p->number, .wall_ns = p->wall_ns },
		.pid = p->pid,
	};

	r->at = in.at;
	r->item = p->bytes;
	front_packet(r->front, &in, &sink);
	r->item = (struct bytes){ 0 };
}

static void item(struct run *r, const struct capture_item *i)
{
	struct unit u = { 0 };

	switch (i->kind) {
	case CAPTURE_PACKET:
		packet(r, &i->u.packet);
		break;
	case CAPTURE_SECRETS:
		/* Without more to come the table has them all, from a look through the file before. */
		if (i->u.secrets.type != CAPTURE_SECRETS_TLS || !r->o->secrets_may_come)
			break;
		u.kind = UNIT_SECRETS;
		u.text = i->u.secrets.data;
		deal_to_all(r, &u);
		break;
	case CAPTURE_PROCESS:
		u.kind = UNIT_PROCESS;
		u.text = i->u.process.name;
		u.pid = i->u.process.pid;
		deal_to_all(r, &u);
		break;
	case CAPTURE_HEADER:
	case CAPTURE_INTERFACE:
	case CAPTURE_STATISTICS:
	case CAPTURE_SKIPPED:
		break;
	}
}

static int more_secrets(void *ctx, struct bytes text, struct err *e)
{
	struct run *r = ctx;
	struct unit u = { .kind = UNIT_SECRETS, .text = text };

	deal_to_all(r, &u);
	if (r->failed)
		*e = r->e;
	return r->failed ? -1 : 0;
}

/* Nothing comes for the moment: everything that is there is shown. */
static void quiet(struct run *r)
{
	struct keylog_sink sink = { .text = more_secrets, .ctx = r };

	r->failed = keylog_sources_read(r->keylogs, true, &sink, &r->e) < 0 ||
		    crew_submit(r->crew, r->at.packet, &r->e) < 0 ||
		    crew_drain(r->crew, &r->e) < 0 || read_merge_flush(&r->merge, &r->e) < 0;
}

/* False: there is no more. */
static bool step(struct run *r)
{
	struct capture_item i;
	struct err e = { 0 };

	switch (capture_input_next(r->in, &i, &e)) {
	case CAPTURE_INPUT_ITEM:
		item(r, &i);
		return true;
	case CAPTURE_INPUT_BAD:
	case CAPTURE_INPUT_LOST:
		complain(r, &e);
		return true;
	case CAPTURE_INPUT_QUIET:
		quiet(r);
		return true;
	case CAPTURE_INPUT_RENEWED:
		return true;
	case CAPTURE_INPUT_FAULT:
		complain(r, &e);
		return false;
	case CAPTURE_INPUT_END:
		break;
	}
	return false;
}

static int read_all(struct run *r, struct err *e)
{
	struct unit last = { .kind = UNIT_FINISH };

	while (!r->failed && step(r))
		;
	if (!r->failed) {
		r->at.packet++;
		deal_to_all(r, &last);
	}
	if (r->failed) {
		*e = r->e;
		return -1;
	}
	if (crew_submit(r->crew, r->at.packet, e) < 0 || crew_drain(r->crew, e) < 0)
		return -1;
	return read_merge_flush(&r->merge, e);
}

/* At a terminal somebody wants to know what the columns are. */
static int put_title(const struct read_options *o, struct buf *out, struct err *e)
{
	struct text_options text = { .colour = o->colour };
	bool columns = o->show == READ_SHOW_EVENTS || o->show == READ_SHOW_GROUPS;

	return o->width && columns && o->form != READ_JSON ? capture_text_title(out, &text, e) : 0;
}

static int run_init(struct run *r, struct err *e)
{
	struct capture_input_options input = {
		.path = r->o->path,
		.tail = r->o->tail,
		.stop = &stop,
	};

	r->merge = (struct read_merge){
		.lines = buf_init((size_t)1 << 20),
		.har = read_files_har,
		.plain = read_files_plain,
		.ctx = &r->files,
	};
	r->work = (struct crew_work){
		.run = read_lane_run, .count = r->o->lanes, .done = done, .ctx = r
	};
	if (capture_input_open(&input, &r->in, e) < 0 ||
	    front_new(&(struct front_options){ 0 }, &r->front, e) < 0)
		return -1;
	if (read_files_open(r->o, &r->files, e) < 0)
		return -1;
	return put_title(r->o, &r->merge.lines, e);
}

/* The crew comes first: lanes share its sessions, and its threads look at work only when there is
 * something to do. */
static int add_lanes(struct run *r, struct err *e)
{
	if (crew_new(&r->work, &r->crew, e) < 0)
		return -1;
	for (size_t i = 0; i < r->work.count; i++) {
		struct read_lane *l;

		if (read_lane_new(r->o, r->work.count > 1 ? crew_sessions(r->crew, i) : NULL, &l,
				  e) < 0)
			return -1;
		r->work.lanes[i] = l;
	}
	return 0;
}

/* From here on a capture may try what it likes. What libcrypto opens when it is needed first, its
 * configuration and the provider of legacy ciphers, is opened now. */
static int close_doors(const struct read_options *o, struct err *e)
{
	uint8_t digest[DIGEST_MAX];

	if (digest_of(DIGEST_SHA256, NULL, 0, digest, e) < 0)
		return -1;
	(void)cipher_available(CIPHER_AES_128_GCM, NULL);
	(void)cipher_available(CIPHER_RC4_128, NULL);
	return sandbox_enter(o->tail || o->objects ? SANDBOX_READER_FILES : SANDBOX_READER, e);
}

static void run_fini(struct run *r)
{
	crew_free(r->crew);
	for (size_t i = 0; i < r->work.count; i++)
		read_lane_free(r->work.lanes[i]);
	front_free(r->front);
	capture_input_close(r->in);
	read_files_close(&r->files);
	buf_fini(&r->merge.lines);
}

static void sum(struct run *r)
{
	for (size_t i = 0; i < r->work.count; i++) {
		struct read_view_counts c;

		read_lane_counts(r->work.lanes[i], &c);
		r->result->counts.flows += c.flows;
		r->result->counts.encrypted += c.encrypted;
		r->result->counts.dark += c.dark;
		r->result->counts.found |= c.found;
	}
	front_stats(r->front, &r->result->packets);
}

int read_run(const struct read_options *o, struct keylog_sources *keylogs, struct read_result *out,
	     struct err *e)
{
	struct run r = {
		.o = o, .keylogs = keylogs, .result = out, .files = { .har_fd = -1, .plain_fd = -1 }
	};
	struct sigaction end = { .sa_handler = on_signal };
	int failed;

	/* With tail Ctrl-C is how it ends: everything is shown then. */
	if (o->tail) {
		(void)sigaction(SIGINT, &end, NULL);
		(void)sigaction(SIGTERM, &end, NULL);
	}
	failed = run_init(&r, e) < 0 || add_lanes(&r, e) < 0 || close_doors(o, e) < 0 ||
		 read_all(&r, e) < 0;
	if (!failed)
		sum(&r);
	run_fini(&r);
	return failed ? -1 : 0;
}
