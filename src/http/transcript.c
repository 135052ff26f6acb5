#include "http/transcript.h"

#include <assert.h>

#include "base/escape.h"

#define TEXT_MAX (64u << 20)
#define SHOWN_MAX 60 /* longer bodies are told by their length and a sum */

static const char *dir_text(enum http_dir dir)
{
	return dir == HTTP_UP ? "up" : "down";
}

static const char *proto_text(enum http_proto p)
{
	static const char *const texts[] = { "http1", "http2", "websocket", "grpc" };

	return texts[p];
}

static void add(struct transcript *t, struct bytes b)
{
	int status = escape_add(&t->text, b, NULL);

	assert(status == 0);
	(void)status;
}

#define ADD(t, ...)                                                                                \
	do {                                                                                       \
		int status_ = buf_printf(&(t)->text, NULL, __VA_ARGS__);                           \
		assert(status_ == 0);                                                              \
		(void)status_;                                                                     \
	} while (0)

static unsigned long sum_of(struct bytes b)
{
	unsigned long sum = 5381;

	for (size_t i = 0; i < b.n; i++)
		sum = (sum * 33 + b.p[i]) & 0xffffffff;
	return sum;
}

static void flush(struct transcript *t)
{
	const struct http_chunk *c = &t->last;

	if (!t->has_last)
		return;
	t->has_last = false;
	ADD(t, "%s %llu %s body", dir_text(c->dir), (unsigned long long)c->stream,
	    proto_text(c->proto));
	if (c->ws_opcode)
		ADD(t, " op=%u", c->ws_opcode);
	if (c->compressed)
		ADD(t, " compressed");
	if (t->body.n > SHOWN_MAX) {
		ADD(t, " %zu bytes sum=%08lx", t->body.n, sum_of(buf_bytes(&t->body)));
	} else {
		ADD(t, " \"");
		add(t, buf_bytes(&t->body));
		ADD(t, "\"");
	}
	ADD(t, c->message_end ? " end\n" : "\n");
	buf_clear(&t->body);
}

static void on_body(void *ctx, const struct http_chunk *c)
{
	struct transcript *t = ctx;
	int status;

	if (t->has_last && (t->last.dir != c->dir || t->last.stream != c->stream ||
			    t->last.ws_opcode != c->ws_opcode || t->last.proto != c->proto))
		flush(t);
	t->last = *c;
	t->has_last = true;
	status = buf_add(&t->body, c->data, NULL);
	assert(status == 0);
	(void)status;
	if (c->message_end)
		flush(t);
}

static void add_headers(struct transcript *t, const struct http_header *h, size_t count)
{
	if (!t->headers)
		return;
	for (size_t i = 0; i < count; i++) {
		ADD(t, "  ");
		add(t, h[i].name);
		ADD(t, ": ");
		add(t, h[i].value);
		ADD(t, "\n");
	}
}

static void on_head(void *ctx, const struct http_head *h)
{
	struct transcript *t = ctx;

	flush(t);
	ADD(t, "%s %llu %s ", dir_text(h->dir), (unsigned long long)h->stream,
	    proto_text(h->proto));
	if (h->unknown)
		ADD(t, "unknown ");
	if (h->dir == HTTP_UP) {
		add(t, h->method);
		ADD(t, " ");
		add(t, h->scheme);
		ADD(t, "|");
		add(t, h->authority);
		ADD(t, "|");
		add(t, h->path);
		if (h->protocol.n)
			ADD(t, " protocol=%.*s", BYTES_FMT(h->protocol));
	} else {
		ADD(t, "%u ", h->status);
		add(t, h->reason);
	}
	ADD(t, " %u.%u", h->version_major, h->version_minor);
	if (h->odd)
		ADD(t, " odd=%u", h->odd);
	ADD(t, "%s%s%s\n", h->interim ? " interim" : "", h->pushed ? " pushed" : "",
	    h->cut ? " cut" : "");
	add_headers(t, h->headers, h->header_count);
}

static void on_end(void *ctx, const struct http_end *end)
{
	struct transcript *t = ctx;

	flush(t);
	ADD(t, "%s %llu %s end %llu%s", dir_text(end->dir), (unsigned long long)end->stream,
	    proto_text(end->proto), (unsigned long long)end->body_bytes,
	    end->truncated ? " truncated" : "");
	if (end->grpc_status >= 0)
		ADD(t, " grpc=%d", end->grpc_status);
	ADD(t, "\n");
	add_headers(t, end->trailers, end->trailer_count);
}

void transcript_init(struct transcript *t)
{
	*t = (struct transcript){
		.sink = { .on_head = on_head, .on_body = on_body, .on_end = on_end },
		.text = buf_init(TEXT_MAX),
		.body = buf_init(TEXT_MAX),
	};
	t->sink.ctx = t;
}

void transcript_fini(struct transcript *t)
{
	buf_fini(&t->text);
	buf_fini(&t->body);
}

void transcript_note(struct transcript *t, const char *line)
{
	flush(t);
	ADD(t, "%s\n", line);
}

const char *transcript_text(struct transcript *t)
{
	uint8_t *room;
	int status;

	flush(t);
	status = buf_reserve(&t->text, 1, &room, NULL);
	assert(status == 0);
	(void)status;
	*room = 0;
	return (const char *)t->text.p;
}
