/* Peels with a session that only writes down what it is given, so that each test says where TLS
 * begins to the byte. */
#include "tap/peel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/escape.h"
#include "base/mem.h"
#include "tap/session.h"

/* What was told, one line a fact; pieces of one kind put together. */
static struct {
	struct buf text, piece;
	char prefix[64];
} told;

static void tell_line(const char *prefix, struct bytes data)
{
	struct buf *out = &told.text;

	assert_int_equal(buf_printf(out, NULL, "%s", prefix), 0);
	assert_int_equal(escape_add(out, data, NULL), 0);
	assert_int_equal(buf_printf(out, NULL, "\n"), 0);
}

static void tell_flush(void)
{
	if (told.piece.n)
		tell_line(told.prefix, buf_bytes(&told.piece));
	buf_clear(&told.piece);
}

static void tell(const char *text)
{
	tell_flush();
	tell_line(text, (struct bytes){ 0 });
}

static void tell_piece(const char *prefix, struct bytes data)
{
	if (strcmp(told.prefix, prefix) != 0)
		tell_flush();
	snprintf(told.prefix, sizeof(told.prefix), "%s", prefix);
	assert_int_equal(buf_add(&told.piece, data, NULL), 0);
}

static const char *const dirs[] = { "up", "down" };

/* ---- a session that decrypts nothing --------------------------------------------------------- */

struct fake {
	struct layer layer;
	struct session_options o;
};

static void fake_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	struct fake *f = (struct fake *)(void *)l;
	char prefix[32];

	(void)at;
	snprintf(prefix, sizeof(prefix), "tls%u %s ", f->o.depth, dirs[dir]);
	tell_piece(prefix, in);
}

static void fake_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated,
		     struct tap_at at)
{
	char text[64];

	(void)l;
	(void)at;
	snprintf(text, sizeof(text), "tls gap %s %llu%s", dirs[dir], (unsigned long long)n,
		 truncated ? " truncated" : "");
	tell(text);
}

static void fake_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	char text[64];

	(void)l;
	(void)at;
	snprintf(text, sizeof(text), "tls end %s %s", dirs[dir], leg_end_text(how));
	tell(text);
}

static void fake_secrets(struct layer *l, struct tap_at at)
{
	(void)l;
	(void)at;
	tell("tls secrets");
}

static void fake_free(struct layer *l)
{
	mem_free(l);
}

static const struct layer_ops fake_ops = { fake_feed, fake_gap, fake_end, fake_secrets, fake_free };
static const struct session_options *last_session;

int session_new(const struct session_options *o, struct layer **out, struct err *e)
{
	struct fake *f = mem_new(sizeof(*f));

	if (!f)
		return FAIL(e, NOMEM, "a session");
	f->layer.ops = &fake_ops;
	f->o = *o;
	last_session = &f->o;
	*out = &f->layer;
	return 0;
}

/* ---- a flow ---------------------------------------------------------------------------------- */

struct world {
	struct event_bus bus;
	struct tap_shared shared;
	struct tap_flow flow;
	struct layer *peel;
	struct tap_at at;
};

static void on_event(void *ctx, const struct event *ev)
{
	const struct world *w = ctx;
	char text[256];

	assert_int_equal(ev->flow, 9);
	assert_int_equal(ev->packet, w->at.packet);
	assert_int_equal(ev->wall_ns, w->at.wall_ns);
	switch (ev->type) {
	case EV_DATA:
		snprintf(text, sizeof(text), "data %s ", dirs[ev->dir]);
		tell_piece(text, ev->u.data.data);
		return;
	case EV_NOTE:
		snprintf(text, sizeof(text), "note %.*s", BYTES_FMT(ev->u.note.text));
		break;
	case EV_GAP:
		snprintf(text, sizeof(text), "gap %s %llu", dirs[ev->dir],
			 (unsigned long long)ev->u.gap.bytes);
		break;
	case EV_DARK:
		snprintf(text, sizeof(text), "dark %.*s", BYTES_FMT(ev->u.dark.reason));
		break;
	case EV_MESSAGE_HEAD:
		snprintf(text, sizeof(text), "head %s %llu %.*s%.0u", dirs[ev->dir],
			 (unsigned long long)ev->stream, BYTES_FMT(ev->u.message_head.method),
			 ev->u.message_head.status);
		break;
	case EV_MESSAGE_END:
		snprintf(text, sizeof(text), "end %s %llu%s", dirs[ev->dir],
			 (unsigned long long)ev->stream,
			 ev->u.message_end.truncated ? " truncated" : "");
		break;
	default:
		return;
	}
	tell(text);
}

static void world_open(struct world *w, struct peel_options o, uint32_t mask)
{
	struct event_sink sink = { .mask = mask, .on_event = on_event, .ctx = w };

	*w = (struct world){ .shared = { .held_max = 1 << 20 }, .at = { 1, 1000 } };
	assert_int_equal(event_bus_add(&w->bus, sink, NULL), 0);
	w->shared.bus = &w->bus;
	w->flow = (struct tap_flow){ .shared = &w->shared, .number = 9 };
	list_init(&w->flow.waiting);
	told.text = buf_init(1 << 20);
	told.piece = buf_init(1 << 20);
	told.prefix[0] = 0;
	o.flow = &w->flow;
	assert_int_equal(peel_new(&o, &w->peel, NULL), 0);
}

/* From memory of just that size, so that a sanitizer sees what is read beyond. */
static void world_feed(struct world *w, enum flow_dir dir, struct bytes in, size_t step)
{
	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, step);
		uint8_t *copy = mem_dup(piece);

		w->at.packet++;
		w->at.wall_ns += 1000;
		layer_feed(w->peel, dir, bytes_of(copy, piece.n), w->at);
		mem_free(copy);
		in = bytes_slice(in, piece.n, in.n);
	}
}

