#include "proxy/leg.h"

#include <assert.h>

#define TO(state) (1u << (state))
/* From anywhere a leg may be closed. */
static const struct {
	const char *name;
	uint32_t next;
} states[LEG_STATE_COUNT] = {
	[LEG_NONE] = { "none", TO(LEG_CONNECTING) | TO(LEG_HELLO) },
	[LEG_CONNECTING] = { "connecting", TO(LEG_HELLO) },
	[LEG_HELLO] = { "hello",
			TO(LEG_PAUSED) | TO(LEG_HANDSHAKING) | TO(LEG_OPEN) | TO(LEG_SELF_DONE) },
	[LEG_PAUSED] = { "paused", TO(LEG_HANDSHAKING) | TO(LEG_OPEN) | TO(LEG_SELF_DONE) },
	[LEG_HANDSHAKING] = { "handshaking", TO(LEG_OPEN) | TO(LEG_SELF_DONE) },
	[LEG_OPEN] = { "open", TO(LEG_PEER_DONE) | TO(LEG_SELF_DONE) },
	[LEG_PEER_DONE] = { "peer done", 0 },
	[LEG_SELF_DONE] = { "self done", 0 },
	[LEG_CLOSED] = { "closed", TO(LEG_CONNECTING) },
};

const char *leg_state_text(enum leg_state s)
{
	return states[s].name;
}

void leg_go(struct leg *l, enum leg_state to)
{
	assert(to == LEG_CLOSED || (states[l->state].next & TO(to)));
	l->state = to;
}

bool leg_may_read(const struct leg *l)
{
	return l->fd >= 0 && l->state != LEG_PEER_DONE && l->state != LEG_CLOSED;
}

bool leg_may_write(const struct leg *l)
{
	return l->fd >= 0 && l->state != LEG_SELF_DONE && l->state != LEG_CLOSED;
}

/* A read of half the limit on top of the other half, and what records add to it. */
static size_t out_max(size_t limit)
{
	return limit + limit / 64 + 64 * 1024;
}

void leg_init(struct leg *l, size_t limit)
{
	*l = (struct leg){ .fd = -1,
			   .in = buf_init(LEG_IN_MAX),
			   .out = buf_init(out_max(limit)),
			   .limit = limit };
}

bool leg_has_room(const struct leg *l)
{
	return l->out.n <= l->limit / 2;
}

static size_t read_size(const struct leg *l)
{
	return l->limit / 2 < LEG_READ_SIZE ? l->limit / 2 : LEG_READ_SIZE;
}

int leg_open(struct leg *l, struct loop *loop, int fd, struct loop_watch_call call, struct err *e)
{
	if (loop_watch_new(loop, fd, call, &l->watch, e) < 0) {
		sock_close(&fd);
		return -1;
	}
	l->fd = fd;
	if (sock_local(fd, &l->local, NULL) < 0)
		l->local = (struct addr){ 0 };
	if (sock_peer(fd, &l->remote, NULL) < 0)
		l->remote = (struct addr){ 0 };
	leg_go(l, LEG_HELLO);
	return 0;
}

static void leg_drop(struct leg *l)
{
	tls_free(l->tls);
	l->tls = NULL;
	loop_watch_free(l->watch);
	l->watch = NULL;
	buf_fini(&l->in);
	buf_fini(&l->out);
	leg_go(l, LEG_CLOSED);
}

void leg_close(struct leg *l)
{
	leg_drop(l);
	sock_close(&l->fd);
}

void leg_close_reset(struct leg *l)
{
	leg_drop(l);
	sock_close_reset(&l->fd);
}

static enum leg_io io_of(enum sock_io r)
{
	switch (r) {
	case SOCK_DONE:
		return LEG_IO_DATA;
	case SOCK_AGAIN:
		return LEG_IO_AGAIN;
	case SOCK_END:
		return LEG_IO_END;
	case SOCK_RESET:
	case SOCK_FAILED:
		break;
	}
	return LEG_IO_RESET;
}

enum leg_io leg_fill(struct leg *l, struct leg_scratch *s, struct err *e)
{
	size_t want = buf_room(&l->in) < sizeof(s->cipher) ? buf_room(&l->in) : sizeof(s->cipher);
	size_t got = 0;
	enum leg_io r;

	/* Waiting would be for ever: the socket stays readable. */
	if (want == 0) {
		(void)FAIL(e, LIMIT, "%zu bytes that make no whole message", l->in.n);
		return LEG_IO_FAULT;
	}
	r = io_of(sock_read(l->fd, s->cipher, want, &got));
	if (r == LEG_IO_DATA && buf_add(&l->in, bytes_of(s->cipher, got), e) < 0)
		return LEG_IO_FAULT;
	return r;
}

bool leg_has_pending(const struct leg *l)
{
	return l->in.n > 0 || l->more_plain;
}

/* One read of at most n bytes; less than that is all there was. */
static enum leg_io read_socket(struct leg *l, uint8_t *p, size_t n, size_t *got)
{
	enum leg_io r = io_of(sock_read(l->fd, p, n, got));

