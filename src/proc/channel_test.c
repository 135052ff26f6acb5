#include "proc/channel.h"

#include "base/mem.h"
#include "net/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

static struct channel *make(int fd, const struct channel_options *o)
{
	struct channel_options none = { 0 };
	struct channel *c = NULL;

	assert_int_equal(channel_new(fd, o ? o : &none, &c, NULL), 0);
	return c;
}

struct ends {
	struct channel *here, *there;
};

static struct ends ends_make(const struct channel_options *o)
{
	struct ends x;
	int fds[2];

	assert_int_equal(channel_pair(fds, NULL), 0);
	x.here = make(fds[0], o);
	x.there = make(fds[1], o);
	return x;
}

static void ends_free(struct ends *x)
{
	channel_free(x->here);
	channel_free(x->there);
}

/* One end of a channel, and the bare socket of its peer. */
struct bare {
	struct channel *here;
	int peer;
};

static struct bare bare_make(const struct channel_options *o)
{
	struct bare x;
	int fds[2];

	assert_int_equal(channel_pair(fds, NULL), 0);
	x.here = make(fds[0], o);
	x.peer = fds[1];
	return x;
}

static void bare_free(struct bare *x)
{
	channel_free(x->here);
	sock_close(&x->peer);
}

static size_t open_descriptors(void)
{
	DIR *d = opendir("/proc/self/fd");
	size_t n = 0;

	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

static void messages_arrive_whole_and_in_order(void **state)
{
	struct ends x = ends_make(NULL);
	struct channel_message m;

	(void)state;
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_AGAIN);
	assert_int_equal(channel_send(x.here, 1, bytes_str("one"), NULL), 0);
	assert_int_equal(channel_send(x.here, 65535, bytes_str(""), NULL), 0);
	assert_int_equal(channel_send(x.there, 3, bytes_str("back"), NULL), 0);
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_OK);
	assert_int_equal(m.type, 1);
	assert_true(bytes_equal(m.payload, bytes_str("one")));
	assert_int_equal(m.fd_count, 0);
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_OK);
	assert_int_equal(m.type, 65535);
	assert_int_equal(m.payload.n, 0);
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_AGAIN);
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_OK);
	assert_int_equal(m.type, 3);
	ends_free(&x);
}

static uint8_t *pattern(size_t n)
{
	uint8_t *p = mem_new(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 31 >> 3);
	return p;
}

static void the_largest_payload_goes_through_a_larger_does_not(void **state)
{
	struct ends x = ends_make(NULL);
	struct channel_message m;
	struct err e = { 0 };
	uint8_t *p = pattern(CHANNEL_PAYLOAD_MAX + 1);

	(void)state;
	assert_int_equal(channel_send(x.here, 7, bytes_of(p, CHANNEL_PAYLOAD_MAX), NULL), 0);
	assert_int_equal(channel_send(x.here, 7, bytes_of(p, CHANNEL_PAYLOAD_MAX + 1), &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_OK);
	assert_true(bytes_equal(m.payload, bytes_of(p, CHANNEL_PAYLOAD_MAX)));
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_AGAIN);
	mem_free(p);
	ends_free(&x);
}

static void what_the_kernel_does_not_take_waits_in_a_bounded_queue(void **state)
{
	struct channel_options o = { .queue_max = 1 << 20 };
	struct ends x = ends_make(&o);
	struct channel_message m;
	struct err e = { 0 };
	uint8_t *p = pattern(50000);
	uint16_t sent = 0;

	(void)state;
	/* Each message starts with its number. */
	for (; sent < 1000; sent++) {
		memcpy(p, &sent, sizeof(sent));
		if (channel_send(x.here, 5, bytes_of(p, 50000), &e) < 0)
			break;
	}
	assert_in_range(sent, 20, 999);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_true(channel_wants_write(x.here));
	for (uint16_t i = 0; i < sent; i++) {
		uint16_t number;

		assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_OK);
		assert_int_equal(m.payload.n, 50000);
		memcpy(&number, m.payload.p, sizeof(number));
		assert_int_equal(number, i);
		assert_int_equal(channel_flush(x.here, NULL), CHANNEL_OK);
	}
	assert_false(channel_wants_write(x.here));
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_AGAIN);
	mem_free(p);
	ends_free(&x);
}

static bool same_file(int a, int b)
{
	struct stat one, other;

	assert_int_equal(fstat(a, &one) | fstat(b, &other), 0);
	return one.st_ino == other.st_ino && one.st_dev == other.st_dev;
}

