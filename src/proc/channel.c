#include "proc/channel.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* A packet: type (2 bytes), kind (1), number of descriptors (1), length (4), payload. The payload of
 * a blob lies in a memfd, which is then the packet's one descriptor. */
#define HEADER_BYTES 8
#define PACKET_MAX (HEADER_BYTES + CHANNEL_PAYLOAD_MAX)
#define QUEUE_MAX ((size_t)4 << 20)
#define MESSAGES_A_TURN 16
#define BLOB_SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

enum kind { KIND_PLAIN, KIND_BLOB };

struct header {
	uint16_t type;
	uint8_t kind, fd_count;
	uint32_t length;
};

/* A packet that the kernel did not take yet. */
struct outgoing {
	struct list node;
	int fds[CHANNEL_FDS_MAX];
	size_t fd_count;
	size_t cost; /* what it counts for in the queue */
	size_t n;
	uint8_t packet[];
};

struct channel {
	int fd;
	struct channel_options options;
	struct list queue; /* struct outgoing */
	size_t queued;	   /* sum of their cost */
	struct buf blob;   /* the last one received */
	bool ended;	   /* the peer is gone or broken */
	struct loop_watch *watch;
	struct channel_handler handler;
	bool calling, freed; /* freed inside a call of the handler */
	uint8_t room[PACKET_MAX];
};

/* Packets */

static void header_write(const struct header *h, uint8_t out[HEADER_BYTES])
{
	out[0] = (uint8_t)(h->type >> 8);
	out[1] = (uint8_t)h->type;
	out[2] = h->kind;
	out[3] = h->fd_count;
	for (int i = 0; i < 4; i++)
		out[4 + i] = (uint8_t)(h->length >> (24 - 8 * i));
}

/* False unless everything fits together. */
static bool packet_parse(const struct channel *c, struct bytes packet, size_t fd_count,
			 struct header *h, struct bytes *payload)
{
	bool bad = false;
	struct rd r = rd_init(packet, &bad);

	*h = (struct header){ .type = rd_u16(&r) };
	h->kind = rd_u8(&r);
	h->fd_count = rd_u8(&r);
	h->length = rd_u32(&r);
	*payload = rd_rest(&r);
	if (bad || h->fd_count != fd_count)
		return false;
	if (h->kind == KIND_BLOB)
		return payload->n == 0 && fd_count == 1 && h->length <= c->options.blob_max;
	return h->kind == KIND_PLAIN && payload->n == h->length && fd_count <= c->options.fds_max;
}

static void close_all(int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		sock_close(&fds[i]);
}

/* Life */

int channel_pair(int fds[2], struct err *e)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
		return FAIL_SYS(e, SYSTEM, "a channel between processes");
	return 0;
}

int channel_new(int fd, const struct channel_options *o, struct channel **out, struct err *e)
{
	struct channel *c = mem_new(sizeof(*c));
	int size = 2 * (int)PACKET_MAX;

	if (!c) {
		sock_close(&fd);
		return FAIL(e, NOMEM, "a channel between processes");
	}
	/* A packet has to fit as a whole, also with what the kernel adds; where the limit of the system
	 * is lower, what it allows has always been enough. */
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	c->fd = fd;
	c->options = *o;
	if (!c->options.queue_max)
		c->options.queue_max = QUEUE_MAX;
	list_init(&c->queue);
	c->blob = buf_init(o->blob_max);
	*out = c;
	return 0;
}

static void outgoing_free(struct channel *c, struct outgoing *o)
{
	c->queued -= o->cost;
	list_remove(&o->node);
	close_all(o->fds, o->fd_count);
	mem_free(o);
}

static void channel_destroy(struct channel *c)
{
	LIST_EACH (it, &c->queue)
		outgoing_free(c, LIST_OWNER(it, struct outgoing, node));
	buf_fini(&c->blob);
	mem_free(c);
}