static void world_end(struct world *w)
{
	layer_end(w->peel, DIR_UP, END_CLEAN, w->at);
	layer_end(w->peel, DIR_DOWN, END_CLEAN, w->at);
}

static void world_close(struct world *w)
{
	layer_free(w->peel);
	assert_int_equal(w->shared.held, 0);
	buf_fini(&told.text);
	buf_fini(&told.piece);
}

static const char *world_text(void)
{
	uint8_t *room;

	tell_flush();
	assert_int_equal(buf_reserve(&told.text, 1, &room, NULL), 0);
	*room = 0;
	return (const char *)told.text.p;
}

/* ---- acts ------------------------------------------------------------------------------------ */

enum { GAP = 2, END = 3 };
struct act {
	int what; /* enum flow_dir; or GAP in dir; or END of dir */
	struct bytes bytes;
	enum flow_dir dir;
	uint64_t n;
};

#define LITERAL(s)                                                                                 \
	{                                                                                          \
		(const uint8_t *)(s), sizeof(s) - 1                                                \
	}
/* clang-format off */
#define UP(s) { .what = DIR_UP, .bytes = LITERAL(s) }
#define DOWN(s) { .what = DIR_DOWN, .bytes = LITERAL(s) }
#define GAP_UP(k) { .what = GAP, .dir = DIR_UP, .n = (k) }
#define GAP_DOWN(k) { .what = GAP, .dir = DIR_DOWN, .n = (k) }
/* clang-format on */

/* Hellos, as far as it matters; what follows them is not looked at. */
#define HELLO "\x16\3\1\0\x0b\1\0\0\7\3\3hello"
#define SERVER "\x16\3\3\0\x0a\2\0\0\6\3\3srvr"
#define HELLO_TOLD "\\x16\\x03\\x01\\x00\\x0b\\x01\\x00\\x00\\x07\\x03\\x03hello"
#define SERVER_TOLD "\\x16\\x03\\x03\\x00\n\\x02\\x00\\x00\\x06\\x03\\x03srvr"
#define TLS_TOLD "tls0 up " HELLO_TOLD "\ntls0 down " SERVER_SHOWN "\n"
#define SERVER_SHOWN "\\x16\\x03\\x03\\x00\\x0a\\x02\\x00\\x00\\x06\\x03\\x03srvr"

static void play(struct world *w, const struct act *acts, size_t count, size_t step)
{
	for (size_t i = 0; i < count; i++) {
		if (acts[i].what == GAP)
			layer_gap(w->peel, acts[i].dir, acts[i].n, false, w->at);
		else
			world_feed(w, (enum flow_dir)acts[i].what, acts[i].bytes, step);
	}
	world_end(w);
}

static void expect_cut(struct peel_options o, const struct act *acts, size_t count, size_t step,
		       const char *expected)
{
	struct world w;

	world_open(&w, o, EV_ALL);
	play(&w, acts, count, step);
	if (strcmp(world_text(), expected) != 0)
		print_error("in pieces of %zu:\n", step);
	assert_string_equal(world_text(), expected);
	world_close(&w);
}

/* Whole and in pieces. */
static void expect_of(struct peel_options o, const struct act *acts, size_t count,
		      const char *expected)
{
	static const size_t steps[] = { SIZE_MAX / 2, 1, 2, 3, 7 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++)
		expect_cut(o, acts, count, steps[i], expected);
}
#define EXPECT(acts, text) expect_of((struct peel_options){ 0 }, acts, ARRAY_LEN(acts), text)
#define ENDS "tls end up clean\ntls end down clean\n"

static void finds_tls_by_its_hello(void **state)
{
	static const struct act acts[] = { UP(HELLO), DOWN(SERVER), UP("any") };

	(void)state;
	EXPECT(acts, TLS_TOLD "tls0 up any\n" ENDS);
}

static void finds_tls_when_the_client_was_not_heard(void **state)
{
	static const struct act acts[] = { DOWN(SERVER), UP("\x14\3\3\0\1\1") };
	static const struct act lost[] = { GAP_UP(517), DOWN(SERVER) };

	(void)state;
	EXPECT(acts, "tls0 down " SERVER_SHOWN "\ntls0 up \\x14\\x03\\x03\\x00\\x01\\x01\n" ENDS);
	EXPECT(lost, "tls gap up 517\ntls0 down " SERVER_SHOWN "\n" ENDS);
}

static void finds_tls_by_an_alert(void **state)
{
	static const struct act acts[] = { DOWN("\x15\3\1\0\2\2\x28") };
	static const struct act longer[] = { DOWN("\x15\3\1\0\3\2\x28x") };
	static const struct act level[] = { DOWN("\x15\3\1\0\2\3\x28") };

	(void)state;
	EXPECT(acts, "tls0 down \\x15\\x03\\x01\\x00\\x02\\x02(\n" ENDS);
	EXPECT(longer, "data down \\x15\\x03\\x01\\x00\\x03\\x02(x\n");
	EXPECT(level, "data down \\x15\\x03\\x01\\x00\\x02\\x03(\n");
}

#define V2_HELLO                                                                                   \
	"\x80\x1c\1\3\1\0\3\0\0\0\x10\0\0\x2f"                                                     \
	"0123456789abcdef"

static void finds_tls_by_a_hello_in_the_old_format(void **state)
{
	static const struct act acts[] = { UP(V2_HELLO) };
	static const struct act wrong[] = { UP("\x80\x1d\1\3\1\0\3\0\0\0\x10\0\0\x2f"
					       "0123456789") };

	(void)state;
	EXPECT(acts, "tls0 up \\x80\\x1c\\x01\\x03\\x01\\x00\\x03\\x00\\x00\\x00\\x10\\x00\\x00/"
		     "0123456789abcdef\n" ENDS);
	EXPECT(wrong, "data up \\x80\\x1d\\x01\\x03\\x01\\x00\\x03\\x00\\x00\\x00\\x10\\x00\\x00/"
		      "0123456789\n");
}