static void descriptors_travel_with_a_message(void **state)
{
	struct channel_options o = { .fds_max = CHANNEL_FDS_MAX };
	struct ends x = ends_make(&o);
	struct channel_message m = { .type = 9,
				     .payload = bytes_str("two"),
				     .fd_count = CHANNEL_FDS_MAX };
	struct channel_message got;
	size_t before = open_descriptors();
	int pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	for (size_t i = 0; i < CHANNEL_FDS_MAX; i++)
		m.fds[i] = pipes[i % 2];
	assert_int_equal(channel_send_message(x.here, &m, NULL), 0);
	assert_int_equal(channel_receive(x.there, &got, NULL), CHANNEL_OK);
	assert_int_equal(got.fd_count, CHANNEL_FDS_MAX);
	for (size_t i = 0; i < CHANNEL_FDS_MAX; i++) {
		assert_true(same_file(got.fds[i], pipes[i % 2]));
		assert_true(fcntl(got.fds[i], F_GETFD) & FD_CLOEXEC);
	}
	channel_message_fini(&got);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(open_descriptors(), before);
	m.fd_count = CHANNEL_FDS_MAX + 1;
	assert_int_equal(channel_send_message(x.here, &m, NULL), -1);
	ends_free(&x);
}

static void descriptors_that_wait_are_kept_and_closed(void **state)
{
	struct channel_options o = { .fds_max = 1 };
	struct ends x = ends_make(&o);
	struct channel_message m = { .type = 1, .fd_count = 1 }, got;
	size_t before = open_descriptors();
	uint8_t *p = pattern(100000);
	int pipes[2];

	(void)state;
	while (!channel_wants_write(x.here))
		assert_int_equal(channel_send(x.here, 5, bytes_of(p, 100000), NULL), 0);
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	m.fds[0] = pipes[0];
	assert_int_equal(channel_send_message(x.here, &m, NULL), 0);
	assert_int_equal(channel_send_message(x.here, &m, NULL), 0);
	close(pipes[0]);
	do {
		assert_int_equal(channel_receive(x.there, &got, NULL), CHANNEL_OK);
		assert_int_equal(channel_flush(x.here, NULL), CHANNEL_OK);
	} while (got.type != 1);
	assert_int_equal(got.fd_count, 1);
	close(got.fds[0]);
	close(pipes[1]);
	ends_free(&x); /* the second was never received */
	assert_int_equal(open_descriptors(), before - 2);
	mem_free(p);
}

static void a_blob_of_any_size_arrives_as_a_message(void **state)
{
	static const size_t sizes[] = { 0, 1, CHANNEL_PAYLOAD_MAX, CHANNEL_PAYLOAD_MAX + 1,
					3000000 };
	struct channel_options o = { .blob_max = 3000000 };
	struct ends x = ends_make(&o);
	struct channel_message m;
	uint8_t *p = pattern(3000001);
	size_t before = open_descriptors();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		assert_int_equal(channel_send_blob(x.here, 4, bytes_of(p, sizes[i]), NULL), 0);
		assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_OK);
		assert_int_equal(m.type, 4);
		assert_int_equal(m.fd_count, 0);
		assert_true(bytes_equal(m.payload, bytes_of(p, sizes[i])));
	}
	assert_int_equal(open_descriptors(), before);
	assert_int_equal(channel_send_blob(x.here, 4, bytes_of(p, 3000001), NULL), 0);
	assert_int_equal(channel_receive(x.there, &m, NULL), CHANNEL_BROKEN);
	assert_int_equal(open_descriptors(), before);
	mem_free(p);
	ends_free(&x);
}

/* Sends what no channel sends. */
static void raw_send(int fd, const void *p, size_t n, const int *fds, size_t fd_count)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * 32)];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)p, n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		memcpy(CMSG_DATA(&control.align), fds, sizeof(int) * fd_count);
	}
	assert_int_equal(sendmsg(fd, &m, MSG_NOSIGNAL), n);
}