void channel_free(struct channel *c)
{
	if (!c)
		return;
	loop_watch_free(STEAL(c->watch));
	sock_close(&c->fd);
	if (c->calling)
		c->freed = true;
	else
		channel_destroy(c);
}

int channel_fd(const struct channel *c)
{
	return c->fd;
}

/* Sending */

enum sent { SENT, SENT_LATER, SENT_CLOSED, SENT_FAILED };

static enum sent send_failed(int error)
{
	switch (error) {
	case EAGAIN:
	case ENOBUFS:
	case ENOMEM:
		return SENT_LATER;
	case EPIPE:
	case ECONNRESET:
	case ENOTCONN:
		return SENT_CLOSED;
	default:
		return SENT_FAILED;
	}
}

static enum sent packet_send(int fd, struct iovec *parts, size_t count, const int *fds,
			     size_t fd_count)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control = { 0 };
	struct msghdr m = { .msg_iov = parts, .msg_iovlen = count };
	ssize_t n;

	if (fd_count) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		struct cmsghdr *head = &control.align;
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(head), fds, sizeof(int) * fd_count);
	}
	do
		n = sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	return n < 0 ? send_failed(errno) : SENT;
}

static void watch_update(struct channel *c)
{
	if (c->watch && !c->ended)
		loop_watch_set(c->watch,
			       LOOP_READ | (list_empty(&c->queue) ? 0u : (unsigned)LOOP_WRITE));
}

static int enqueue(struct channel *c, const struct header *h, const struct channel_message *m,
		   struct err *e)
{
	size_t n = HEADER_BYTES + m->payload.n;
	size_t cost = sizeof(struct outgoing) + n + (h->kind == KIND_BLOB ? h->length : 0);
	struct outgoing *o;

	if (cost > c->options.queue_max - c->queued)
		return FAIL(e, LIMIT, "the other process does not read: %zu bytes wait for it",
			    c->queued);
	o = mem_new(sizeof(*o) + n);
	if (!o)
		return FAIL(e, NOMEM, "a message of %zu bytes", n);
	list_init(&o->node);
	o->cost = cost;
	o->n = n;
	header_write(h, o->packet);
	if (m->payload.n)
		memcpy(o->packet + HEADER_BYTES, m->payload.p, m->payload.n);
	c->queued += cost;
	for (; o->fd_count < m->fd_count; o->fd_count++) {
		int fd = fcntl(m->fds[o->fd_count], F_DUPFD_CLOEXEC, 3);

		if (fd < 0) {
			int failed = FAIL_SYS(e, SYSTEM, "keeping a descriptor for a message");

			outgoing_free(c, o);
			return failed;
		}
		o->fds[o->fd_count] = fd;
	}
	list_add(&c->queue, &o->node);
	watch_update(c);
	return 0;
}

static int send_or_enqueue(struct channel *c, enum kind kind, uint32_t length,
			   const struct channel_message *m, struct err *e)
{
	struct header h = { .type = m->type,
			    .kind = (uint8_t)kind,
			    .fd_count = (uint8_t)m->fd_count,
			    .length = length };
	uint8_t head[HEADER_BYTES];
	struct iovec parts[2] = { { head, sizeof(head) },
				  { (void *)(uintptr_t)m->payload.p, m->payload.n } };
	enum sent sent = SENT_LATER;

	if (c->ended)
		return FAIL(e, CLOSED, "the other process is gone");
	header_write(&h, head);
	if (list_empty(&c->queue))
		sent = packet_send(c->fd, parts, 2, m->fds, m->fd_count);
	switch (sent) {
	case SENT:
		return 0;
	case SENT_LATER:
		return enqueue(c, &h, m, e);
	case SENT_CLOSED:
		return FAIL(e, CLOSED, "the other process is gone");
	default:
		return FAIL_SYS(e, SYSTEM, "a message to another process");
	}
}

