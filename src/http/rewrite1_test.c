#include "http/rewrite1.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/mem.h"

#define OUT_MAX (1u << 20)
#define HOST "Host: a\r\n"

/* A filter that does as the fields say, and counts what it sees. */
struct probe {
	enum filter_answer head, body, end, bytes; /* what it answers */
	const char *set, *value, *add, *remove;
	bool changes_body;
	int heads, bodies, ends, resets, holds;
	struct http_head last;
	char path[100];
	uint64_t body_bytes;
	size_t trailers;
};

static enum filter_answer hold_first(struct probe *p, enum filter_answer answer)
{
	if (answer == FILTER_HOLD && p->holds++ % 2)
		return FILTER_PASS;
	return answer;
}

static void edit_as_told(const struct probe *p, struct filter_edit *edit)
{
	if (p->set)
		assert_int_equal(filter_set(edit, bytes_str(p->set), bytes_str(p->value), NULL), 0);
	if (p->add)
		assert_int_equal(filter_add(edit, bytes_str(p->add), bytes_str(p->value), NULL), 0);
	if (p->remove)
		assert_int_equal(filter_remove(edit, bytes_str(p->remove), NULL), 0);
}

static enum filter_answer on_head(void *ctx, const struct http_head *head, struct filter_edit *edit)
{
	struct probe *p = ctx;

	p->heads++;
	p->last = *head;
	snprintf(p->path, sizeof(p->path), "%.*s", BYTES_FMT(head->path));
	edit->changes_body = p->changes_body;
	if (p->head == FILTER_CHANGED)
		edit_as_told(p, edit);
	if (p->head == FILTER_END)
		snprintf(edit->reason, sizeof(edit->reason), "not today");
	return hold_first(p, p->head);
}

/* Changes every piece to capital letters, with "<" before. */
static enum filter_answer change(struct bytes data, struct buf *changed)
{
	assert_int_equal(buf_add(changed, bytes_str("<"), NULL), 0);
	for (size_t i = 0; i < data.n; i++) {
		uint8_t c = data.p[i] >= 'a' && data.p[i] <= 'z' ? data.p[i] & 0xdf : data.p[i];

		assert_int_equal(buf_add(changed, bytes_of(&c, 1), NULL), 0);
	}
	return FILTER_CHANGED;
}

static enum filter_answer on_body(void *ctx, const struct http_chunk *piece, struct buf *changed)
{
	struct probe *p = ctx;

	p->bodies++;
	return p->body == FILTER_CHANGED ? change(piece->data, changed) : hold_first(p, p->body);
}

static enum filter_answer on_end(void *ctx, const struct http_end *end, struct filter_edit *edit)
{
	struct probe *p = ctx;

	p->ends++;
	p->body_bytes = end->body_bytes;
	p->trailers = end->trailer_count;
	if (p->end == FILTER_CHANGED)
		edit_as_told(p, edit);
	return hold_first(p, p->end);
}

static void on_reset(void *ctx, enum http_dir dir, uint64_t stream)
{
	(void)dir;
	(void)stream;
	((struct probe *)ctx)->resets++;
}

static enum filter_answer on_bytes(void *ctx, enum http_dir dir, struct bytes data,
				   struct buf *changed)
{
	struct probe *p = ctx;

	(void)dir;
	return p->bytes == FILTER_CHANGED ? change(data, changed) : p->bytes;
}

struct play {
	struct probe probe;
	struct http_filter filter;
	struct rewrite1 *r;
	struct buf out;
	struct err e;
	enum rewrite1_status status;
};

static void start(struct play *p, struct probe probe, size_t out_max)
{
	*p = (struct play){ .probe = probe, .out = buf_init(out_max) };
	p->filter = (struct http_filter){
		.name = "probe",
		.on_head = on_head,
		.on_body = on_body,
		.on_end = on_end,
		.on_reset = on_reset,
		.on_bytes = on_bytes,
		.ctx = &p->probe,
	};
	assert_int_equal(rewrite1_new(&p->filter, &p->r, NULL), 0);
}

