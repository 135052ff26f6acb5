/* The clients that bench/bump measures with: one thread, TLS 1.3 by our own TLS room, HTTP/1.1,
 * straight to an address or through CONNECT. Prints one JSON line.
 *
 * usage: bench_load MODE --to ADDR:PORT [--tunnel ADDR:PORT] [--name h%.bench.test] [--first N]
 *                   [--names N] [--flight K] [--count N] [--seconds S] [--path /small] [--ca FILE]
 * MODE: check      one after another: the chain, the name and each byte of the answer are right
 *       connect    a connection with one request each, K in flight, until N or S is reached
 *       request    K connections, requests one after another on each
 *       bulk       K connections with one large download each; its bytes are counted, not decrypted
 *       idle       opens N connections, says READY, holds them until its input ends
 * The % of the name becomes a number: first, first + 1, ... and again first after --names. Latencies
 * are from connect(2) to the last byte of the answer; in request mode from request to answer. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/sock.h"
#include "pki/verify.h"
#include "tls/tls.h"

#define NS_PER_S 1e9
#define SAMPLES_MAX ((size_t)4 << 20)
#define READ_SIZE ((size_t)256 << 10)
#define BLIND_SIZE ((size_t)4 << 20)
#define HEAD_MAX ((size_t)16 << 10)
#define CHAIN_MAX 16
#define PATTERN_MASK (((size_t)1 << 20) - 1)

enum mode { MODE_CHECK, MODE_CONNECT, MODE_REQUEST, MODE_BULK, MODE_IDLE, MODE_COUNT };

static const char *const mode_names[] = { "check", "connect", "request", "bulk", "idle" };

struct load {
	enum mode mode;
	struct addr to;
	const char *tunnel, *path, *ca;
	char name_before[64], name_after[64];
	uint64_t first, names, count;
	size_t flight;
	double seconds;

	struct loop *loop;
	struct tls_policy *policy;
	struct verifier *verifier;
	int64_t started_ns, end_ns, done_ns;
	uint64_t begun, finished, failed, bytes;
	size_t open, ready;
	uint32_t *samples_us;
	size_t sample_count;
	char first_error[600];
	bool over;
	uint8_t cipher[READ_SIZE], plain[READ_SIZE + 32768];
};

enum conn_state { CONN_CONNECTING, CONN_TUNNEL, CONN_SHAKING, CONN_ANSWER, CONN_BLIND, CONN_IDLE };

struct conn {
	struct load *load;
	enum conn_state state;
	int fd;
	struct loop_watch *watch;
	struct tls *tls;
	struct buf in, out, head;
	char name[140];
	int64_t began_ns;
	bool head_read;
	uint64_t body, got;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_load: %s\n", what);
	exit(1);
}

static void conn_start(struct load *l);

/* --- the end of things --- */

static void sample(struct load *l, int64_t ns)
{
	if (l->sample_count < SAMPLES_MAX)
		l->samples_us[l->sample_count++] = (uint32_t)(ns / 1000);
}

static void conn_free(struct conn *c)
{
	loop_watch_free(c->watch);
	tls_free(c->tls);
	sock_close(&c->fd);
	buf_fini(&c->in);
	buf_fini(&c->out);
	buf_fini(&c->head);
	c->load->open--;
	mem_free(c);
}

static bool wants_more(const struct load *l)
{
	if (l->over || (l->count && l->begun >= l->count))
		return false;
	return l->seconds <= 0 || clock_mono_ns() < l->end_ns;
}

static void refill(struct load *l)
{
	while (l->open < l->flight && wants_more(l))
		conn_start(l);
	if (l->open == 0)
		loop_stop(l->loop);
}

static void conn_fail(struct conn *c, const char *why)
{
	struct load *l = c->load;

	if (!l->failed++)
		snprintf(l->first_error, sizeof(l->first_error), "%s: %s", c->name, why);
	/* A contestant that answers nothing at all is not asked forever. */
	if (l->failed > 100 && l->failed > l->finished)
		l->over = true;
	conn_free(c);
	refill(l);
}

