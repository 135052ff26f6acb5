#include <stdlib.h>

#include "base/mem.h"
#include "cmd/demo.h"
#include "pcap/pcapng.h"
#include "wire/tcp_talk.h"

enum kind { OPEN, TURN, CLOSE };

/* One thing that happened on a tape. */
struct happening {
	int64_t wall_ns;
	size_t order; /* of those at the same moment, and on one tape always */
	size_t tape, turn, at;
	enum kind kind;
};

struct capture {
	struct buf *out;
	struct pcapng_packet next; /* but its bytes */
};

static int put_packet(void *ctx, struct bytes packet, struct err *e)
{
	struct capture *c = ctx;

	c->next.bytes = packet;
	c->next.wall_ns++; /* packets of one moment keep their order in any reader */
	return pcapng_packet(c->out, &c->next, e);
}

static int by_time(const void *a, const void *b)
{
	const struct happening *x = a, *y = b;

	if (x->wall_ns != y->wall_ns)
		return x->wall_ns < y->wall_ns ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

static size_t collect(const struct demo_tape *t, size_t tape, struct happening *out, size_t order)
{
	size_t n = 0, at = 0;

	if (!t->open_ns)
		return 0;
	out[n] = (struct happening){ t->open_ns, order + n, tape, 0, 0, OPEN };
	n++;
	for (size_t i = 0; i < t->count; i++, n++) {
		out[n] = (struct happening){ t->turns[i].wall_ns, order + n, tape, i, at, TURN };
		at += t->turns[i].n;
	}
	out[n] = (struct happening){ t->close_ns, order + n, tape, 0, 0, CLOSE };
	return n + 1;
}

static int put(struct tcp_talk *talk, const struct demo_tape *t, const struct happening *h,
	       struct err *e)
{
	switch (h->kind) {
	case OPEN:
		return tcp_talk_open(talk, e);
	case TURN:
		return tcp_talk_data(talk, t->turns[h->turn].by_server ? TCP_SERVER : TCP_CLIENT,
				     bytes_slice(buf_bytes(&t->bytes), h->at, t->turns[h->turn].n),
				     e);
	case CLOSE:
		break;
	}
	return tcp_talk_close(talk, t->server_closed ? TCP_SERVER : TCP_CLIENT, e);
}

static int put_all(struct capture *c, struct demo_tape *const *tapes, const struct happening *list,
		   size_t count, struct err *e)
{
	struct tcp_talk talks[2 * DEMO_PLACES];

	for (size_t i = 0; i < ARRAY_LEN(talks); i++) {
		talks[i] = tcp_talk_init(&tapes[i]->client, &tapes[i]->server);
		talks[i].packet = put_packet;
		talks[i].ctx = c;
	}
	for (size_t i = 0; i < count; i++) {
		size_t tape = list[i].tape;

		c->next.interface = tape >= DEMO_PLACES;
		if (list[i].wall_ns > c->next.wall_ns)
			c->next.wall_ns = list[i].wall_ns;
		if (put(&talks[tape], tapes[tape], &list[i], e) < 0)
			return -1;
	}
	return 0;
}

int demo_capture_write(struct buf *out, struct demo_tape *const tapes[2 * DEMO_PLACES],
		       struct bytes keys, struct err *e)
{
	struct capture c = { .out = out };
	size_t max = 2 * DEMO_PLACES * (DEMO_TAPE_MAX + 2), count = 0;
	AUTO(mem_freep) struct happening *list = mem_new_array(max, sizeof(*list));

	if (!list)
		return FAIL(e, NOMEM, "the capture");
	for (size_t i = 0; i < 2 * DEMO_PLACES; i++)
		count += collect(tapes[i], i, list + count, count);
	qsort(list, count, sizeof(*list), by_time);
	if (pcapng_section(out, "oriel " ORIEL_VERSION, e) < 0 ||
	    pcapng_interface(out, PCAPNG_IP, "client to oriel", e) < 0 ||
	    pcapng_interface(out, PCAPNG_IP, "oriel to server", e) < 0 ||
	    pcapng_secrets(out, keys, e) < 0)
		return -1;
	return put_all(&c, tapes, list, count, e);
}