/* Each first byte that could have been TLS, and was not; and beginnings that never went on. */
static void takes_everything_else_for_plaintext(void **state)
{
	static const struct {
		struct bytes bytes;
		const char *told;
	} cases[] = {
		{ LITERAL("\x16\3\5\0\x0b\1"), "\\x16\\x03\\x05\\x00\\x0b\\x01" },
		{ LITERAL("\x16\4"), "\\x16\\x04" },
		{ LITERAL("\x16\3\1\x60\0\1"), "\\x16\\x03\\x01`\\x00\\x01" },
		{ LITERAL("\x16\3\1\0\0\1"), "\\x16\\x03\\x01\\x00\\x00\\x01" },
		{ LITERAL("\x16\3\1\0\x0b\2"), "\\x16\\x03\\x01\\x00\\x0b\\x02" },
		{ LITERAL("\x17\3\3\0\x0b\1"), "\\x17\\x03\\x03\\x00\\x0b\\x01" },
		{ LITERAL("\x16\3\1"), "\\x16\\x03\\x01" },
		{ LITERAL("\x80"), "\\x80" },
		{ LITERAL("\5"), "\\x05" },
		{ LITERAL("\4\1"), "\\x04\\x01" },
		{ LITERAL("\4\3abc"), "\\x04\\x03abc" },
		{ LITERAL("PROXY TCP5"), "PROXY TCP5" },
		{ LITERAL("PROXY UNKNOWN\nx"), "PROXY UNKNOWN\\x0ax" },
		{ LITERAL("SSH-2.0-x"), "SSH-2.0-x" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct act act = { .what = DIR_UP, .bytes = cases[i].bytes };
		char text[128];

		snprintf(text, sizeof(text), "data up %s\n", cases[i].told);
		expect_of((struct peel_options){ 0 }, &act, 1, text);
	}
}

static void every_truncation_of_a_hello_is_bytes_or_tls(void **state)
{
	(void)state;
	for (size_t n = 1; n < sizeof(HELLO); n++) {
		const struct act act = { .what = DIR_UP, .bytes = { (const uint8_t *)HELLO, n } };
		struct world w;

		world_open(&w, (struct peel_options){ 0 }, EV_ALL);
		play(&w, &act, 1, SIZE_MAX / 2);
		assert_int_equal(strncmp(world_text(), n < 6 ? "data up" : "tls0 up", 7), 0);
		world_close(&w);
	}
}

/* ---- after plaintext ------------------------------------------------------------------------- */

static void finds_tls_after_starttls_of_mail(void **state)
{
	static const struct act smtp[] = {
		DOWN("220 a ESMTP\r\n"),
		UP("EHLO b\r\n"),
		DOWN("250-a\r\n250 STARTTLS\r\n"),
		UP("STARTTLS\r\n"),
		DOWN("220 go\r\n"),
		UP(HELLO),
		DOWN(SERVER),
	};
	static const struct act imap[] = {
		DOWN("* OK hi\r\n"), UP("a1 starttls\r\n"), DOWN("* hm\r\na1 OK go\r\n"),
		UP(HELLO),	     DOWN(SERVER),
	};
	static const struct act pop3[] = { DOWN("+OK hi\r\n"), UP("STLS\r\n"), DOWN("+OK\r\n"),
					   UP(HELLO), DOWN(SERVER) };

	(void)state;
	EXPECT(smtp, "data down 220 a ESMTP\\x0d\\x0a\ndata up EHLO b\\x0d\\x0a\n"
		     "data down 250-a\\x0d\\x0a250 STARTTLS\\x0d\\x0a\ndata up STARTTLS\\x0d\\x0a\n"
		     "data down 220 go\\x0d\\x0a\n"
		     "note TLS begins after STARTTLS (SMTP)\n" TLS_TOLD ENDS);
	EXPECT(imap, "data down * OK hi\\x0d\\x0a\ndata up a1 starttls\\x0d\\x0a\n"
		     "data down * hm\\x0d\\x0aa1 OK go\\x0d\\x0a\n"
		     "note TLS begins after STARTTLS (IMAP)\n" TLS_TOLD ENDS);
	EXPECT(pop3, "data down +OK hi\\x0d\\x0a\ndata up STLS\\x0d\\x0a\ndata down +OK\\x0d\\x0a\n"
		     "note TLS begins after STARTTLS (POP3)\n" TLS_TOLD ENDS);
}

static void finds_tls_after_the_words_of_each_protocol(void **state)
{
	static const struct {
		const char *name;
		struct bytes hi, ask, go;
	} cases[] = {
		{ "FTP", LITERAL("220 hi\r\n"), LITERAL("AUTH TLS\r\n"), LITERAL("234 go\r\n") },
		{ "NNTP", LITERAL("200 hi\r\n"), LITERAL("STARTTLS\r\n"), LITERAL("382 go\r\n") },
		{ "ManageSieve", LITERAL("OK\r\n"), LITERAL("STARTTLS\r\n"), LITERAL("OK go\r\n") },
		{ "XMPP", LITERAL("<stream:features/>"),
		  LITERAL("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"),
		  LITERAL("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>") },
		{ "LDAP", LITERAL(""),
		  LITERAL("\x30\x1d\2\1\1\x77\x18\x80\x16"
			  "1.3.6.1.4.1.1466.20037"),
		  LITERAL("\x30\x0c\2\1\1\x78\7\x0a\1\0\4\0\4\0") },
		{ "PostgreSQL", LITERAL(""), LITERAL("\0\0\0\x8\4\xd2\x16\x2f"), LITERAL("S") },
		{ "MySQL",
		  LITERAL("\x4a\0\0\0\x0a"
			  "10.11.2-MariaDB"),
		  LITERAL("\x20\0\0\1\x85\xae\x3f\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
			  "\0\0\0\0\0"),
		  LITERAL("") },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct act acts[] = { { .what = DIR_DOWN, .bytes = cases[i].hi },
					    { .what = DIR_UP, .bytes = cases[i].ask },
					    { .what = DIR_DOWN, .bytes = cases[i].go },
					    UP(HELLO),
					    DOWN(SERVER) };
		char note[200];

		snprintf(note, sizeof(note), "\nnote TLS begins after STARTTLS (%s)\n%s",
			 cases[i].name, TLS_TOLD ENDS);
		for (size_t step = 1; step < 50; step += 7) {
			struct world w;
			const char *at;

			world_open(&w, (struct peel_options){ 0 }, EV_ALL);
			play(&w, acts, ARRAY_LEN(acts), step);
			at = strstr(world_text(), "\nnote");
			if (!at)
				fail_msg("%s: %s", cases[i].name, world_text());
			assert_string_equal(at, note);
			assert_int_equal(w.flow.bytes[DIR_UP], cases[i].ask.n);
			assert_int_equal(w.flow.bytes[DIR_DOWN], cases[i].hi.n + cases[i].go.n);
			world_close(&w);
		}
	}
}

/* MySQL's client need not wait: the hello may be in the segment of the request. */
static void finds_a_hello_behind_a_request_in_one_segment(void **state)
{
	static const struct act acts[] = {
		DOWN("\x4a\0\0\0\x0a"
		     "10.11.2-MariaDB"),
		UP("\x20\0\0\1\x85\xae\x3f\0\0\0\0\1\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
		   "\0\0\0\0\0" HELLO),
		DOWN(SERVER),
	};
	struct world w;

	(void)state;
	for (size_t step = 1; step < 60; step++) {
		world_open(&w, (struct peel_options){ 0 }, EV_ALL);
		play(&w, acts, ARRAY_LEN(acts), step);
		assert_non_null(strstr(world_text(),
				       "\nnote TLS begins after STARTTLS (MySQL)\n" TLS_TOLD));
		world_close(&w);
	}
}

/* Whatever it was that was said before. */
static void finds_tls_after_words_that_nobody_knows(void **state)
{
	static const struct act acts[] = { UP("please?"), DOWN("yes"), UP(HELLO), DOWN(SERVER) };

	(void)state;
	EXPECT(acts, "data up please?\ndata down yes\n"
		     "note TLS begins after other bytes\n" TLS_TOLD ENDS);
}

/* The server's word was captured after the client's hello. */
static void waits_for_the_word_that_comes_late(void **state)
{
	static const struct act acts[] = { DOWN("220 hi\r\n"), UP("STARTTLS\r\n"), UP(HELLO),
					   DOWN("220 go\r\n"), DOWN(SERVER) };
	static const struct act refused[] = { DOWN("220 hi\r\n"), UP("STARTTLS\r\n"),
					      DOWN("454 no\r\n"), UP("QUIT\r\n"),
					      DOWN("221 bye\r\n") };

	(void)state;
	EXPECT(acts, "data down 220 hi\\x0d\\x0a\ndata up STARTTLS\\x0d\\x0a\n"
		     "data down 220 go\\x0d\\x0a\n"
		     "note TLS begins after STARTTLS (SMTP)\n" TLS_TOLD ENDS);
	EXPECT(refused, "data down 220 hi\\x0d\\x0a\ndata up STARTTLS\\x0d\\x0a\n"
			"data down 454 no\\x0d\\x0a\ndata up QUIT\\x0d\\x0a\n"
			"data down 221 bye\\x0d\\x0a\n");
}

static void postgresql_may_refuse_other_things_first(void **state)
{
	static const struct act acts[] = { UP("\0\0\0\x8\4\xd2\x16\x30"),
					   DOWN("N"),
					   UP("\0\0\0\x8\4\xd2\x16\x2f"),
					   DOWN("S"),
					   UP(HELLO),
					   DOWN(SERVER) };
	static const struct act refused[] = { UP("\0\0\0\x8\4\xd2\x16\x2f"), DOWN("N"),
					      UP("\0\0\0\x9\0\3\0\0x"), DOWN("R") };

	(void)state;
	EXPECT(acts, "data up \\x00\\x00\\x00\\x08\\x04\\xd2\\x160\ndata down N\n"
		     "data up \\x00\\x00\\x00\\x08\\x04\\xd2\\x16/\ndata down S\n"
		     "note TLS begins after STARTTLS (PostgreSQL)\n" TLS_TOLD ENDS);
	EXPECT(refused, "data up \\x00\\x00\\x00\\x08\\x04\\xd2\\x16/\ndata down N\n"
			"data up \\x00\\x00\\x00\\x09\\x00\\x03\\x00\\x00x\ndata down R\n");
}

/* The middle of what a client sends is no beginning, whatever it looks like. */
static void takes_a_file_that_looks_like_tls_for_a_file(void **state)
{
	static const struct act acts[] = { UP("x"), UP(HELLO), UP(HELLO) };
	static const struct act body[] = { UP("PUT / HTTP/1.1\r\nContent-Length: 16\r\n\r\n"),
					   DOWN("HTTP/1.1 100 Continue\r\n\r\n"), UP(HELLO) };

	(void)state;
	EXPECT(acts, "data up x" HELLO_TOLD HELLO_TOLD "\n");
	expect_cut((struct peel_options){ 0 }, body, ARRAY_LEN(body), SIZE_MAX / 2,
		   "head up 1 PUT\n"
		   "data up PUT / HTTP/1.1\\x0d\\x0aContent-Length: 16\\x0d\\x0a\\x0d\\x0a\n"
		   "head down 1 100\ndata down HTTP/1.1 100 Continue\\x0d\\x0a\\x0d\\x0a\n"
		   "end up 1\ndata up " HELLO_TOLD "\n");
}

/* ---- tunnels --------------------------------------------------------------------------------- */

#define CONNECT "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n"
#define CONNECT_TOLD                                                                               \
	"data up CONNECT a.test:443 HTTP/1.1\\x0d\\x0aHost: a.test:443\\x0d\\x0a\\x0d\\x0a\n"
#define YES "HTTP/1.1 200 OK\r\n\r\n"
#define YES_TOLD "data down HTTP/1.1 200 OK\\x0d\\x0a\\x0d\\x0a\n"
#define NO "HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno"
#define NO_TOLD "data down HTTP/1.1 407 No\\x0d\\x0aContent-Length: 2\\x0d\\x0a\\x0d\\x0ano\n"

/* Without what is said when the connection ends, and without bytes: only what was understood. */
static void expect_heads(const struct act *acts, size_t count, const char *expected)
{
	static const size_t steps[] = { SIZE_MAX / 2, 1, 2, 5 };

	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		struct world w;

		world_open(&w, (struct peel_options){ 0 }, EV_ALL & ~EV_BIT(EV_DATA));
		play(&w, acts, count, steps[i]);
		assert_string_equal(world_text(), expected);
		world_close(&w);
	}
}
#define EXPECT_HEADS(acts, text) expect_heads(acts, ARRAY_LEN(acts), text)