	l->drained = *got < n;
	return r;
}

/* Without TLS: first what was read early, then the socket. */
static enum leg_io read_raw(struct leg *l, struct leg_scratch *s, size_t *got)
{
	if (l->in.n) {
		*got = l->in.n < sizeof(s->plain) ? l->in.n : sizeof(s->plain);
		memcpy(s->plain, l->in.p, *got);
		buf_take(&l->in, *got);
		buf_shrink(&l->in);
		return LEG_IO_DATA;
	}
	return read_socket(l, s->plain, read_size(l), got);
}

/* What tls_read makes of the ciphertext fed before; the rest of it is kept in l->in. */
static enum leg_io read_session(struct leg *l, struct leg_scratch *s, size_t *got, struct err *e)
{
	enum tls_status st = tls_read(l->tls, s->plain, sizeof(s->plain), got, e);

	l->more_plain = st == TLS_OPEN && *got == sizeof(s->plain);
	if (st == TLS_FAILED)
		return LEG_IO_FAULT;
	if (st == TLS_CLOSED)
		return LEG_IO_END;
	return *got ? LEG_IO_DATA : LEG_IO_AGAIN;
}

/* Reads from bytes that are already in l->in, or from the session itself. */
static enum leg_io read_kept(struct leg *l, struct leg_scratch *s, size_t *got, struct err *e)
{
	enum leg_io r;

	tls_feed(l->tls, buf_bytes(&l->in));
	r = read_session(l, s, got, e);
	buf_take(&l->in, tls_consumed(l->tls));
	tls_feed(l->tls, bytes_of(NULL, 0));
	buf_shrink(&l->in);
	return r;
}

static enum leg_io read_fresh(struct leg *l, struct leg_scratch *s, size_t n, size_t *got,
			      struct err *e)
{
	enum leg_io r;
	size_t used;

	tls_feed(l->tls, bytes_of(s->cipher, n));
	r = read_session(l, s, got, e);
	used = tls_consumed(l->tls);
	tls_feed(l->tls, bytes_of(NULL, 0));
	if (r != LEG_IO_FAULT && used < n &&
	    buf_add(&l->in, bytes_of(s->cipher + used, n - used), e) < 0)
		return LEG_IO_FAULT;
	return r;
}

enum leg_io leg_read(struct leg *l, struct leg_scratch *s, size_t *got, struct err *e)
{
	enum leg_io r;
	size_t n = 0;

	*got = 0;
	if (!l->tls)
		return read_raw(l, s, got);
	if (leg_has_pending(l)) {
		r = read_kept(l, s, got, e);
		if (r != LEG_IO_AGAIN)
			return r;
	}
	r = read_socket(l, s->cipher, read_size(l), &n);
	if (r == LEG_IO_END)
		return LEG_IO_CUT;
	if (r != LEG_IO_DATA)
		return r;
	if (l->in.n == 0)
		return read_fresh(l, s, n, got, e);
	if (buf_add(&l->in, bytes_of(s->cipher, n), e) < 0)
		return LEG_IO_FAULT;
	return read_kept(l, s, got, e);
}

int leg_write(struct leg *l, struct bytes plain, struct err *e)
{
	if (plain.n == 0)
		return 0;
	return l->tls ? tls_write(l->tls, plain, e) : buf_add(&l->out, plain, e);
}

enum leg_io leg_flush(struct leg *l)
{
	while (l->out.n) {
		size_t done = 0;
		enum leg_io r = io_of(sock_write(l->fd, buf_bytes(&l->out), &done));

		if (r != LEG_IO_DATA)
			return r;
		buf_take(&l->out, done);
	}
	buf_shrink(&l->out);
	if (l->fin_due) {
		l->fin_due = false;
		sock_shutdown_write(l->fd);
	}
	return LEG_IO_DATA;
}

void leg_finish(struct leg *l, bool cut)
{
	if (!leg_may_write(l))
		return;
	if (l->tls && !cut)
		tls_shutdown(l->tls);
	l->fin_due = true;
	leg_go(l, l->state == LEG_PEER_DONE ? LEG_CLOSED : LEG_SELF_DONE);
}

enum leg_io leg_shake(struct leg *l, struct leg_scratch *s, struct err *e)
{
	for (;;) {
		enum tls_status st;
		enum leg_io r;

		tls_feed(l->tls, buf_bytes(&l->in));
		st = tls_run(l->tls, e);
		buf_take(&l->in, tls_consumed(l->tls));
		tls_feed(l->tls, bytes_of(NULL, 0));
		r = leg_flush(l);
		if (st == TLS_FAILED)
			return LEG_IO_FAULT;
		if (r == LEG_IO_RESET)
			return LEG_IO_RESET;
		if (st != TLS_HANDSHAKING)
			return LEG_IO_DATA;
		r = leg_fill(l, s, e);
		if (r != LEG_IO_DATA)
			return r == LEG_IO_END ? LEG_IO_CUT : r;
	}
}