static void what_is_no_message_breaks_the_channel(void **state)
{
	static const struct {
		uint8_t packet[12];
		size_t n, fds;
	} rows[] = {
		{ { 0 }, 1, 0 },			     /* shorter than a header */
		{ { 0, 1, 0, 0, 0, 0, 0 }, 7, 0 },	     /* by one byte */
		{ { 0, 1, 0, 0, 0, 0, 0, 1 }, 8, 0 },	     /* less than it says */
		{ { 0, 1, 0, 0, 0, 0, 0, 1, 9, 9 }, 10, 0 }, /* more than it says */
		{ { 0, 1, 2, 0, 0, 0, 0, 0 }, 8, 0 },	     /* no such kind */
		{ { 0, 1, 0, 1, 0, 0, 0, 0 }, 8, 0 },	     /* fewer descriptors than it says */
		{ { 0, 1, 0, 0, 0, 0, 0, 0 }, 8, 1 },	     /* more descriptors than it says */
		{ { 0, 1, 0, 2, 0, 0, 0, 0 }, 8, 2 },	     /* more than we take */
		{ { 0, 1, 0, 20, 0, 0, 0, 0 }, 8, 20 },	     /* more than anybody takes */
		{ { 0, 1, 1, 0, 0, 0, 0, 1 }, 8, 0 },	     /* a blob without its memory */
		{ { 0, 1, 1, 1, 0, 0, 0, 1 }, 8, 1 },	     /* a blob in a pipe */
		{ { 0, 1, 1, 1, 0, 0, 0, 0, 1 }, 9, 1 },     /* a blob with a payload */
		{ { 0, 1, 1, 1, 255, 255, 255, 255 }, 8, 1 },
	};
	struct channel_options o = { .fds_max = 1, .blob_max = 1000 };
	size_t before = open_descriptors();
	int fds[32], pipes[2];

	(void)state;
	assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = pipes[0];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct bare x = bare_make(&o);
		struct channel_message m;
		struct err e = { 0 };

		raw_send(x.peer, rows[i].packet, rows[i].n, fds, rows[i].fds);
		if (channel_receive(x.here, &m, &e) != CHANNEL_BROKEN)
			fail_msg("row %zu", i);
		assert_int_equal(e.code, ERR_WIRE_DECODE);
		/* For good. */
		assert_int_equal(channel_receive(x.here, &m, &e), CHANNEL_CLOSED);
		assert_int_equal(channel_send(x.here, 1, bytes_str("x"), &e), -1);
		assert_int_equal(e.code, ERR_CLOSED);
		bare_free(&x);
	}
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(open_descriptors(), before);
}

static void an_empty_packet_ends_the_channel_and_leaves_no_descriptor(void **state)
{
	struct channel_options o = { .fds_max = 2 };
	struct bare x = bare_make(&o);
	struct channel_message m;
	size_t before = open_descriptors();
	const int fds[20] = { 0 };

	(void)state;
	raw_send(x.peer, "", 0, fds, ARRAY_LEN(fds));
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_CLOSED);
	assert_int_equal(m.fd_count, 0);
	assert_int_equal(open_descriptors(), before);
	bare_free(&x);
}

static void a_packet_that_is_too_long_breaks_the_channel(void **state)
{
	struct bare x = bare_make(NULL);
	struct channel_message m;
	size_t n = CHANNEL_PAYLOAD_MAX + 9;
	uint8_t *p = pattern(n);

	(void)state;
	memcpy(p, "\0\1\0\0\0\2\0\1", 8); /* CHANNEL_PAYLOAD_MAX + 1 */
	raw_send(x.peer, p, n, NULL, 0);
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_BROKEN);
	mem_free(p);
	bare_free(&x);
}

static void memory_that_is_not_sealed_or_too_short_is_refused(void **state)
{
	static const uint8_t packet[] = { 0, 1, 1, 1, 0, 0, 0, 5 };
	struct channel_options o = { .blob_max = 1000 };

	(void)state;
	for (int sealed = 0; sealed < 2; sealed++) {
		struct bare x = bare_make(&o);
		struct channel_message m;
		int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

		/* Unsealed memory of the right size, sealed memory of a byte too few. */
		assert_int_equal(write(fd, "12345", sealed ? 4 : 5), sealed ? 4 : 5);
		if (sealed)
			assert_int_equal(fcntl(fd, F_ADD_SEALS,
					       F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE),
					 0);
		raw_send(x.peer, packet, sizeof(packet), &fd, 1);
		assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_BROKEN);
		close(fd);
		bare_free(&x);
	}
}

static void tells_that_the_peer_is_gone_after_its_last_message(void **state)
{
	struct ends x = ends_make(NULL);
	struct channel_message m;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(channel_send(x.there, 1, bytes_str("last"), NULL), 0);
	channel_free(STEAL(x.there));
	assert_int_equal(channel_send(x.here, 1, bytes_str("x"), &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_OK);
	assert_true(bytes_equal(m.payload, bytes_str("last")));
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_CLOSED);
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_CLOSED);
	ends_free(&x);
}