int channel_send_message(struct channel *c, const struct channel_message *m, struct err *e)
{
	if (m->payload.n > CHANNEL_PAYLOAD_MAX)
		return FAIL(e, LIMIT, "a message of %zu bytes; at most %u go into one",
			    m->payload.n, CHANNEL_PAYLOAD_MAX);
	if (m->fd_count > CHANNEL_FDS_MAX)
		return FAIL(e, LIMIT, "a message with %zu descriptors; at most %d go with one",
			    m->fd_count, CHANNEL_FDS_MAX);
	return send_or_enqueue(c, KIND_PLAIN, (uint32_t)m->payload.n, m, e);
}

int channel_send(struct channel *c, uint16_t type, struct bytes payload, struct err *e)
{
	struct channel_message m = { .type = type, .payload = payload };

	return channel_send_message(c, &m, e);
}

/* The memory is sealed: neither side can change it any more. */
static int blob_make(struct bytes payload, struct err *e)
{
	AUTO(sock_close) int fd = memfd_create("oriel-blob", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return FAIL_SYS(e, SYSTEM, "memory for a message of %zu bytes", payload.n);
	while (payload.n) {
		ssize_t n = write(fd, payload.p, payload.n);

		if (n < 0 && errno != EINTR)
			return FAIL_SYS(e, SYSTEM, "memory for a message");
		if (n > 0)
			payload = bytes_slice(payload, (size_t)n, payload.n);
	}
	if (fcntl(fd, F_ADD_SEALS, BLOB_SEALS | F_SEAL_SEAL) < 0)
		return FAIL_SYS(e, SYSTEM, "sealing a message");
	return sock_take(&fd);
}

int channel_send_blob(struct channel *c, uint16_t type, struct bytes payload, struct err *e)
{
	struct channel_message m = { .type = type, .fd_count = 1 };
	int result;

	if (payload.n <= CHANNEL_PAYLOAD_MAX)
		return channel_send(c, type, payload, e);
	if (payload.n > UINT32_MAX)
		return FAIL(e, LIMIT, "a message of %zu bytes", payload.n);
	m.fds[0] = blob_make(payload, e);
	if (m.fds[0] < 0)
		return -1;
	result = send_or_enqueue(c, KIND_BLOB, (uint32_t)payload.n, &m, e);
	sock_close(&m.fds[0]);
	return result;
}

bool channel_wants_write(const struct channel *c)
{
	return !c->ended && !list_empty(&c->queue);
}

enum channel_result channel_flush(struct channel *c, struct err *e)
{
	while (channel_wants_write(c)) {
		struct outgoing *o = LIST_OWNER(c->queue.next, struct outgoing, node);
		struct iovec part = { o->packet, o->n };

		switch (packet_send(c->fd, &part, 1, o->fds, o->fd_count)) {
		case SENT:
			outgoing_free(c, o);
			break;
		case SENT_LATER:
			return CHANNEL_OK;
		case SENT_CLOSED:
			return CHANNEL_CLOSED;
		default:
			(void)FAIL_SYS(e, SYSTEM, "a message to another process");
			return CHANNEL_BROKEN;
		}
	}
	watch_update(c);
	return CHANNEL_OK;
}

/* Receiving */

/* Copies the descriptors out of m; too many are closed by the kernel and told by MSG_CTRUNC. */
static size_t take_fds(struct msghdr *m, int fds[CHANNEL_FDS_MAX])
{
	size_t count = 0;

	for (struct cmsghdr *head = CMSG_FIRSTHDR(m); head; head = CMSG_NXTHDR(m, head)) {
		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		size_t n = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof(int), sizeof(int));
			if (count < CHANNEL_FDS_MAX)
				fds[count++] = fd;
			else
				close(fd);
		}
	}
	return count;
}

static enum channel_result broken(struct channel *c, struct channel_message *m, struct err *e)
{
	channel_message_fini(m);
	c->ended = true;
	(void)FAIL(e, WIRE_DECODE, "a malformed message from another process");
	return CHANNEL_BROKEN;
}