static void looks_into_a_tunnel_of_connect(void **state)
{
	static const struct act acts[] = { UP(CONNECT), DOWN(YES), UP(HELLO), DOWN(SERVER) };
	static const struct act again[] = { UP(CONNECT), DOWN(NO),  UP(CONNECT),
					    DOWN(YES),	 UP(HELLO), DOWN(SERVER) };
	static const struct act http[] = { UP(CONNECT), DOWN(YES), UP("GET / HTTP/1.1\r\n\r\n"),
					   DOWN("HTTP/1.1 204 None\r\n\r\n") };

	(void)state;
	EXPECT_HEADS(acts,
		     "head up 1 CONNECT\nend up 1\nhead down 1 200\nend down 1\n" TLS_TOLD ENDS);
	EXPECT_HEADS(again,
		     "head up 1 CONNECT\nend up 1\nhead down 1 407\nend down 1\n"
		     "head up 2 CONNECT\nend up 2\nhead down 2 200\nend down 2\n" TLS_TOLD ENDS);
	EXPECT_HEADS(http, "head up 1 CONNECT\nend up 1\nhead down 1 200\nend down 1\n"
			   "head up 2 GET\nend up 2\nhead down 2 204\nend down 2\n");
	expect_cut((struct peel_options){ 0 }, acts, ARRAY_LEN(acts), SIZE_MAX / 2,
		   "head up 1 CONNECT\nend up 1\n" CONNECT_TOLD
		   "head down 1 200\nend down 1\n" YES_TOLD TLS_TOLD ENDS);
}