static void stop(struct play *p)
{
	rewrite1_free(p->r);
	buf_fini(&p->out);
}

/* Until it wants more: a held message is asked for again. */
static struct bytes feed(struct play *p, struct bytes in)
{
	struct rewrite1_io io = { .in = in, .out = &p->out };

	do
		p->status = rewrite1_feed(p->r, &io, &p->e);
	while (p->status == REWRITE1_HELD);
	return io.in;
}

static void feed_cut(struct play *p, struct bytes in, size_t step)
{
	while (in.n && p->status == REWRITE1_OPEN) {
		struct bytes piece = bytes_slice(in, 0, step);
		uint8_t *copy = malloc(piece.n);
		struct bytes rest;

		memcpy(copy, piece.p, piece.n);
		rest = feed(p, bytes_of(copy, piece.n));
		if (p->status == REWRITE1_OPEN)
			assert_int_equal(rest.n, 0);
		free(copy);
		in = bytes_slice(in, piece.n, in.n);
	}
}

static const size_t steps[] = { SIZE_MAX, 1, 2, 5, 17 };

static void expect(struct probe probe, const char *in, const char *out)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct play p;

		start(&p, probe, OUT_MAX);
		feed_cut(&p, bytes_str(in), steps[i]);
		if (p.status != REWRITE1_OPEN)
			fail_msg("%s", p.e.sentence);
		assert_int_equal(buf_add(&p.out, bytes_of("", 1), NULL), 0);
		assert_string_equal((const char *)p.out.p, out);
		assert_true(rewrite1_end(p.r));
		stop(&p);
	}
}

static void refuses(const char *in, const char *reason)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct play p;

		start(&p, (struct probe){ 0 }, OUT_MAX);
		feed_cut(&p, bytes_str(in), steps[i]);
		if (p.status != REWRITE1_REFUSED)
			fail_msg("not refused: %s", in);
		if (!strstr(p.e.sentence, reason))
			fail_msg("\"%s\" is not in \"%s\"", reason, p.e.sentence);
		/* It stays so. */
		feed(&p, bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n"));
		assert_int_equal(p.status, REWRITE1_REFUSED);
		stop(&p);
	}
}

static void passes_byte_for_byte_what_nobody_changes(void **state)
{
	static const char *const requests[] = {
		"GET /a?b HTTP/1.1\r\nhOST:a\r\nX:  y \t\r\nEmpty:\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
		"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
		"5;a=\"b\"\r\nhello\r\n000A\r\n0123456789\r\n0;x\r\nSum:  1\r\n\r\n"
		"DELETE * HTTP/1.1\r\n" HOST "\r\n",
		"PUT / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
		expect((struct probe){ 0 }, requests[i], requests[i]);
		expect((struct probe){ .head = FILTER_HOLD,
				       .body = FILTER_HOLD,
				       .end = FILTER_HOLD },
		       requests[i], requests[i]);
	}
	expect((struct probe){ 0 }, "\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n",
	       "GET / HTTP/1.1\r\n" HOST "\r\n");
}

