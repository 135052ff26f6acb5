#include "tap/stream_queue.h"

#include "base/mem.h"
#include "wire/packet.h"

/* A small part counts for this much, so that the number of parts is bounded as well: finding the
 * place of one takes that many steps at worst. */
#define COST_MIN 1024

static struct part *part_of(struct list *node)
{
	return LIST_OWNER(node, struct part, node);
}

static size_t cost_of(size_t n)
{
	size_t cost = sizeof(struct part) + n;

	return cost > COST_MIN ? cost : COST_MIN;
}

struct part *queue_first(const struct stream *s)
{
	return list_empty(&s->queue) ? NULL : part_of(s->queue.next);
}

/* The last node whose part begins at seq or before; the head when there is none. Looked for from
 * the end, where most go. */
static struct list *place(struct stream *s, uint32_t seq)
{
	struct list *head = &s->queue, *at = head->prev;

	if (at == head || seq_after(seq, part_of(head->next)->seq) < 0)
		return head;
	while (seq_after(part_of(at)->seq, seq) > 0)
		at = at->prev;
	return at;
}

struct part *queue_find(struct stream *s, uint32_t seq, size_t n, size_t *free_n)
{
	struct list *head = &s->queue, *at = place(s, seq);
	uint32_t until;

	*free_n = n;
	if (at != head && seq_after(part_end(part_of(at)), seq) > 0)
		return part_of(at);
	if (at->next == head)
		return NULL;
	until = part_of(at->next)->seq - seq;
	if (until < n)
		*free_n = until;
	return NULL;
}

static struct part *make(struct stream *s, size_t n)
{
	size_t cost = cost_of(n);
	struct part *p = NULL;

	if (s->queued + cost <= STREAM_QUEUE_MAX && s->pool->used + cost <= s->pool->max)
		p = mem_new(sizeof(*p) + n);
	if (!p)
		return NULL;
	s->queued += cost;
	s->pool->used += cost;
	return p;
}

bool queue_add(struct stream *s, const struct stream_segment *in, uint32_t seq, struct bytes b,
	       uint32_t cut_n)
{
	struct part *p = make(s, b.n);

	if (!p)
		return false;
	p->seq = seq;
	p->n = cut_n ? cut_n : (uint32_t)b.n;
	p->cut = cut_n > 0;
	p->ack = in->ack;
	p->acked = in->flags & TCP_ACK;
	p->at = in->at;
	if (b.n)
		memcpy(p->p, b.p, b.n);
	list_add_first(place(s, seq), &p->node);
	return true;
}

void queue_remove(struct stream *s, struct part *p)
{
	size_t cost = cost_of(p->cut ? 0 : p->n);

	s->queued -= cost;
	s->pool->used -= cost;
	list_remove(&p->node);
	mem_free(p);
}

bool queue_carve(struct stream *s, struct part *p, uint32_t seq, uint32_t n)
{
	uint32_t before = seq - p->seq, behind = p->n - before - n;
	struct part *rest;

	if (behind && before) {
		rest = make(s, 0);
		if (!rest)
			return false;
		rest->cut = true;
		rest->at = p->at;
		rest->seq = seq + n;
		rest->n = behind;
		list_add_first(&p->node, &rest->node);
		p->n = before;
	} else if (before) {
		p->n = before;
	} else if (behind) {
		p->seq += n;
		p->n = behind;
	} else {
		queue_remove(s, p);
	}
	return true;
}