static void a_server_may_speak_first_in_a_tunnel(void **state)
{
	static const struct act acts[] = { UP(CONNECT),	       DOWN(YES "220 hi\r\n"),
					   UP("STARTTLS\r\n"), DOWN("220 go\r\n"),
					   UP(HELLO),	       DOWN(SERVER) };

	(void)state;
	EXPECT_HEADS(acts, "head up 1 CONNECT\nend up 1\nhead down 1 200\nend down 1\n"
			   "note TLS begins after STARTTLS (SMTP)\n" TLS_TOLD ENDS);
}

static void finds_tls_after_an_upgrade_to_it(void **state)
{
	static const struct act acts[] = {
		UP("OPTIONS * HTTP/1.1\r\nUpgrade: TLS/1.0\r\nConnection: Upgrade\r\n\r\n"),
		DOWN("HTTP/1.1 101 Go\r\nUpgrade: TLS/1.0\r\n\r\n"), UP(HELLO), DOWN(SERVER)
	};

	(void)state;
	EXPECT_HEADS(acts,
		     "head up 1 OPTIONS\nend up 1\nhead down 1 101\nend down 1\n" TLS_TOLD ENDS);
}

static void a_tunnel_in_a_tunnel_has_an_end(void **state)
{
	static struct act acts[41];

	(void)state;
	for (size_t i = 0; i < 40; i += 2) {
		acts[i] = (struct act)UP(CONNECT);
		acts[i + 1] = (struct act)DOWN(YES);
	}
	/* All of them could be in one segment; 101 needs no request that asks for it. */
	acts[40] = (struct act)DOWN("HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n"
				    "HTTP/1.1 101 Go\r\n\r\n");
	for (size_t from = 0; from < 41; from += 40) {
		struct world w;

		world_open(&w, (struct peel_options){ 0 }, EV_ALL & ~EV_BIT(EV_DATA));
		play(&w, acts + from, ARRAY_LEN(acts) - from, SIZE_MAX / 2);
		assert_non_null(strstr(world_text(), "head down 8"));
		assert_null(strstr(world_text(), "head down 9"));
		world_close(&w);
	}
}

#define SOCKS_UP                                                                                   \
	"\5\1\0"                                                                                   \
	"\5\1\0\3\6a.test\1\xbb"
#define SOCKS_DOWN                                                                                 \
	"\5\0"                                                                                     \
	"\5\0\0\1\0\0\0\0\0\0"