static void sets_a_header(void **state)
{
	struct probe set = { .head = FILTER_CHANGED, .set = "x-tag", .value = "new" };
	struct probe add = { .head = FILTER_CHANGED, .add = "X-Tag", .value = "new" };
	struct probe gone = { .head = FILTER_CHANGED, .remove = "X-TAG" };

	(void)state;
	expect(set, "GET / HTTP/1.1\r\n" HOST "A:  1\r\n\r\n",
	       "GET / HTTP/1.1\r\n" HOST "A:  1\r\nx-tag: new\r\n\r\n");
	expect(set, "GET / HTTP/1.1\r\nX-Tag: old\r\n" HOST "X-TAG: older\r\nB: 2\r\n\r\n",
	       "GET / HTTP/1.1\r\nx-tag: new\r\n" HOST "B: 2\r\n\r\n");
	expect(add, "GET / HTTP/1.1\r\nX-Tag: old\r\n" HOST "\r\n",
	       "GET / HTTP/1.1\r\nX-Tag: old\r\n" HOST "X-Tag: new\r\n\r\n");
	expect(gone, "GET / HTTP/1.1\r\nX-Tag: old\r\n" HOST "x-tag: b\r\n\r\n",
	       "GET / HTTP/1.1\r\n" HOST "\r\n");
	expect(set, "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nab",
	       "POST / HTTP/1.1\r\n" HOST "Content-Length: 2\r\nx-tag: new\r\n\r\nab");
}

static void the_shipped_filter_sets_its_header(void **state)
{
	struct filter_header rule = { .name = bytes_str("Via"), .value = bytes_str("oriel") };
	struct http_filter filter;
	struct rewrite1 *r;
	struct buf out = buf_init(OUT_MAX);
	struct rewrite1_io io = { .out = &out };

	(void)state;
	assert_int_equal(filter_header_init(&rule, &filter, NULL), 0);
	assert_int_equal(rewrite1_new(&filter, &r, NULL), 0);
	for (int i = 0; i < 2; i++) {
		io.in = bytes_str("POST / HTTP/1.1\r\nVIA: x\r\n" HOST
				  "Content-Length: 1\r\n\r\nz");
		assert_int_equal(rewrite1_feed(r, &io, NULL), REWRITE1_OPEN);
	}
	assert_true(bytes_equal(buf_bytes(&out), bytes_str("POST / HTTP/1.1\r\nVia: oriel\r\n" HOST
							   "Content-Length: 1\r\n\r\nz"
							   "POST / HTTP/1.1\r\nVia: oriel\r\n" HOST
							   "Content-Length: 1\r\n\r\nz")));
	rewrite1_free(r);
	buf_fini(&out);
}

