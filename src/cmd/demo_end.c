#include "cmd/demo_end.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "net/loop.h"
#include "net/sock.h"

#define CIPHER_MAX ((size_t)256 << 10)
#define TAPE_MAX ((size_t)1 << 20)
#define READ_SIZE 16384
#define PATIENCE_S 5

void demo_tape_init(struct demo_tape *t)
{
	*t = (struct demo_tape){ .bytes = buf_init(TAPE_MAX) };
}

void demo_tape_fini(struct demo_tape *t)
{
	buf_fini(&t->bytes);
}

/* What does not fit is missing in the capture; the connection goes on. */
static void record(struct demo_end *d, bool by_server, struct bytes b)
{
	struct demo_tape *t = d->tape;

	if (t->count == DEMO_TAPE_MAX || buf_add(&t->bytes, b, NULL) < 0)
		return;
	t->turns[t->count].by_server = by_server;
	t->turns[t->count].wall_ns = clock_wall_ns();
	t->turns[t->count].n = b.n;
	t->count++;
}

/* Waits until it is connected first. */
static int make_blocking(int fd, struct err *e)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	int flags = fcntl(fd, F_GETFL);

	if (poll(&p, 1, PATIENCE_S * 1000) != 1 || flags < 0 ||
	    fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return FAIL_SYS(e, SYSTEM, "a socket of the demonstration");
	errno = sock_error(fd);
	return errno ? FAIL_SYS(e, CONNECT, "a connection of the demonstration") : 0;
}

int demo_end_init(struct demo_end *d, int fd, bool is_server, struct demo_tape *tape, struct err *e)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };

	*d = (struct demo_end){ .fd = fd,
				.is_server = is_server,
				.in = buf_init(CIPHER_MAX),
				.out = buf_init(CIPHER_MAX),
				.tape = tape };
	tape->open_ns = clock_wall_ns();
	if (make_blocking(fd, e) < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return FAIL_SYS(e, SYSTEM, "a socket of the demonstration");
	if (is_server)
		return sock_local(fd, &tape->server, e) < 0 ? -1 : sock_peer(fd, &tape->client, e);
	return sock_local(fd, &tape->client, e) < 0 ? -1 : sock_peer(fd, &tape->server, e);
}

int demo_end_send(struct demo_end *d, struct bytes b, struct err *e)
{
	while (b.n) {
		size_t done = 0;

		if (sock_write(d->fd, b, &done) != SOCK_DONE)
			return FAIL(e, CLOSED, "the other end of the demonstration hung up");
		record(d, d->is_server, bytes_slice(b, 0, done));
		b = bytes_slice(b, done, b.n);
	}
	return 0;
}

int demo_end_receive(struct demo_end *d, struct buf *out, struct err *e)
{
	uint8_t *room;
	size_t got = 0;

	if (buf_reserve(out, READ_SIZE, &room, e) < 0)
		return -1;
	switch (sock_read(d->fd, room, READ_SIZE, &got)) {
	case SOCK_DONE:
		record(d, !d->is_server, bytes_of(room, got));
		buf_commit(out, got);
		return 0;
	case SOCK_AGAIN:
		return FAIL(e, TIMEOUT, "the other end of the demonstration is silent");
	case SOCK_END:
	case SOCK_RESET:
	case SOCK_FAILED:
		break;
	}
	d->tape->server_closed = !d->is_server;
	return FAIL(e, CLOSED, "the other end of the demonstration hung up");
}

static int flush(struct demo_end *d, struct err *e)
{
	int r = demo_end_send(d, buf_bytes(&d->out), e);

	buf_clear(&d->out);
	return r;
}

/* After the session has looked at what it was fed. */
static void consume(struct demo_end *d)
{
	buf_take(&d->in, tls_consumed(d->tls));
	tls_feed(d->tls, buf_bytes(&d->in));
}

static int feed_more(struct demo_end *d, struct err *e)
{
	if (demo_end_receive(d, &d->in, e) < 0)
		return -1;
	tls_feed(d->tls, buf_bytes(&d->in));
	return 0;
}

int demo_end_shake(struct demo_end *d, struct err *e)
{
	for (;;) {
		enum tls_status status = tls_run(d->tls, e);

		consume(d);
		if (flush(d, status == TLS_FAILED ? NULL : e) < 0 || status == TLS_FAILED)
			return -1;
		if (status != TLS_HANDSHAKING || tls_wants_verdict(d->tls))
			return 0;
		if (feed_more(d, e) < 0)
			return -1;
	}
}

int demo_end_write(struct demo_end *d, struct bytes b, struct err *e)
{
	return tls_write(d->tls, b, e) < 0 ? -1 : flush(d, e);
}

int demo_end_read(struct demo_end *d, struct buf *out, struct err *e)
{
	for (;;) {
		enum tls_status status;
		uint8_t *room;
		size_t got = 0;

		if (buf_reserve(out, READ_SIZE, &room, e) < 0)
			return -1;
		status = tls_read(d->tls, room, READ_SIZE, &got, e);
		buf_commit(out, got);
		consume(d);
		if (got)
			return 0;
		if (status == TLS_FAILED)
			return -1;
		if (status == TLS_CLOSED)
			return FAIL(e, CLOSED, "the other end of the demonstration said goodbye");
		if (feed_more(d, e) < 0)
			return -1;
	}
}

/* How long the message is, or 0 as long as its head is not there. */
static size_t message_length(struct bytes b)
{
	static const char field[] = "\r\nContent-Length: ";
	const uint8_t *end = b.n ? memmem(b.p, b.n, "\r\n\r\n", 4) : NULL;
	size_t head = end ? (size_t)(end - b.p) + 4 : 0;
	const uint8_t *at = head ? memmem(b.p, head, field, sizeof(field) - 1) : NULL;
	uint64_t length = 0;
	struct bytes value;

	if (!at)
		return head;
	value = bytes_slice(b, (size_t)(at - b.p) + sizeof(field) - 1, b.n);
	value = bytes_slice(value, 0, bytes_index(value, '\r'));
	return bytes_decimal(value, CIPHER_MAX, &length) ? head + (size_t)length : head;
}

int demo_end_read_message(struct demo_end *d, struct buf *out, struct err *e)
{
	size_t length = 0;

	while (length == 0 || out->n < length) {
		if (demo_end_read(d, out, e) < 0)
			return -1;
		length = message_length(buf_bytes(out));
	}
	return 0;
}

void demo_end_fini(struct demo_end *d)
{
	if (d->tls && tls_state(d->tls) != TLS_FAILED) {
		tls_shutdown(d->tls);
		if (flush(d, NULL) < 0)
			d->tape->server_closed = !d->is_server;
	}
	d->tape->close_ns = clock_wall_ns();
	tls_free(d->tls);
	sock_close(&d->fd);
	buf_fini(&d->in);
	buf_fini(&d->out);
}