static void looks_into_a_tunnel_of_socks(void **state)
{
	static const struct act acts[] = { UP("\5\1\0"),
					   DOWN("\5\0"),
					   UP("\5\1\0\3\6a.test\1\xbb"),
					   DOWN("\5\0\0\1\0\0\0\0\0\0"),
					   UP(HELLO),
					   DOWN(SERVER) };
	static const struct act login[] = { UP("\5\2\0\2"),
					    DOWN("\5\2"),
					    UP("\1\1u\1p"),
					    DOWN("\1\0"),
					    UP("\5\1\0\1\1\2\3\4\1\xbb"),
					    DOWN("\5\0\0\3\1x\0\0"),
					    UP(HELLO),
					    DOWN(SERVER) };
	static const struct act at_once[] = { UP(SOCKS_UP HELLO), DOWN(SOCKS_DOWN SERVER) };
	static const struct act four[] = { UP("\4\1\1\xbb\1\2\3\4me\0"), DOWN("\0\x5a\0\0\0\0\0\0"),
					   UP(HELLO), DOWN(SERVER) };
	static const struct act no_name[] = { UP("\4\1\1\xbb\0\0\0\1me\0\0") };
	static const struct act four_a[] = { UP("\4\1\1\xbb\0\0\0\1me\0a.test\0" HELLO),
					     DOWN("\0\x5a\0\0\0\0\0\0" SERVER) };

	(void)state;
	EXPECT(acts, "note a SOCKS tunnel to a.test:443\n" TLS_TOLD ENDS);
	EXPECT(login, "note a SOCKS tunnel to 1.2.3.4:443\n" TLS_TOLD ENDS);
	EXPECT(at_once, "note a SOCKS tunnel to a.test:443\n" TLS_TOLD ENDS);
	EXPECT(four, "note a SOCKS tunnel to 1.2.3.4:443\n" TLS_TOLD ENDS);
	EXPECT(no_name, "data up \\x04\\x01\\x01\\xbb\\x00\\x00\\x00\\x01me\\x00\\x00\n");
	EXPECT(four_a, "note a SOCKS tunnel to a.test:443\n" TLS_TOLD ENDS);
}

static void socks_that_is_refused_or_none_is_bytes(void **state)
{
	static const struct act refused[] = { UP("\5\1\0"), DOWN("\5\xff"), UP("x") };
	static const struct act bind[] = { UP("\5\1\0"), DOWN("\5\0"), UP("\5\2\0\1\1\2\3\4\1\1") };
	static const struct act denied[] = { UP("\4\1\1\xbb\1\2\3\4me\0"),
					     DOWN("\0\x5b\0\0\0\0\0\0") };
	static const struct act ended[] = { UP("\5\1\0") };
	static const struct act lost[] = { UP("\5\1\0"), GAP_DOWN(2), UP("\5\1\0\1\1\2\3\4\1\1") };

	(void)state;
	EXPECT(refused, "data up \\x05\\x01\\x00\ndata down \\x05\\xff\ndata up x\n");
	EXPECT(bind, "data up \\x05\\x01\\x00\\x05\\x02\\x00\\x01\\x01\\x02\\x03\\x04\\x01\\x01\n"
		     "data down \\x05\\x00\n");
	EXPECT(denied, "data up \\x04\\x01\\x01\\xbb\\x01\\x02\\x03\\x04me\\x00\n"
		       "data down \\x00[\\x00\\x00\\x00\\x00\\x00\\x00\n");
	EXPECT(ended, "data up \\x05\\x01\\x00\n");
	EXPECT(lost, "data up \\x05\\x01\\x00\ngap down 2\n"
		     "data up \\x05\\x01\\x00\\x01\\x01\\x02\\x03\\x04\\x01\\x01\n");
}

static void steps_over_a_header_of_the_proxy_protocol(void **state)
{
	static const struct act one[] = { UP("PROXY TCP4 1.2.3.4 5.6.7.8 9 443\r\n" HELLO),
					  DOWN(SERVER) };
	static const struct act two[] = {
		UP("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3\4\5\6\7\x8\0\x9\1\xbb" HELLO),
		DOWN(SERVER)
	};
	static const struct act local[] = { UP("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0" HELLO),
					    DOWN(SERVER) };
	static const struct act http[] = { UP("PROXY UNKNOWN\r\nGET / HTTP/1.1\r\n\r\n") };

	(void)state;
	EXPECT(one,
	       "note by the PROXY protocol (version 1) this is 1.2.3.4:9 to 5.6.7.8:443\n" TLS_TOLD
		       ENDS);
	EXPECT(two,
	       "note by the PROXY protocol (version 2) this is 1.2.3.4:9 to 5.6.7.8:443\n" TLS_TOLD
		       ENDS);
	EXPECT(local, "note a PROXY protocol header (version 2) that names nobody\n" TLS_TOLD ENDS);
	EXPECT_HEADS(http, "note a PROXY protocol header (version 1) that names nobody\n"
			   "head up 1 GET\nend up 1\n");
}