static void keeps_filters_from_framing(void **state)
{
	struct filter_edit edit = { .count = 0 };
	struct filter_header rule = { .name = bytes_str("Transfer-Encoding") };
	struct http_filter filter;
	struct err e;
	static char large[FILTER_TEXT_MAX + 1];

	(void)state;
	assert_int_equal(filter_header_init(&rule, &filter, &e), -1);
	assert_int_equal(e.code, ERR_REFUSED);
	assert_int_equal(filter_set(&edit, bytes_str("a b"), bytes_str(""), &e), -1);
	assert_int_equal(filter_set(&edit, bytes_str(""), bytes_str(""), &e), -1);
	assert_int_equal(filter_set(&edit, bytes_str("a"), bytes_str("b\r\nc: d"), &e), -1);
	assert_int_equal(filter_add(&edit, bytes_str("content-length"), bytes_str("1"), &e), -1);
	assert_int_equal(filter_remove(&edit, bytes_str("HOST"), &e), -1);
	assert_int_equal(e.code, ERR_REFUSED);
	memset(large, 'x', sizeof(large));
	assert_int_equal(filter_add(&edit, bytes_str("a"), bytes_of(large, sizeof(large)), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(edit.count, 0);
	for (int i = 0; i < FILTER_EDITS_MAX; i++)
		assert_int_equal(filter_add(&edit, bytes_str("a"), bytes_str("b\t\xc3\xa4"), &e),
				 0);
	assert_int_equal(filter_add(&edit, bytes_str("a"), bytes_str("b"), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
}

static void shows_the_filter_messages(void **state)
{
	struct play p;

	(void)state;
	start(&p, (struct probe){ 0 }, OUT_MAX);
	feed_cut(&p,
		 bytes_str("POST http://b.test/p HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n"
			   "\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\nU: 2\r\n\r\n"),
		 SIZE_MAX);
	assert_int_equal(p.probe.heads, 1);
	assert_string_equal(p.probe.path, "/p");
	assert_int_equal(p.probe.last.stream, 1);
	assert_int_equal(p.probe.last.header_count, 2);
	assert_int_equal(p.probe.bodies, 2);
	assert_int_equal(p.probe.ends, 1);
	assert_int_equal(p.probe.body_bytes, 5);
	assert_int_equal(p.probe.trailers, 2);
	stop(&p);
}

static void refuses_what_two_parsers_read_differently(void **state)
{
#define POST "POST / HTTP/1.1\r\n" HOST
	(void)state;
	refuses(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "both");
	refuses(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\n", "twice");
	refuses(POST "Content-Length: 3, 3\r\n\r\n", "no number");
	refuses(POST "Content-Length: +3\r\n\r\n", "no number");
	refuses(POST "Content-Length: 0x3\r\n\r\n", "no number");
	refuses(POST "Content-Length:\r\n\r\n", "no number");
	refuses(POST "Content-Length: 99999999999999999999\r\n\r\n", "no number");
	refuses(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", "twice");
	refuses(POST "Transfer-Encoding: gzip, chunked\r\n\r\n", "not chunked");
	refuses(POST "Transfer-Encoding: xchunked\r\n\r\n", "not chunked");
	refuses(POST "Transfer-Encoding : chunked\r\n\r\n", "NAME: VALUE");
	refuses(POST "Transfer-Encoding: chunked\n\r\n", "CR LF");
	refuses(POST "Transfer-Encoding\r\n : chunked\r\n\r\n", "NAME: VALUE");
	refuses(POST "A: b\r\n c\r\n\r\n", "folded");
	refuses(POST "A: b\r\n\tc\r\n\r\n", "folded");
	refuses(POST "A: b\rTransfer-Encoding: chunked\r\n\r\n", "control");
	refuses(POST "Connection: close, Content-Length\r\nContent-Length: 1\r\n\r\n",
		"Connection");
	refuses(POST "Host: b\r\n\r\n", "Host twice");
	refuses("GET / HTTP/1.1\r\n\r\n", "no Host");
	refuses("GET / HTTP/1.1\n" HOST "\r\n", "CR LF");
	refuses("GET / HTTP/1.1\r\n" HOST "\n", "CR LF");
	refuses("GET  / HTTP/1.1\r\n" HOST "\r\n", "request line");
	refuses("GET / HTTP/1.1 \r\n" HOST "\r\n", "request line");
	refuses("GET / HTTP/2.0\r\n" HOST "\r\n", "request line");
	refuses("GET /a b HTTP/1.1\r\n" HOST "\r\n", "request line");
	refuses("GET /\x01 HTTP/1.1\r\n" HOST "\r\n", "request line");
	refuses("GE(T / HTTP/1.1\r\n" HOST "\r\n", "request line");
	refuses(" GET / HTTP/1.1\r\n" HOST "\r\n", "request line");
	refuses("GET /\r\n\r\n", "request line");
	refuses("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", "HTTP/1.0");
	refuses("CONNECT a:1 HTTP/1.1\r\n" HOST "Content-Length: 1\r\n\r\n", "CONNECT");
}

static void refuses_chunks_that_two_parsers_read_differently(void **state)
{
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
	(void)state;
	refuses(CHUNKED "\r\n", "chunk");
	refuses(CHUNKED "g\r\n", "chunk");
	refuses(CHUNKED "0x1\r\n", "chunk");
	refuses(CHUNKED "1 \r\nx\r\n", "chunk");
	refuses(CHUNKED " 1\r\nx\r\n", "chunk");
	refuses(CHUNKED "1\nx\r\n", "chunk");
	refuses(CHUNKED "1;a\nb\r\n", "chunk");
	refuses(CHUNKED "1;a\rb\r\n", "chunk");
	refuses(CHUNKED "1\r\nxy\r\n", "chunk");
	refuses(CHUNKED "1\r\nx\n", "chunk");
	refuses(CHUNKED "1\r\nx\rx", "chunk");
	refuses(CHUNKED "1000000000000000\r\n", "chunk");
	refuses(CHUNKED "0\r\nA: b\n\r\n", "CR LF");
	refuses(CHUNKED "0\r\nContent-Length: 3\r\n\r\n", "trailer");
	refuses(CHUNKED "0\r\nA\r\n\r\n", "NAME: VALUE");
}

static void bounds_heads(void **state)
{
	struct buf head = buf_init(1u << 20);
	struct play p;

	(void)state;
	assert_int_equal(buf_printf(&head, NULL, "GET / HTTP/1.1\r\n"), 0);
	for (int i = 0; i <= HTTP_HEADERS_MAX; i++)
		assert_int_equal(buf_printf(&head, NULL, "A: b\r\n"), 0);
	assert_int_equal(buf_printf(&head, NULL, "\r\n"), 0);
	start(&p, (struct probe){ 0 }, OUT_MAX);
	feed(&p, buf_bytes(&head));
	assert_int_equal(p.status, REWRITE1_REFUSED);
	assert_int_equal(p.e.code, ERR_LIMIT);
	stop(&p);
	buf_clear(&head);
	for (int i = 0; i < HTTP_HEAD_MAX; i++)
		assert_int_equal(buf_add(&head, bytes_str("x"), NULL), 0);
	start(&p, (struct probe){ 0 }, OUT_MAX);
	feed_cut(&p, buf_bytes(&head), 1000);
	assert_int_equal(p.status, REWRITE1_OPEN);
	feed(&p, bytes_str("x"));
	assert_int_equal(p.status, REWRITE1_REFUSED);
	assert_int_equal(p.e.code, ERR_LIMIT);
	stop(&p);
	buf_fini(&head);
}

static void frames_anew_the_bodies_that_a_filter_changes(void **state)
{
	struct probe probe = { .body = FILTER_CHANGED, .changes_body = true };
	struct play p;

	(void)state;
	start(&p, probe, OUT_MAX);
	feed(&p, bytes_str(POST "Content-Length: 3\r\nA: b\r\n\r\nabc"));
	assert_true(bytes_equal(buf_bytes(&p.out),
				bytes_str(POST "A: b\r\nTransfer-Encoding: chunked\r\n\r\n"
					       "4\r\n<ABC\r\n0\r\n\r\n")));
	buf_clear(&p.out);
	feed(&p, bytes_str(CHUNKED "2;x\r\nab\r\n1\r\nc\r\n0\r\nT: 1\r\n\r\n"));
	assert_true(bytes_equal(buf_bytes(&p.out),
				bytes_str(CHUNKED "3\r\n<AB\r\n2\r\n<C\r\n0\r\nT: 1\r\n\r\n")));
	buf_clear(&p.out);
	feed(&p, bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_true(bytes_equal(buf_bytes(&p.out), bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n")));
	feed(&p, bytes_str("POST / HTTP/1.0\r\nContent-Length: 1\r\n\r\n"));
	assert_int_equal(p.status, REWRITE1_REFUSED);
	assert_int_equal(p.e.code, ERR_UNSUPPORTED);
	stop(&p);
	probe.changes_body = false;
	start(&p, probe, OUT_MAX);
	feed(&p, bytes_str(POST "Content-Length: 3\r\n\r\nabc"));
	assert_int_equal(p.status, REWRITE1_REFUSED);
	assert_int_equal(p.e.code, ERR_UNSUPPORTED);
	stop(&p);
}

static void changes_trailers(void **state)
{
	struct probe probe = { .end = FILTER_CHANGED, .set = "T", .value = "new" };
	struct play p;

	(void)state;
	expect(probe, CHUNKED "0\r\nT: 1\r\n\r\n", CHUNKED "0\r\nT: new\r\n\r\n");
	expect(probe, CHUNKED "0\r\n\r\n", CHUNKED "0\r\nT: new\r\n\r\n");
	start(&p, probe, OUT_MAX);
	feed(&p, bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_int_equal(p.status, REWRITE1_REFUSED);
	stop(&p);
}

static void ends_a_message_when_the_filter_says_so(void **state)
{
	struct play p;

	(void)state;
	start(&p, (struct probe){ .head = FILTER_END }, OUT_MAX);
	feed(&p, bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_int_equal(p.status, REWRITE1_ENDED);
	assert_int_equal(p.e.code, ERR_REFUSED);
	assert_string_equal(p.e.sentence, "probe: not today");
	assert_int_equal(p.out.n, 0);
	feed(&p, bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n"));
	assert_int_equal(p.status, REWRITE1_ENDED);
	stop(&p);
}

static void holds_a_message(void **state)
{
	struct play p;
	struct rewrite1_io io;

	(void)state;
	start(&p, (struct probe){ .head = FILTER_HOLD, .body = FILTER_HOLD }, OUT_MAX);
	io = (struct rewrite1_io){ bytes_str(POST "Content-Length: 1\r\n\r\nx"), &p.out };
	assert_int_equal(rewrite1_feed(p.r, &io, NULL), REWRITE1_HELD);
	assert_int_equal(p.out.n, 0);
	assert_int_equal(rewrite1_feed(p.r, &io, NULL), REWRITE1_HELD);
	assert_true(bytes_ends_nocase(buf_bytes(&p.out), bytes_str("\r\n\r\n")));
	assert_true(bytes_equal(io.in, bytes_str("x")));
	assert_int_equal(rewrite1_feed(p.r, &io, NULL), REWRITE1_OPEN);
	assert_true(bytes_ends_nocase(buf_bytes(&p.out), bytes_str("\r\n\r\nx")));
	stop(&p);
}

static void waits_for_the_answer_to_an_upgrade(void **state)
{
	static const char upgrade[] = "GET / HTTP/1.1\r\n" HOST "Connection: upgrade\r\n"
				      "Upgrade: x\r\n\r\nGET / HTTP/1.1\r\n" HOST "\r\n";
	struct play p;
	struct bytes rest;

	(void)state;
	for (int switched = 0; switched < 2; switched++) {
		start(&p, (struct probe){ .bytes = FILTER_CHANGED }, OUT_MAX);
		rest = feed(&p, bytes_str(upgrade));
		assert_int_equal(p.status, REWRITE1_WAIT);
		assert_true(bytes_starts(rest, bytes_str("GET / HTTP/1.1")));
		buf_clear(&p.out);
		rewrite1_answer(p.r, switched);
		rest = feed(&p, rest);
		assert_int_equal(rest.n, 0);
		assert_int_equal(p.status, REWRITE1_OPEN);
		assert_true(bytes_equal(buf_bytes(&p.out),
					switched ? bytes_str("<GET / HTTP/1.1\r\nHOST: A\r\n\r\n")
						 : bytes_str("GET / HTTP/1.1\r\n" HOST "\r\n")));
		assert_int_equal(p.probe.heads, switched ? 1 : 2);
		stop(&p);
	}
}

/* The output fills up, and is emptied now and then: nothing is lost, said or asked twice. */
static void goes_on_when_there_is_room_again(void **state)
{
	static const struct probe probes[] = {
		{ .head = FILTER_CHANGED, .set = "X-Tag", .value = "new" },
		{ .body = FILTER_CHANGED, .changes_body = true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(probes); i++) {
		struct buf text = buf_init(OUT_MAX), all = buf_init(OUT_MAX);
		struct bytes rest;
		struct play p;
		int fulls = 0;

		for (int j = 0; j < 1000; j++)
			assert_int_equal(buf_printf(&text, NULL, "%s%0100d%s",
						    POST "Content-Length: 100\r\n\r\n", 7,
						    CHUNKED "A\r\n0123456789\r\n0\r\nT: 1\r\n\r\n"),
					 0);
		start(&p, probes[i], REWRITE1_ROOM);
		rest = buf_bytes(&text);
		do {
			size_t drained;

			rest = feed(&p, rest);
			fulls += p.status == REWRITE1_FULL;
			drained = p.status == REWRITE1_FULL ? p.out.n / 2 + 1 : p.out.n;
			assert_int_equal(buf_add(&all, bytes_of(p.out.p, drained), NULL), 0);
			buf_take(&p.out, drained);
		} while (p.status == REWRITE1_FULL);
		if (p.status != REWRITE1_OPEN)
			fail_msg("%s", p.e.sentence);
		assert_int_equal(rest.n, 0);
		assert_true(fulls > 1);
		assert_true(rewrite1_end(p.r));
		assert_int_equal(p.probe.heads, 2000);
		assert_int_equal(p.probe.ends, 2000);
		assert_int_equal(p.probe.bodies, 2000);
		if (i == 0)
			assert_int_equal(all.n, text.n + 2000 * strlen("X-Tag: new\r\n"));
		stop(&p);
		buf_fini(&text);
		buf_fini(&all);
	}
}

static void says_when_the_client_ends_within_a_message(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		int resets;
	} cases[] = {
		{ "", true, 0 },
		{ "GET / HTTP/1.1\r\n" HOST "\r\n", true, 0 },
		{ "GET / HTTP", false, 0 },
		{ POST "Content-Length: 3\r\n\r\nab", false, 1 },
		{ CHUNKED "0\r\n", false, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct play p;

		start(&p, (struct probe){ 0 }, OUT_MAX);
		feed(&p, bytes_str(cases[i].text));
		assert_int_equal(rewrite1_end(p.r), cases[i].whole);
		assert_int_equal(p.probe.resets, cases[i].resets);
		stop(&p);
	}
}

static void survives_a_lack_of_memory(void **state)
{
	enum rewrite1_status status = REWRITE1_REFUSED;
	static struct http_filter none = { .name = "none" };

	(void)state;
	for (size_t fail = 1; status == REWRITE1_REFUSED; fail++) {
		struct rewrite1 *r = NULL;
		struct buf out = buf_init(OUT_MAX);
		struct err e = { 0 };
		struct rewrite1_io io = { bytes_str(CHUNKED "1\r\nx\r\n0\r\nT: 1\r\n\r\n"), &out };

		mem_fail_at(fail);
		if (rewrite1_new(&none, &r, &e) == 0)
			status = rewrite1_feed(r, &io, &e);
		mem_fail_at(0);
		if (status == REWRITE1_REFUSED)
			assert_int_equal(e.code, ERR_NOMEM);
		rewrite1_free(r);
		buf_fini(&out);
		assert_true(fail < 50);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passes_byte_for_byte_what_nobody_changes),
		cmocka_unit_test(sets_a_header),
		cmocka_unit_test(the_shipped_filter_sets_its_header),
		cmocka_unit_test(keeps_filters_from_framing),
		cmocka_unit_test(shows_the_filter_messages),
		cmocka_unit_test(refuses_what_two_parsers_read_differently),
		cmocka_unit_test(refuses_chunks_that_two_parsers_read_differently),
		cmocka_unit_test(bounds_heads),
		cmocka_unit_test(frames_anew_the_bodies_that_a_filter_changes),
		cmocka_unit_test(changes_trailers),
		cmocka_unit_test(ends_a_message_when_the_filter_says_so),
		cmocka_unit_test(holds_a_message),
		cmocka_unit_test(waits_for_the_answer_to_an_upgrade),
		cmocka_unit_test(goes_on_when_there_is_room_again),
		cmocka_unit_test(says_when_the_client_ends_within_a_message),
		cmocka_unit_test(survives_a_lack_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
