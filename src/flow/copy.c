#include "flow/copy.h"

/* Walks over everything that the records point to, in the same order for measuring (room NULL) and
 * for copying: first the arrays, which need alignment, then the text. */
struct copy {
	uint8_t *room;
	size_t used;
};

static void text(struct copy *c, struct bytes *field)
{
	if (c->room && field->n) {
		memcpy(c->room + c->used, field->p, field->n);
		field->p = c->room + c->used;
	}
	c->used += field->n;
}

static void array(struct copy *c, const struct flow_header **headers, size_t count)
{
	size_t size = count * sizeof(**headers);

	if (c->room && count) {
		memcpy(c->room + c->used, *headers, size);
		*headers = (const struct flow_header *)(const void *)(c->room + c->used);
	}
	c->used += size;
}

/* headers was copied by array() when there is room, so it may be written to. */
static void header_texts(struct copy *c, const struct flow_header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct flow_header h = headers[i];

		text(c, &h.name);
		text(c, &h.value);
		if (c->room)
			memcpy(c->room + ((const uint8_t *)&headers[i] - c->room), &h, sizeof(h));
	}
}

static void message(struct copy *c, struct message *m)
{
	header_texts(c, m->headers, m->header_count);
	header_texts(c, m->trailers, m->trailer_count);
	text(c, &m->body);
}

static void exchange(struct copy *c, struct exchange *x)
{
	array(c, &x->request.headers, x->request.header_count);
	array(c, &x->request.trailers, x->request.trailer_count);
	array(c, &x->response.headers, x->response.header_count);
	array(c, &x->response.trailers, x->response.trailer_count);
	text(c, &x->method);
	text(c, &x->scheme);
	text(c, &x->authority);
	text(c, &x->path);
	text(c, &x->reason);
	message(c, &x->request);
	message(c, &x->response);
}

static void flow(struct copy *c, struct flow_info *f)
{
	text(c, &f->target_host);
	text(c, &f->process);
	text(c, &f->sni);
	text(c, &f->ja4);
	text(c, &f->verdict_reason);
	text(c, &f->dark);
	text(c, &f->reason);
	text(c, &f->capture.note);
	text(c, &f->capture.inner_sni);
	text(c, &f->capture.server_process);
	for (size_t i = 0; i < ARRAY_LEN(f->leg); i++) {
		text(c, &f->leg[i].alpn);
		text(c, &f->leg[i].issuer);
		text(c, &f->leg[i].end_reason);
	}
}

static size_t walk(struct copy *c, struct flow_info *f, struct exchange *x)
{
	if (x)
		exchange(c, x);
	flow(c, f);
	return c->used;
}

size_t copy_size(const struct flow_info *f, const struct exchange *x)
{
	struct flow_info flow_copy = *f;
	struct exchange exchange_copy;
	struct copy c = { 0 };

	if (x)
		exchange_copy = *x;
	return walk(&c, &flow_copy, x ? &exchange_copy : NULL);
}

void copy_into(void *room, const struct flow_info *f, const struct exchange *x,
	       struct flow_info *f_out, struct exchange *x_out)
{
	struct copy c = { .room = room };

	*f_out = *f;
	if (x)
		*x_out = *x;
	walk(&c, f_out, x ? x_out : NULL);
}