static bool blob_read(struct channel *c, int fd, size_t length)
{
	size_t at = 0;
	uint8_t *room;
	int seals = fcntl(fd, F_GET_SEALS);

	/* Only memory has seals: reading it can neither wait nor change under our hands. */
	if (seals < 0 || (seals & BLOB_SEALS) != BLOB_SEALS)
		return false;
	if (buf_reserve(&c->blob, length, &room, NULL) < 0)
		return false;
	while (at < length) {
		ssize_t n = pread(fd, room + at, length - at, (off_t)at);

		if (n == 0 || (n < 0 && errno != EINTR))
			return false;
		if (n > 0)
			at += (size_t)n;
	}
	buf_commit(&c->blob, length);
	return true;
}

enum channel_result channel_receive(struct channel *c, struct channel_message *m, struct err *e)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * CHANNEL_FDS_MAX)];
	} control;
	struct iovec part = { c->room, sizeof(c->room) };
	struct msghdr head = { .msg_iov = &part,
			       .msg_iovlen = 1,
			       .msg_control = control.room,
			       .msg_controllen = sizeof(control.room) };
	struct header h;
	ssize_t n;

	*m = (struct channel_message){ 0 };
	buf_clear(&c->blob);
	buf_shrink(&c->blob);
	if (c->ended)
		return CHANNEL_CLOSED;
	do
		n = recvmsg(c->fd, &head, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return CHANNEL_AGAIN;
	/* Descriptors come with an empty packet too. */
	if (n >= 0)
		m->fd_count = take_fds(&head, m->fds);
	if (n <= 0) {
		/* ECONNRESET: it closed its end with messages of ours unread. An empty packet would
		 * look the same as the end, and is none of ours. */
		channel_message_fini(m);
		m->fd_count = 0;
		c->ended = true;
		return CHANNEL_CLOSED;
	}
	if (head.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    !packet_parse(c, bytes_of(c->room, (size_t)n), m->fd_count, &h, &m->payload))
		return broken(c, m, e);
	m->type = h.type;
	if (h.kind != KIND_BLOB)
		return CHANNEL_OK;
	if (!blob_read(c, m->fds[0], h.length))
		return broken(c, m, e);
	channel_message_fini(m);
	m->fd_count = 0;
	m->payload = buf_bytes(&c->blob);
	return CHANNEL_OK;
}

void channel_message_fini(struct channel_message *m)
{
	close_all(m->fds, m->fd_count);
}

/* In a loop */

static void handler_ended(struct channel *c, enum channel_result why, const struct err *reason)
{
	c->ended = true;
	loop_watch_set(c->watch, 0);
	c->handler.closed(c->handler.ctx, why, reason);
}

static void read_some(struct channel *c)
{
	for (int i = 0; i < MESSAGES_A_TURN && !c->freed; i++) {
		struct err e = { 0 };
		struct channel_message m;
		enum channel_result r = channel_receive(c, &m, &e);

		if (r == CHANNEL_AGAIN)
			return;
		if (r != CHANNEL_OK) {
			handler_ended(c, r, &e);
			return;
		}
		c->handler.message(c->handler.ctx, &m);
		channel_message_fini(&m);
	}
}

static void on_ready(void *ctx, unsigned events)
{
	struct channel *c = ctx;
	struct err e = { 0 };
	enum channel_result r = CHANNEL_OK;

	c->calling = true;
	/* A peer that is gone is told by reading, after the last message that it sent. */
	if (events & LOOP_WRITE)
		r = channel_flush(c, &e);
	if (r == CHANNEL_BROKEN)
		handler_ended(c, r, &e);
	else if (events & LOOP_READ)
		read_some(c);
	c->calling = false;
	if (c->freed)
		channel_destroy(c);
}

int channel_watch(struct channel *c, struct loop *l, const struct channel_handler *h, struct err *e)
{
	if (loop_watch_new(l, c->fd, (struct loop_watch_call){ on_ready, c }, &c->watch, e) < 0)
		return -1;
	c->handler = *h;
	watch_update(c);
	return 0;
}