static void headers_behind_headers_have_an_end(void **state)
{
	static char many[16 * 4000];
	const struct act act = { .what = DIR_UP, .bytes = { (uint8_t *)many, sizeof(many) } };
	struct world w;

	(void)state;
	for (size_t i = 0; i < sizeof(many); i += 16)
		memcpy(many + i, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", 16);
	world_open(&w, (struct peel_options){ 0 }, EV_ALL);
	play(&w, &act, 1, SIZE_MAX / 2);
	assert_int_equal(w.flow.bytes[DIR_UP], sizeof(many) - 8 * 16);
	world_close(&w);
}

/* ---- from the middle, and with gaps ---------------------------------------------------------- */

#define RECORD "\x17\3\3\0\4abcd"
#define RECORD_TOLD "\\x17\\x03\\x03\\x00\\x04abcd"
#define LATE ((struct peel_options){ .late = true })

static void finds_tls_in_the_middle(void **state)
{
	static const struct act one[] = { UP(RECORD) };
	static const struct act two[] = { DOWN(RECORD RECORD "\x17"), UP("x") };
	static const struct act inside[] = { DOWN("\xff\xfe\3\xfc" RECORD "\x17\3\3\0\x9"),
					     UP("\1\2\3") };
	static const struct act hello[] = { UP(HELLO), DOWN(SERVER) };

	(void)state;
	expect_cut(LATE, one, 1, SIZE_MAX / 2, "tls0 up " RECORD_TOLD "\n" ENDS);
	expect_cut(LATE, two, 2, SIZE_MAX / 2,
		   "tls0 down " RECORD_TOLD RECORD_TOLD "\\x17\ntls0 up x\n" ENDS);
	expect_cut(LATE, inside, 2, SIZE_MAX / 2,
		   "tls0 down " RECORD_TOLD
		   "\\x17\\x03\\x03\\x00\\x09\ntls0 up \\x01\\x02\\x03\n" ENDS);
	expect_of(LATE, hello, 2, TLS_TOLD ENDS);
}

static void gives_both_directions_to_one_session(void **state)
{
	static const struct act acts[] = { UP("\xff\xff\xff"), DOWN(RECORD RECORD) };

	(void)state;
	expect_cut(LATE, acts, 2, SIZE_MAX / 2,
		   "tls0 up \\xff\\xff\\xff\ntls0 down " RECORD_TOLD RECORD_TOLD "\n" ENDS);
}

static void takes_text_in_the_middle_for_text(void **state)
{
	static const struct act acts[] = { DOWN("250 ok\r\n"), UP("STARTTLS\r\n"),
					   DOWN("220 go\r\n"), UP(HELLO), DOWN(SERVER) };

	(void)state;
	expect_cut(LATE, acts, ARRAY_LEN(acts), SIZE_MAX / 2,
		   "data down 250 ok\\x0d\\x0a\ndata up STARTTLS\\x0d\\x0a\n"
		   "data down 220 go\\x0d\\x0a\n"
		   "note TLS begins after STARTTLS (SMTP)\n" TLS_TOLD ENDS);
}

static void goes_on_looking_after_a_gap(void **state)
{
	static const struct act word[] = { DOWN("220 hi\r\n"), UP("STARTTLS\r\n"), GAP_DOWN(8),
					   UP(HELLO), DOWN(SERVER) };
	static const struct act hello[] = { UP(CONNECT), DOWN(YES), GAP_UP(300), DOWN(SERVER) };
	static const struct act answer[] = { UP(CONNECT), GAP_DOWN(19), UP(HELLO), DOWN(SERVER) };
	static const struct act half[] = { UP("\x16\3\1"), GAP_UP(10), DOWN(SERVER) };

	(void)state;
	EXPECT(word, "data down 220 hi\\x0d\\x0a\ndata up STARTTLS\\x0d\\x0a\ngap down 8\n"
		     "note TLS begins after other bytes\n" TLS_TOLD ENDS);
	EXPECT_HEADS(hello, "head up 1 CONNECT\nend up 1\nhead down 1 200\nend down 1\n"
			    "tls gap up 300\ntls0 down " SERVER_SHOWN "\n" ENDS);
	expect_cut((struct peel_options){ 0 }, answer, ARRAY_LEN(answer), SIZE_MAX / 2,
		   "head up 1 CONNECT\nend up 1\n" CONNECT_TOLD
		   "gap down 19\nnote TLS begins after other bytes\n" TLS_TOLD ENDS);
	EXPECT(half, "data up \\x16\\x03\\x01\ngap up 10\nnote TLS begins after other bytes\n"
		     "tls0 down " SERVER_SHOWN "\n" ENDS);
}

static void http_goes_on_after_a_gap(void **state)
{
	static const struct act acts[] = {
		UP("GET /1 HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 200 OK\r\nContent-Length: 59\r\n\r\nab"),
		GAP_DOWN(50),
		DOWN("\xff\xfe rest"),
		UP("GET /2 HTTP/1.1\r\n\r\n"),
		DOWN("HTTP/1.1 204 None\r\n\r\n"),
	};
	struct world w;

	(void)state;
	world_open(&w, (struct peel_options){ 0 }, EV_ALL & ~EV_BIT(EV_DATA));
	play(&w, acts, ARRAY_LEN(acts), SIZE_MAX / 2);
	assert_string_equal(world_text(), "head up 1 GET\nend up 1\nhead down 1 200\ngap down 50\n"
					  "end down 1 truncated\nhead up 2 GET\nend up 2\n"
					  "head down 2 204\nend down 2\n");
	world_close(&w);
}

static void a_session_hears_of_gaps_and_secrets(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, (struct peel_options){ 0 }, EV_ALL);
	layer_secrets(w.peel, w.at);
	world_feed(&w, DIR_UP, bytes_str("\x16\3\1\1\1\1"), 100);
	layer_gap(w.peel, DIR_DOWN, 7, true, w.at);
	layer_secrets(w.peel, w.at);
	layer_end(w.peel, DIR_UP, END_RESET, w.at);
	assert_string_equal(world_text(),
			    "tls0 up \\x16\\x03\\x01\\x01\\x01\\x01\n"
			    "tls gap down 7 truncated\ntls secrets\ntls end up reset\n");
	world_close(&w);
}

/* ---- within TLS, and within bounds ----------------------------------------------------------- */

static void makes_a_peel_for_what_is_inside_tls(void **state)
{
	struct world w;
	struct layer *inside;

	(void)state;
	world_open(&w, (struct peel_options){ .depth = 2 }, EV_ALL);
	world_feed(&w, DIR_UP, bytes_of(HELLO, sizeof(HELLO) - 1), 100);
	assert_int_equal(last_session->depth, 2);
	assert_int_equal(last_session->above(last_session->ctx, bytes_str("h2"), false, &inside,
					     NULL),
			 0);
	layer_feed(inside, DIR_UP, bytes_of(HELLO, sizeof(HELLO) - 1), w.at);
	assert_int_equal(last_session->depth, 3);
	layer_free(inside);
	assert_string_equal(world_text(), "tls2 up " HELLO_TOLD "\ntls3 up " HELLO_TOLD "\n");
	world_close(&w);
}

static void tls_in_tls_has_an_end(void **state)
{
	static const struct act acts[] = { UP(HELLO) };

	(void)state;
	expect_of((struct peel_options){ .depth = TAP_DEPTH_MAX }, acts, 1,
		  "data up " HELLO_TOLD "\n");
	expect_of((struct peel_options){ .depth = TAP_DEPTH_MAX, .late = true }, acts, 1,
		  "data up " HELLO_TOLD "\n");
}