static void conn_done(struct conn *c)
{
	struct load *l = c->load;

	if (l->mode != MODE_REQUEST) {
		sample(l, clock_mono_ns() - c->began_ns);
		l->finished++;
	}
	if (c->tls && c->state != CONN_BLIND) {
		size_t sent;

		tls_shutdown(c->tls);
		(void)sock_write(c->fd, buf_bytes(&c->out), &sent);
	}
	conn_free(c);
	refill(l);
}

/* --- one connection --- */

/* A proxy that leaves Nagle's algorithm on (SSLsplit) may hold its answer back until its tickets are
 * acknowledged, depending on what comes first: 40 ms that say nothing about its work. */
static void acknowledge_now(const struct conn *c)
{
	int on = 1;

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static void flush(struct conn *c)
{
	while (c->out.n) {
		size_t sent = 0;

		if (sock_write(c->fd, buf_bytes(&c->out), &sent) != SOCK_DONE)
			break; /* what is wrong is told by reading */
		buf_take(&c->out, sent);
	}
	if (c->load->mode == MODE_CONNECT && c->state >= CONN_SHAKING)
		acknowledge_now(c);
	loop_watch_set(c->watch, c->out.n ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

/* Squid goes by the Host rather than by what it was asked to CONNECT to, so that they are the same. */
static int ask(struct conn *c, struct err *e)
{
	struct load *l = c->load;
	char text[400];
	int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", l->path,
			 l->tunnel ? l->tunnel : c->name,
			 l->mode == MODE_BULK ? "Connection: close\r\n" : "");

	c->head_read = false;
	c->body = c->got = 0;
	buf_clear(&c->head);
	c->state = l->mode == MODE_BULK ? CONN_BLIND : CONN_ANSWER;
	return tls_write(c->tls, bytes_of(text, (size_t)n), e);
}

static int check_chain(struct conn *c, struct err *e)
{
	struct bytes der[CHAIN_MAX];
	struct verify_request req = { .der = der,
				      .name = bytes_str(c->name),
				      .now_s = clock_wall_ns() / 1000000000 };
	struct verdict v;

	if (tls_peer_chain(c->tls, der, CHAIN_MAX, &req.count, e) < 0 ||
	    verifier_check(c->load->verifier, &req, &v, e) < 0)
		return -1;
	return v.result == VERIFY_OK ? 0 : FAIL(e, CERT, "%s", v.reason);
}

static int shaken(struct conn *c, struct err *e)
{
	struct load *l = c->load;

	if (l->mode == MODE_CHECK && check_chain(c, e) < 0)
		return -1;
	if (l->mode == MODE_IDLE) {
		c->state = CONN_IDLE;
		tls_slim(c->tls);
		if (++l->ready == l->count) {
			printf("READY %zu\n", l->ready);
			fflush(stdout);
		}
		if (l->begun < l->count)
			conn_start(l);
		return 0;
	}
	if (l->mode == MODE_REQUEST)
		c->began_ns = clock_mono_ns();
	/* The handshake's end and the request go out one after the other, as clients of libssl send them. */
	flush(c);
	return ask(c, e);
}

static int shake(struct conn *c, struct err *e)
{
	struct tls_client_options o = { .policy = c->load->policy, .sni = bytes_str(c->name) };

	c->state = CONN_SHAKING;
	if (tls_client_new(&o, &c->out, &c->tls, e) < 0)
		return -1;
	return tls_run(c->tls, e) == TLS_FAILED ? -1 : 0;
}

/* The position after the empty line; 0: not there yet. */
static size_t head_end(struct bytes b)
{
	for (size_t i = 0; i + 4 <= b.n; i++) {
		if (memcmp(b.p + i, "\r\n\r\n", 4) == 0)
			return i + 4;
	}
	return 0;
}

static int head_take(struct conn *c, struct bytes head, struct err *e)
{
	static const char length[] = "\r\nContent-Length:";
	struct bytes status = bytes_slice(head, 8, 4), value;

	if (!bytes_starts(head, bytes_str("HTTP/1.")) || !bytes_equal(status, bytes_str(" 200")))
		return FAIL(e, HTTP_DECODE, "answered with %.*s", (int)bytes_index(head, '\r'),
			    (const char *)head.p);
	for (size_t i = 0; i < head.n; i++) {
		if (!bytes_equal_nocase(bytes_slice(head, i, sizeof(length) - 1),
					bytes_str(length)))
			continue;
		value = bytes_slice(head, i + sizeof(length) - 1, head.n);
		if (bytes_decimal(bytes_trim(bytes_slice(value, 0, bytes_index(value, '\r'))),
				  UINT64_MAX / 2, &c->body))
			return 0;
	}
	return FAIL(e, HTTP_DECODE, "an answer without Content-Length");
}

static int check_body(const struct conn *c, struct bytes b, struct err *e)
{
	if (c->load->mode != MODE_CHECK)
		return 0;
	for (size_t i = 0; i < b.n; i++) {
		size_t at = (c->got + i) & PATTERN_MASK;

		if (b.p[i] != (uint8_t)(at * 7 + (at >> 9)))
			return FAIL(e, HTTP_DECODE, "byte %zu of the body is wrong", at);
	}
	return 0;
}

/* Plaintext of an answer. 1: it is complete. */
static int answer_take(struct conn *c, struct bytes b, struct err *e)
{
	if (!c->head_read) {
		size_t before = c->head.n, end;

		if (buf_add(&c->head, bytes_slice(b, 0, HEAD_MAX - before), e) < 0)
			return -1;
		end = head_end(buf_bytes(&c->head));
		if (!end)
			return c->head.n < HEAD_MAX ? 0 : FAIL(e, LIMIT, "an endless head");
		if (head_take(c, bytes_of(c->head.p, end), e) < 0)
			return -1;
		c->head_read = true;
		b = bytes_slice(b, end - before, b.n);
	}
	if (check_body(c, b, e) < 0)
		return -1;
	c->got += b.n;
	c->load->bytes += b.n;
	return c->got >= c->body;
}

/* 1: the connection is over, well. */
static int answered(struct conn *c, struct err *e)
{
	struct load *l = c->load;

	if (l->mode != MODE_REQUEST)
		return 1;
	sample(l, clock_mono_ns() - c->began_ns);
	l->finished++;
	l->begun++;
	if (!wants_more(l))
		return 1;
	c->began_ns = clock_mono_ns();
	return ask(c, e);
}

static int read_tls(struct conn *c, struct err *e)
{
	struct load *l = c->load;
	enum tls_status st;
	size_t got;

	tls_feed(c->tls, buf_bytes(&c->in));
	if (c->state == CONN_SHAKING) {
		st = tls_run(c->tls, e);
		if (st == TLS_FAILED || (st == TLS_OPEN && shaken(c, e) < 0))
			return -1;
	}
	while (c->state == CONN_ANSWER || c->state == CONN_IDLE) {
		int r = 0;

		st = tls_read(c->tls, l->plain, sizeof(l->plain), &got, e);
		if (got)
			r = answer_take(c, bytes_of(l->plain, got), e);
		if (r > 0)
			r = answered(c, e);
		if (r || st == TLS_FAILED)
			return r ? r : -1;
		if (st == TLS_CLOSED)
			return FAIL(e, CLOSED, "closed before the answer was complete");
		if (!got)
			break;
	}
	buf_take(&c->in, tls_consumed(c->tls));
	tls_feed(c->tls, bytes_of(NULL, 0));
	return 0;
}

static int read_tunnel(struct conn *c, struct err *e)
{
	size_t end = head_end(buf_bytes(&c->in));

	if (!end)
		return 0;
	if (!bytes_equal(bytes_slice(buf_bytes(&c->in), 8, 4), bytes_str(" 200")))
		return FAIL(e, CONNECT, "CONNECT was answered with %.*s",
			    (int)bytes_index(buf_bytes(&c->in), '\r'), (const char *)c->in.p);
	buf_take(&c->in, end);
	return shake(c, e);
}

/* The kernel counts and drops. 1: all has come. */
static int read_blind(struct conn *c, struct err *e)
{
	struct load *l = c->load;
	uint64_t want = 0;

	for (int turn = 0; turn < 8; turn++) {
		ssize_t n = recv(c->fd, NULL, BLIND_SIZE, MSG_TRUNC | MSG_DONTWAIT);

		if (n > 0) {
			c->got += (uint64_t)n;
			l->bytes += (uint64_t)n;
			continue;
		}
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (!bytes_starts(bytes_str(l->path), bytes_str("/bytes/")) ||
		    !bytes_decimal(bytes_str(l->path + 7), UINT64_MAX / 2, &want) || c->got < want)
			return FAIL(e, CLOSED, "the download ended after %llu bytes",
				    (unsigned long long)c->got);
		return 1;
	}
	return 0;
}

static int read_some(struct conn *c, struct err *e)
{
	struct load *l = c->load;
	size_t got = 0;

	if (c->state == CONN_BLIND && c->out.n == 0)
		return read_blind(c, e);
	switch (sock_read(c->fd, l->cipher, sizeof(l->cipher), &got)) {
	case SOCK_AGAIN:
		return 0;
	case SOCK_DONE:
		break;
	default:
		return FAIL(e, CLOSED, "the connection was closed in state %d", (int)c->state);
	}
	if (buf_add(&c->in, bytes_of(l->cipher, got), e) < 0)
		return -1;
	return c->state == CONN_TUNNEL ? read_tunnel(c, e) : read_tls(c, e);
}

static int connected(struct conn *c, struct err *e)
{
	int error = sock_error(c->fd);

	if (error)
		return FAIL(e, CONNECT, "%s", strerrordesc_np(error));
	if (!c->load->tunnel)
		return shake(c, e);
	c->state = CONN_TUNNEL;
	return buf_printf(&c->out, e, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", c->load->tunnel,
			  c->load->tunnel);
}

static void on_event(void *ctx, unsigned events)
{
	struct conn *c = ctx;
	struct err e = { 0 };
	int r = 0;

	if (c->state == CONN_CONNECTING)
		r = connected(c, &e);
	else if (events & LOOP_READ)
		r = read_some(c, &e);
	if (r < 0)
		conn_fail(c, e.sentence);
	else if (r > 0)
		conn_done(c);
	else
		flush(c);
}

static void conn_start(struct load *l)
{
	struct conn *c = mem_new(sizeof(*c));
	struct err e = { 0 };

	if (!c)
		die("no memory");
	c->load = l;
	c->fd = -1;
	c->in = buf_init((size_t)1 << 20);
	c->out = buf_init((size_t)1 << 16);
	c->head = buf_init(HEAD_MAX);
	snprintf(c->name, sizeof(c->name), "%s", l->name_before);
	if (l->names)
		snprintf(c->name, sizeof(c->name), "%s%llu%s", l->name_before,
			 (unsigned long long)(l->first + l->begun % l->names), l->name_after);
	l->begun++;
	l->open++;
	c->began_ns = clock_mono_ns();
	if (sock_connect(&l->to, &c->fd, &e) < 0 ||
	    loop_watch_new(l->loop, c->fd, (struct loop_watch_call){ on_event, c }, &c->watch, &e) <
		    0)
		die(e.sentence);
	loop_watch_set(c->watch, LOOP_WRITE);
}

/* --- the whole --- */

static int compare(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static uint32_t percentile(const struct load *l, double part)
{
	return l->sample_count ? l->samples_us[(size_t)((double)(l->sample_count - 1) * part)] : 0;
}

static void report(struct load *l)
{
	double seconds = (double)(l->done_ns - l->started_ns) / NS_PER_S;

	qsort(l->samples_us, l->sample_count, sizeof(*l->samples_us), compare);
	for (char *p = l->first_error; *p; p++) {
		if (*p == '"' || *p == '\\' || *p < ' ')
			*p = '\'';
	}
	printf("{\"mode\":\"%s\",\"count\":%llu,\"failed\":%llu,\"seconds\":%.4f,\"bytes\":%llu,"
	       "\"p50_us\":%u,\"p99_us\":%u,\"first_error\":\"%s\"}\n",
	       mode_names[l->mode], (unsigned long long)l->finished, (unsigned long long)l->failed,
	       seconds, (unsigned long long)l->bytes, percentile(l, 0.5), percentile(l, 0.99),
	       l->first_error);
}

static void on_input(void *ctx, unsigned events)
{
	struct load *l = ctx;
	char c;

	(void)events;
	if (read(0, &c, 1) <= 0)
		loop_stop(l->loop);
}

static void option(struct load *l, const char *name, const char *value)
{
	const char *mark;
	struct err e = { 0 };

	if (strcmp(name, "--to") == 0 && addr_parse(bytes_str(value), &l->to, &e) < 0) {
		die(e.sentence);
	} else if (strcmp(name, "--tunnel") == 0) {
		l->tunnel = value;
	} else if (strcmp(name, "--name") == 0) {
		mark = strchr(value, '%');
		snprintf(l->name_before, sizeof(l->name_before), "%.*s",
			 mark ? (int)(mark - value) : 63, value);
		snprintf(l->name_after, sizeof(l->name_after), "%s", mark ? mark + 1 : "");
		l->names = mark ? l->names : 0;
	} else if (strcmp(name, "--first") == 0) {
		l->first = strtoul(value, NULL, 10);
	} else if (strcmp(name, "--names") == 0) {
		l->names = strtoul(value, NULL, 10);
	} else if (strcmp(name, "--flight") == 0) {
		l->flight = strtoul(value, NULL, 10);
	} else if (strcmp(name, "--count") == 0) {
		l->count = strtoul(value, NULL, 10);
	} else if (strcmp(name, "--seconds") == 0) {
		l->seconds = strtod(value, NULL);
	} else if (strcmp(name, "--path") == 0) {
		l->path = value;
	} else if (strcmp(name, "--ca") == 0) {
		l->ca = value;
	} else if (strcmp(name, "--to") != 0) {
		die("no such option; see the head of bench/tools/load.c");
	}
}

static void make_verifier(struct load *l)
{
	AUTO(buf_fini) struct buf pem = buf_init((size_t)1 << 20);
	struct verifier_options o = { 0 };
	struct err e = { 0 };
	size_t count, skipped;
	uint8_t *room;
	FILE *f = l->ca ? fopen(l->ca, "r") : NULL;

	if (!f)
		die("check needs --ca with the root to expect");
	if (buf_reserve(&pem, HEAD_MAX, &room, &e) < 0)
		die(e.sentence);
	buf_commit(&pem, fread(room, 1, HEAD_MAX, f));
	fclose(f);
	if (trust_new(buf_bytes(&pem), &o.trust, &count, &skipped, &e) < 0 ||
	    verifier_new(&o, &l->verifier, &e) < 0)
		die(e.sentence);
}

static void prepare(struct load *l)
{
	struct tls_policy_options o = { .side = TLS_CLIENT, .min_version = 0x0304 };
	struct err e = { 0 };

	sock_fd_limit();
	l->samples_us = mem_new_array(SAMPLES_MAX, sizeof(*l->samples_us));
	if (!l->samples_us)
		die("no memory");
	if (tls_init(&e) < 0 || tls_policy_new(&o, &l->policy, &e) < 0 ||
	    loop_new(&l->loop, &e) < 0)
		die(e.sentence);
	if (l->mode == MODE_CHECK)
		make_verifier(l);
	if (l->mode == MODE_IDLE) {
		struct loop_watch *input;

		if (loop_watch_new(l->loop, 0, (struct loop_watch_call){ on_input, l }, &input,
				   &e) < 0)
			die(e.sentence);
		loop_watch_set(input, LOOP_READ);
	}
}

int main(int argc, char **argv)
{
	static struct load l = { .mode = MODE_COUNT, .path = "/small", .flight = 1, .names = 1 };

	for (enum mode m = 0; argc > 1 && m < MODE_COUNT; m++) {
		if (strcmp(argv[1], mode_names[m]) == 0)
			l.mode = m;
	}
	if (l.mode == MODE_COUNT || argc % 2 != 0)
		die("usage: see the head of bench/tools/load.c");
	for (int i = 2; i < argc; i += 2)
		option(&l, argv[i], argv[i + 1]);
	if (!l.to.port || !l.name_before[0] || (!l.count && l.seconds <= 0) || !l.flight)
		die("--to, --name, and --count or --seconds are needed");
	prepare(&l);
	l.started_ns = clock_mono_ns();
	l.end_ns = l.started_ns + (int64_t)(l.seconds * NS_PER_S);
	for (size_t i = 0; i < l.flight && wants_more(&l); i++)
		conn_start(&l);
	loop_run(l.loop);
	l.done_ns = clock_mono_ns();
	report(&l);
	return l.finished && !l.failed ? 0 : 1;
}