static void a_peer_that_leaves_messages_unread_is_gone_too(void **state)
{
	struct ends x = ends_make(NULL);
	struct channel_message m;

	(void)state;
	assert_int_equal(channel_send(x.here, 1, bytes_str("unread"), NULL), 0);
	channel_free(STEAL(x.there));
	assert_int_equal(channel_receive(x.here, &m, NULL), CHANNEL_CLOSED);
	ends_free(&x);
}

/* In a loop */

struct talker {
	struct loop *loop;
	struct channel *channel;
	unsigned messages, closed;
	enum channel_result why;
	size_t bytes;
	unsigned stop_at;
	bool free_at_message, free_at_end;
	int kept; /* the last descriptor received */
};

static void on_message(void *ctx, struct channel_message *m)
{
	struct talker *t = ctx;

	t->messages++;
	t->bytes += m->payload.n;
	if (m->fd_count) {
		sock_close(&t->kept);
		t->kept = sock_take(&m->fds[0]);
	}
	if (t->free_at_message)
		channel_free(STEAL(t->channel));
	if (t->messages == t->stop_at)
		loop_stop(t->loop);
}

static void on_closed(void *ctx, enum channel_result why, const struct err *reason)
{
	struct talker *t = ctx;

	t->closed++;
	t->why = why;
	assert_int_equal(reason->code, why == CHANNEL_BROKEN ? ERR_WIRE_DECODE : ERR_NONE);
	if (t->free_at_end)
		channel_free(STEAL(t->channel));
	loop_stop(t->loop);
}