/* In the middle of what is no TLS and no text. */
static void holds_no_more_than_it_may(void **state)
{
	static uint8_t noise[1000];
	struct world w;
	size_t most = 0;

	(void)state;
	memset(noise, 0xee, sizeof(noise));
	world_open(&w, LATE, EV_ALL & ~EV_BIT(EV_DATA));
	for (int i = 0; i < 100; i++) {
		world_feed(&w, DIR_DOWN, bytes_of(noise, sizeof(noise)), 1000);
		most = w.shared.held > most ? w.shared.held : most;
	}
	assert_true(most > 60000 && most <= 65536);
	assert_int_equal(w.shared.held, 0);
	assert_int_equal(w.flow.bytes[DIR_DOWN], 100000);
	world_close(&w);

	world_open(&w, LATE, EV_ALL & ~EV_BIT(EV_DATA));
	w.shared.held_max = 2500;
	world_feed(&w, DIR_DOWN, bytes_of(noise, sizeof(noise)), 1000);
	world_feed(&w, DIR_UP, bytes_of(noise, sizeof(noise)), 1000);
	assert_int_equal(w.shared.held, 2000);
	world_feed(&w, DIR_DOWN, bytes_of(noise, sizeof(noise)), 1000);
	assert_int_equal(w.shared.held, 0);
	assert_int_equal(w.flow.bytes[DIR_DOWN], 2000);
	assert_int_equal(w.flow.bytes[DIR_UP], 1000);
	world_close(&w);
}

/* A long dialogue does not lead to TLS any more. */
static void stops_looking_after_a_while(void **state)
{
	static uint8_t noise[70000];
	struct world w;

	(void)state;
	memset(noise, 'n', sizeof(noise));
	world_open(&w, (struct peel_options){ 0 }, EV_ALL & ~EV_BIT(EV_DATA));
	world_feed(&w, DIR_UP, bytes_of(noise, sizeof(noise)), sizeof(noise));
	world_feed(&w, DIR_DOWN, bytes_str("x"), 1);
	world_feed(&w, DIR_UP, bytes_of(HELLO, sizeof(HELLO) - 1), 100);
	assert_string_equal(world_text(), "");
	assert_int_equal(w.flow.bytes[DIR_UP], sizeof(noise) + sizeof(HELLO) - 1);
	world_close(&w);
}

/* Every allocation fails once: the flow goes dark, and nothing is leaked. */
static void fails_without_memory(void **state)
{
	static const struct act acts[] = { UP("PROXY UNKNOWN\r\n" SOCKS_UP CONNECT),
					   DOWN(SOCKS_DOWN YES), UP(HELLO), DOWN(SERVER) };
	struct tap_shared shared = { 0 };
	struct tap_flow flow = { .shared = &shared };
	struct peel_options o = { .flow = &flow };
	struct layer *l = NULL;

	(void)state;
	mem_fail_at(1);
	assert_int_equal(peel_new(&o, &l, NULL), -1);
	mem_fail_at(0);
	for (size_t n = 1; n < 40; n++) {
		struct world w;

		world_open(&w, (struct peel_options){ 0 }, 0);
		for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
			mem_fail_at(i == 0 || n > 20 ? n % 21 + 1 : 0);
			layer_feed(w.peel, (enum flow_dir)acts[i].what, acts[i].bytes, w.at);
			mem_fail_at(0);
		}
		world_end(&w);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_tls_by_its_hello),
		cmocka_unit_test(finds_tls_when_the_client_was_not_heard),
		cmocka_unit_test(finds_tls_by_an_alert),
		cmocka_unit_test(finds_tls_by_a_hello_in_the_old_format),
		cmocka_unit_test(takes_everything_else_for_plaintext),
		cmocka_unit_test(every_truncation_of_a_hello_is_bytes_or_tls),
		cmocka_unit_test(finds_tls_after_starttls_of_mail),
		cmocka_unit_test(finds_tls_after_the_words_of_each_protocol),
		cmocka_unit_test(finds_a_hello_behind_a_request_in_one_segment),
		cmocka_unit_test(finds_tls_after_words_that_nobody_knows),
		cmocka_unit_test(waits_for_the_word_that_comes_late),
		cmocka_unit_test(postgresql_may_refuse_other_things_first),
		cmocka_unit_test(takes_a_file_that_looks_like_tls_for_a_file),
		cmocka_unit_test(looks_into_a_tunnel_of_connect),
		cmocka_unit_test(a_server_may_speak_first_in_a_tunnel),
		cmocka_unit_test(finds_tls_after_an_upgrade_to_it),
		cmocka_unit_test(a_tunnel_in_a_tunnel_has_an_end),
		cmocka_unit_test(looks_into_a_tunnel_of_socks),
		cmocka_unit_test(socks_that_is_refused_or_none_is_bytes),
		cmocka_unit_test(steps_over_a_header_of_the_proxy_protocol),
		cmocka_unit_test(headers_behind_headers_have_an_end),
		cmocka_unit_test(finds_tls_in_the_middle),
		cmocka_unit_test(gives_both_directions_to_one_session),
		cmocka_unit_test(takes_text_in_the_middle_for_text),
		cmocka_unit_test(goes_on_looking_after_a_gap),
		cmocka_unit_test(http_goes_on_after_a_gap),
		cmocka_unit_test(a_session_hears_of_gaps_and_secrets),
		cmocka_unit_test(makes_a_peel_for_what_is_inside_tls),
		cmocka_unit_test(tls_in_tls_has_an_end),
		cmocka_unit_test(holds_no_more_than_it_may),
		cmocka_unit_test(stops_looking_after_a_while),
		cmocka_unit_test(fails_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