static void talker_watch(struct talker *t, struct loop *l, struct channel *c)
{
	struct channel_handler h = { .message = on_message, .closed = on_closed, .ctx = t };

	*t = (struct talker){ .loop = l, .channel = c, .kept = -1 };
	assert_int_equal(channel_watch(c, l, &h, NULL), 0);
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

static void run_for(struct loop *l, int64_t ns)
{
	struct loop_timer *t;

	assert_int_equal(loop_timer_new(l, stop_loop, l, &t, NULL), 0);
	loop_timer_set(t, ns);
	loop_run(l);
	loop_timer_free(t);
}

static struct loop *loop_make(void)
{
	struct loop *l = NULL;

	assert_int_equal(loop_new(&l, NULL), 0);
	return l;
}

static void a_loop_sends_what_waits_and_receives_all(void **state)
{
	struct ends x = ends_make(NULL);
	struct loop *l = loop_make();
	struct talker here, there;
	uint8_t *p = pattern(50000);

	(void)state;
	talker_watch(&here, l, x.here);
	talker_watch(&there, l, x.there);
	there.stop_at = 60;
	for (int i = 0; i < 60; i++)
		assert_int_equal(channel_send(x.here, 1, bytes_of(p, 50000), NULL), 0);
	run_for(l, 5000 * MS);
	assert_int_equal(there.messages, 60);
	assert_int_equal(there.bytes, 60 * 50000);
	run_for(l, 2 * MS); /* nothing is left, and nothing spins */
	assert_int_equal(here.closed + there.closed, 0);
	mem_free(p);
	ends_free(&x);
	loop_free(l);
}

static void a_loop_tells_the_end_once(void **state)
{
	(void)state;
	for (int freeing = 0; freeing < 2; freeing++) {
		struct bare x = bare_make(NULL);
		struct loop *l = loop_make();
		struct talker t;

		talker_watch(&t, l, x.here);
		t.free_at_end = freeing;
		raw_send(x.peer, "\0\1\0\0\0\0\0\0", 8, NULL, 0);
		sock_close(&x.peer);
		run_for(l, 5000 * MS);
		run_for(l, 5 * MS);
		assert_int_equal(t.messages, 1);
		assert_int_equal(t.closed, 1);
		assert_int_equal(t.why, CHANNEL_CLOSED);
		channel_free(t.channel);
		loop_free(l);
	}
}

static void a_loop_tells_that_the_peer_breaks_the_form(void **state)
{
	struct bare x = bare_make(NULL);
	struct loop *l = loop_make();
	struct talker t;

	(void)state;
	talker_watch(&t, l, x.here);
	raw_send(x.peer, "x", 1, NULL, 0);
	raw_send(x.peer, "\0\1\0\0\0\0\0\0", 8, NULL, 0); /* is not listened to any more */
	run_for(l, 5000 * MS);
	run_for(l, 5 * MS);
	assert_int_equal(t.closed, 1);
	assert_int_equal(t.why, CHANNEL_BROKEN);
	assert_int_equal(t.messages, 0);
	bare_free(&x);
	loop_free(l);
}

static void may_be_freed_inside_its_message(void **state)
{
	struct ends x = ends_make(NULL);
	struct loop *l = loop_make();
	struct talker t;

	(void)state;
	talker_watch(&t, l, x.there);
	t.free_at_message = true;
	t.stop_at = 1;
	assert_int_equal(channel_send(x.here, 1, bytes_str("a"), NULL), 0);
	assert_int_equal(channel_send(x.here, 1, bytes_str("b"), NULL), 0);
	run_for(l, 5000 * MS);
	assert_int_equal(t.messages, 1);
	assert_null(t.channel);
	channel_free(x.here);
	loop_free(l);
}

static void descriptors_that_the_handler_leaves_are_closed(void **state)
{
	struct channel_options o = { .fds_max = 2 };
	struct ends x = ends_make(&o);
	struct loop *l = loop_make();
	struct channel_message m = { .type = 1, .fd_count = 2, .fds = { 0, 1 } };
	size_t before = open_descriptors();
	struct talker t;

	(void)state;
	talker_watch(&t, l, x.there);
	t.stop_at = 1;
	assert_int_equal(channel_send_message(x.here, &m, NULL), 0);
	run_for(l, 5000 * MS);
	assert_int_equal(open_descriptors(), before + 1);
	assert_true(same_file(t.kept, 0));
	sock_close(&t.kept);
	ends_free(&x);
	loop_free(l);
}

static void every_allocation_may_fail(void **state)
{
	struct channel_options o = { .blob_max = 1 << 20 };
	struct ends x = ends_make(&o);
	struct channel_message m;
	struct channel *none = NULL;
	struct err e = { 0 };
	uint8_t *p = pattern(CHANNEL_PAYLOAD_MAX + 1);
	int fds[2];

	(void)state;
	assert_int_equal(channel_pair(fds, NULL), 0);
	mem_fail_at(1);
	assert_int_equal(channel_new(fds[0], &o, &none, &e), -1);
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1); /* taken all the same */
	close(fds[1]);
	/* Receiving a blob needs memory: without it the channel breaks, it does not lie. */
	assert_int_equal(channel_send_blob(x.here, 1, bytes_of(p, CHANNEL_PAYLOAD_MAX + 1), &e), 0);
	mem_fail_at(1);
	assert_int_equal(channel_receive(x.there, &m, &e), CHANNEL_BROKEN);
	/* A queue without memory refuses. */
	while (channel_send(x.here, 1, bytes_of(p, 60000), &e) == 0)
		;
	mem_fail_at(0);
	assert_int_equal(e.code, ERR_NOMEM);
	mem_free(p);
	ends_free(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_arrive_whole_and_in_order),
		cmocka_unit_test(the_largest_payload_goes_through_a_larger_does_not),
		cmocka_unit_test(what_the_kernel_does_not_take_waits_in_a_bounded_queue),
		cmocka_unit_test(descriptors_travel_with_a_message),
		cmocka_unit_test(descriptors_that_wait_are_kept_and_closed),
		cmocka_unit_test(a_blob_of_any_size_arrives_as_a_message),
		cmocka_unit_test(what_is_no_message_breaks_the_channel),
		cmocka_unit_test(an_empty_packet_ends_the_channel_and_leaves_no_descriptor),
		cmocka_unit_test(a_packet_that_is_too_long_breaks_the_channel),
		cmocka_unit_test(memory_that_is_not_sealed_or_too_short_is_refused),
		cmocka_unit_test(tells_that_the_peer_is_gone_after_its_last_message),
		cmocka_unit_test(a_peer_that_leaves_messages_unread_is_gone_too),
		cmocka_unit_test(a_loop_sends_what_waits_and_receives_all),
		cmocka_unit_test(a_loop_tells_the_end_once),
		cmocka_unit_test(a_loop_tells_that_the_peer_breaks_the_form),
		cmocka_unit_test(may_be_freed_inside_its_message),
		cmocka_unit_test(descriptors_that_the_handler_leaves_are_closed),
		cmocka_unit_test(every_allocation_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
