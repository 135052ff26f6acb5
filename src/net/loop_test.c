#include "net/loop.h"

#include "base/mem.h"
#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

static struct loop *loop_make(void)
{
	struct loop *l = NULL;
	struct err e = { 0 };

	assert_int_equal(loop_new(&l, &e), 0);
	return l;
}

/* What happened, in order, one letter each. */
struct diary {
	struct loop *loop;
	char text[64];
	size_t n;
	size_t stop_at;
};

static void diary_add(struct diary *d, char c)
{
	if (d->n < sizeof(d->text) - 1)
		d->text[d->n++] = c;
	if (d->n >= d->stop_at)
		loop_stop(d->loop);
}

static void write_a(void *ctx)
{
	diary_add(ctx, 'a');
}

static void write_b(void *ctx)
{
	diary_add(ctx, 'b');
}

static void put_off_b_then_write_a(void *ctx)
{
	struct diary *d = ctx;

	assert_int_equal(loop_later(d->loop, write_b, d, NULL), 0);
	write_a(d);
}

static void runs_what_was_put_off_in_order(void **state)
{
	struct diary d = { .loop = loop_make(), .stop_at = 3 };

	(void)state;
	assert_int_equal(loop_later(d.loop, put_off_b_then_write_a, &d, NULL), 0);
	assert_int_equal(loop_later(d.loop, write_a, &d, NULL), 0);
	loop_run(d.loop);
	assert_string_equal(d.text, "aab");
	loop_free(d.loop);
}

static void put_off_from_a_timer_runs_before_the_next_wait(void **state)
{
	struct diary d = { .loop = loop_make(), .stop_at = 2 };
	struct loop_timer *t;

	(void)state;
	assert_int_equal(loop_timer_new(d.loop, put_off_b_then_write_a, &d, &t, NULL), 0);
	loop_timer_set(t, 0);
	loop_run(d.loop);
	assert_string_equal(d.text, "ab");
	loop_timer_free(t);
	loop_free(d.loop);
}

static void forgets_what_is_put_off_or_posted_when_freed(void **state)
{
	struct diary d = { .loop = loop_make(), .stop_at = 1 };

	(void)state;
	assert_int_equal(loop_later(d.loop, write_a, &d, NULL), 0);
	assert_int_equal(loop_post(d.loop, write_a, &d, NULL), 0);
	loop_free(d.loop);
	loop_free(NULL);
	assert_int_equal(d.n, 0);
}

static void timers_fire_in_the_order_of_their_moments(void **state)
{
	struct diary d = { .loop = loop_make(), .stop_at = 2 };
	struct loop_timer *late, *early;
	int64_t before = clock_mono_ns();

	(void)state;
	assert_int_equal(loop_timer_new(d.loop, write_b, &d, &late, NULL), 0);
	assert_int_equal(loop_timer_new(d.loop, write_a, &d, &early, NULL), 0);
	loop_timer_set(late, 20 * MS);
	loop_timer_set(early, 10 * MS);
	loop_run(d.loop);
	assert_string_equal(d.text, "ab");
	assert_true(clock_mono_ns() - before >= 20 * MS); /* never early */
	loop_timer_free(late);
	loop_timer_free(early);
	loop_free(d.loop);
}

static void a_timer_that_was_moved_fires_once_and_not_before(void **state)
{
	struct diary d = { .loop = loop_make(), .stop_at = 2 };
	struct loop_timer *moved, *other;
	int64_t before = clock_mono_ns();

	(void)state;
	assert_int_equal(loop_timer_new(d.loop, write_a, &d, &moved, NULL), 0);
	assert_int_equal(loop_timer_new(d.loop, write_b, &d, &other, NULL), 0);
	loop_timer_set(moved, 1 * MS);
	loop_timer_set(moved, 15 * MS); /* later */
	loop_timer_set(other, 40 * MS);
	loop_timer_set(other, 8 * MS); /* earlier */
	loop_run(d.loop);
	assert_string_equal(d.text, "ba");
	assert_in_range(clock_mono_ns() - before, 15 * MS, 10000 * MS);
	loop_timer_free(moved);
	loop_timer_free(other);
	loop_free(d.loop);
}

static void a_stopped_timer_never_fires(void **state)
{
	struct diary d = { .loop = loop_make(), .stop_at = 1 };
	struct loop_timer *stopped, *freed, *end;

	(void)state;
	assert_int_equal(loop_timer_new(d.loop, write_a, &d, &stopped, NULL), 0);
	assert_int_equal(loop_timer_new(d.loop, write_a, &d, &freed, NULL), 0);
	assert_int_equal(loop_timer_new(d.loop, write_b, &d, &end, NULL), 0);
	loop_timer_set(stopped, 0);
	loop_timer_set(freed, 0);
	loop_timer_set(end, 5 * MS);
	loop_timer_stop(stopped);
	loop_timer_free(freed);
	loop_run(d.loop);
	assert_string_equal(d.text, "b");
	loop_timer_free(stopped);
	loop_timer_free(end);
	loop_free(d.loop);
}

struct spinner {
	struct loop *loop;
	struct loop_timer *timer;
	int fds[2];
	unsigned spins;
};

static void spin(void *ctx)
{
	struct spinner *s = ctx;

	s->spins++;
	loop_timer_set(s->timer, 0);
}

static void stop_spinning(void *ctx, unsigned events)
{
	struct spinner *s = ctx;

	assert_int_equal(events, LOOP_READ);
	loop_stop(s->loop);
}

static void a_timer_that_sets_itself_for_now_does_not_keep_the_loop_from_polling(void **state)
{
	struct spinner s = { .loop = loop_make() };
	struct loop_watch *w;

	(void)state;
	assert_int_equal(pipe2(s.fds, O_CLOEXEC), 0);
	assert_int_equal(write(s.fds[1], "x", 1), 1);
	assert_int_equal(loop_watch_new(s.loop, s.fds[0],
					(struct loop_watch_call){ stop_spinning, &s }, &w, NULL),
			 0);
	loop_watch_set(w, LOOP_READ);
	assert_int_equal(loop_timer_new(s.loop, spin, &s, &s.timer, NULL), 0);
	loop_timer_set(s.timer, 0);
	loop_run(s.loop); /* must end */
	assert_true(s.spins >= 1);
	loop_timer_free(s.timer);
	loop_watch_free(w);
	close(s.fds[0]);
	close(s.fds[1]);
	loop_free(s.loop);
}

static void check_time_stands_still(void *ctx)
{
	struct loop *l = ctx;
	int64_t mono = loop_mono_ns(l), wall = loop_wall_ns(l);
	int64_t until = clock_mono_ns() + 2 * MS;

	while (clock_mono_ns() < until)
		;
	assert_int_equal(loop_mono_ns(l), mono);
	assert_int_equal(loop_wall_ns(l), wall);
	assert_true(wall / 1000000000 > 1700000000);
	loop_time_passed(l);
	assert_true(loop_mono_ns(l) >= until);
	loop_stop(l);
}

static void time_stands_still_during_a_turn_and_moves_between(void **state)
{
	struct loop *l = loop_make();
	int64_t first;

	(void)state;
	assert_int_equal(loop_post(l, check_time_stands_still, l, NULL), 0);
	loop_run(l);
	first = loop_mono_ns(l);
	assert_int_equal(loop_post(l, check_time_stands_still, l, NULL), 0);
	loop_run(l);
	assert_true(loop_mono_ns(l) > first);
	loop_free(l);
}

/* A pair of descriptors of some kind, one of them watched. */
struct watched {
	struct loop *loop;
	struct loop_watch *watch;
	int here, there;
	unsigned seen; /* all events so far */
	unsigned calls;
	unsigned then_set; /* what to watch afterwards */
	bool free_inside;
};

static void on_watched(void *ctx, unsigned events)
{
	struct watched *w = ctx;

	w->seen |= events;
	w->calls++;
	if (w->free_inside) {
		loop_watch_free(w->watch);
		w->watch = NULL;
	} else {
		loop_watch_set(w->watch, w->then_set);
	}
	loop_stop(w->loop);
}

static void watched_open(struct watched *w, int here, int there)
{
	*w = (struct watched){ .loop = loop_make(), .here = here, .there = there };
	assert_int_equal(loop_watch_new(w->loop, here, (struct loop_watch_call){ on_watched, w },
					&w->watch, NULL),
			 0);
}

static void watched_close(struct watched *w)
{
	loop_watch_free(w->watch);
	sock_close(&w->here);
	sock_close(&w->there);
	loop_free(w->loop);
}

static void watched_pair(struct watched *w, int type)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds), 0);
	watched_open(w, fds[0], fds[1]);
}

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

/* Runs the loop until a callback stops it, at most so long. */
static void run_for(struct loop *l, int64_t ns)
{
	struct loop_timer *t;

	assert_int_equal(loop_timer_new(l, stop_loop, l, &t, NULL), 0);
	loop_timer_set(t, ns);
	loop_run(l);
	loop_timer_free(t);
}

static void watches_sockets_pipes_and_message_channels(void **state)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET };
	struct watched w;
	int fds[2];

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(types); i++) {
		if (i < ARRAY_LEN(types)) {
			watched_pair(&w, types[i]);
		} else {
			assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
			watched_open(&w, fds[0], fds[1]);
		}
		loop_watch_set(w.watch, LOOP_READ);
		assert_int_equal(write(w.there, "x", 1), 1);
		run_for(w.loop, 2000 * MS);
		assert_int_equal(w.seen, LOOP_READ);
		assert_int_equal(w.calls, 1);
		watched_close(&w);
	}
}

static void tells_that_writing_is_possible(void **state)
{
	struct watched w;

	(void)state;
	watched_pair(&w, SOCK_STREAM);
	loop_watch_set(w.watch, LOOP_READ | LOOP_WRITE);
	run_for(w.loop, 2000 * MS);
	assert_int_equal(w.seen, LOOP_WRITE);
	watched_close(&w);
}

static void tells_nothing_that_is_not_wanted_any_more(void **state)
{
	struct watched w;

	(void)state;
	watched_pair(&w, SOCK_STREAM);
	loop_watch_set(w.watch, LOOP_READ);
	run_for(w.loop, 1 * MS);
	loop_watch_set(w.watch, 0);
	assert_int_equal(write(w.there, "x", 1), 1);
	run_for(w.loop, 20 * MS);
	assert_int_equal(w.calls, 0);
	loop_watch_set(w.watch, LOOP_READ); /* it is still there, so it is told now */
	run_for(w.loop, 2000 * MS);
	assert_int_equal(w.seen, LOOP_READ);
	watched_close(&w);
}

static void tells_the_end_as_something_to_read(void **state)
{
	struct watched w;

	(void)state;
	watched_pair(&w, SOCK_STREAM);
	loop_watch_set(w.watch, LOOP_READ);
	sock_close(&w.there);
	run_for(w.loop, 2000 * MS);
	assert_true(w.seen & LOOP_READ);
	watched_close(&w);
}

static void tells_a_hangup_while_reading_is_paused(void **state)
{
	struct watched w;

	(void)state;
	watched_pair(&w, SOCK_STREAM);
	loop_watch_set(w.watch, LOOP_HANGUP);
	assert_int_equal(write(w.there, "x", 1), 1);
	run_for(w.loop, 5 * MS);
	assert_int_equal(w.calls, 0);
	sock_close(&w.there);
	run_for(w.loop, 2000 * MS);
	assert_int_equal(w.seen, LOOP_HANGUP);
	watched_close(&w);
}

static void tells_an_error_and_goes_on_watching(void **state)
{
	struct watched w;
	int fds[2];

	(void)state;
	/* The write end of a pipe whose reader is gone: POLLERR. */
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	watched_open(&w, fds[1], fds[0]);
	sock_close(&w.there);
	w.then_set = LOOP_WRITE;
	loop_watch_set(w.watch, LOOP_WRITE);
	run_for(w.loop, 2000 * MS);
	assert_int_equal(w.seen, LOOP_READ | LOOP_WRITE);
	assert_int_equal(w.calls, 1);
	run_for(w.loop, 2000 * MS); /* libuv has stopped it; nobody must notice */
	assert_int_equal(w.calls, 2);
	watched_close(&w);
}

static void may_be_freed_inside_its_own_call(void **state)
{
	struct watched w;

	(void)state;
	watched_pair(&w, SOCK_STREAM);
	w.free_inside = true;
	loop_watch_set(w.watch, LOOP_READ | LOOP_WRITE);
	run_for(w.loop, 2000 * MS);
	assert_int_equal(w.calls, 1);
	assert_null(w.watch);
	watched_close(&w);
}

struct two {
	struct loop *loop;
	struct loop_watch *watches[2];
	unsigned calls;
};

static void free_both(void *ctx, unsigned events)
{
	struct two *t = ctx;

	(void)events;
	t->calls++;
	for (size_t i = 0; i < 2; i++) {
		loop_watch_free(t->watches[i]);
		t->watches[i] = NULL;
	}
}

static void a_watch_freed_by_another_in_the_same_turn_is_not_called(void **state)
{
	struct two t = { .loop = loop_make() };
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(loop_watch_new(t.loop, fds[i],
						(struct loop_watch_call){ free_both, &t },
						&t.watches[i], NULL),
				 0);
		loop_watch_set(t.watches[i], LOOP_WRITE); /* both are ready at once */
	}
	run_for(t.loop, 20 * MS);
	assert_int_equal(t.calls, 1);
	close(fds[0]);
	close(fds[1]);
	loop_free(t.loop);
}

static void a_descriptor_number_may_come_back_at_once(void **state)
{
	struct loop *l = loop_make();
	struct watched w = { .loop = l };
	struct loop_watch *old;
	int fds[2], again[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(loop_watch_new(l, fds[0], (struct loop_watch_call){ on_watched, &w }, &old,
					NULL),
			 0);
	loop_watch_set(old, LOOP_READ);
	run_for(l, 1 * MS);
	loop_watch_free(old);
	close(fds[0]);
	close(fds[1]);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, again), 0);
	assert_int_equal(again[0], fds[0]);
	assert_int_equal(loop_watch_new(l, again[0], (struct loop_watch_call){ on_watched, &w },
					&w.watch, NULL),
			 0);
	loop_watch_set(w.watch, LOOP_READ);
	assert_int_equal(write(again[1], "x", 1), 1);
	run_for(l, 2000 * MS);
	assert_int_equal(w.calls, 1);
	loop_watch_free(w.watch);
	close(again[0]);
	close(again[1]);
	loop_free(l);
}

static void refuses_to_watch_a_file(void **state)
{
	struct loop *l = loop_make();
	struct loop_watch *w;
	struct err e = { 0 };
	FILE *f = tmpfile();

	(void)state;
	assert_non_null(f);
	assert_int_equal(loop_watch_new(l, fileno(f), (struct loop_watch_call){ on_watched, NULL },
					&w, &e),
			 -1);
	assert_int_equal(e.code, ERR_SYSTEM);
	fclose(f);
	loop_free(l);
}

enum { POSTERS = 4, POSTS = 2000 };

struct post {
	struct loop *loop;
	unsigned seen, total;
};

static void on_posted(void *ctx)
{
	struct post *p = ctx;

	if (++p->seen == p->total)
		loop_stop(p->loop);
}

static void *post_many(void *ctx)
{
	struct post *p = ctx;
	struct err e;

	for (unsigned i = 0; i < POSTS; i++) {
		if (loop_post(p->loop, on_posted, p, &e) < 0)
			return p;
	}
	return NULL;
}

static void other_threads_post(void **state)
{
	struct post p = { .loop = loop_make(), .total = POSTERS * POSTS };
	pthread_t threads[POSTERS];

	(void)state;
	for (size_t i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_many, &p), 0);
	loop_run(p.loop);
	for (size_t i = 0; i < POSTERS; i++) {
		void *failed = NULL;

		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(p.seen, POSTERS * POSTS);
	loop_free(p.loop);
}

struct signals {
	struct loop *loop;
	int seen;
};

static void on_signalled(void *ctx, int signum)
{
	struct signals *s = ctx;

	s->seen = signum;
	loop_stop(s->loop);
}

static void tells_signals(void **state)
{
	struct signals s = { .loop = loop_make() };
	struct loop_signal *sig;

	(void)state;
	assert_int_equal(loop_signal_new(s.loop, SIGUSR1,
					 (struct loop_signal_call){ on_signalled, &s }, &sig, NULL),
			 0);
	raise(SIGUSR1);
	run_for(s.loop, 2000 * MS);
	assert_int_equal(s.seen, SIGUSR1);
	loop_signal_free(sig);
	loop_free(s.loop);
}

static void every_allocation_may_fail(void **state)
{
	struct loop *l = NULL;
	struct loop_watch *w = NULL;
	struct loop_timer *t = NULL;
	struct loop_signal *s = NULL;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 1; i <= 2; i++) {
		mem_fail_at(i);
		assert_int_equal(loop_new(&l, &e), -1);
		assert_int_equal(e.code, ERR_NOMEM);
	}
	mem_fail_at(0);
	l = loop_make();
	mem_fail_at(1);
	assert_int_equal(loop_watch_new(l, 0, (struct loop_watch_call){ on_watched, NULL }, &w, &e),
			 -1);
	assert_int_equal(loop_timer_new(l, write_a, NULL, &t, &e), -1);
	assert_int_equal(loop_signal_new(l, SIGUSR1,
					 (struct loop_signal_call){ on_signalled, NULL }, &s, &e),
			 -1);
	assert_int_equal(loop_post(l, write_a, NULL, &e), -1);
	assert_int_equal(loop_later(l, write_a, NULL, &e), -1);
	assert_int_equal(e.code, ERR_NOMEM);
	mem_fail_at(0);
	loop_free(l);
}

static void randomness_differs(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_int_equal(random_bytes(a, sizeof(a), NULL), 0);
	assert_int_equal(random_bytes(b, sizeof(b), NULL), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_what_was_put_off_in_order),
		cmocka_unit_test(put_off_from_a_timer_runs_before_the_next_wait),
		cmocka_unit_test(forgets_what_is_put_off_or_posted_when_freed),
		cmocka_unit_test(timers_fire_in_the_order_of_their_moments),
		cmocka_unit_test(a_timer_that_was_moved_fires_once_and_not_before),
		cmocka_unit_test(a_stopped_timer_never_fires),
		cmocka_unit_test(
			a_timer_that_sets_itself_for_now_does_not_keep_the_loop_from_polling),
		cmocka_unit_test(time_stands_still_during_a_turn_and_moves_between),
		cmocka_unit_test(watches_sockets_pipes_and_message_channels),
		cmocka_unit_test(tells_that_writing_is_possible),
		cmocka_unit_test(tells_nothing_that_is_not_wanted_any_more),
		cmocka_unit_test(tells_the_end_as_something_to_read),
		cmocka_unit_test(tells_a_hangup_while_reading_is_paused),
		cmocka_unit_test(tells_an_error_and_goes_on_watching),
		cmocka_unit_test(may_be_freed_inside_its_own_call),
		cmocka_unit_test(a_watch_freed_by_another_in_the_same_turn_is_not_called),
		cmocka_unit_test(a_descriptor_number_may_come_back_at_once),
		cmocka_unit_test(refuses_to_watch_a_file),
		cmocka_unit_test(other_threads_post),
		cmocka_unit_test(tells_signals),
		cmocka_unit_test(every_allocation_may_fail),
		cmocka_unit_test(randomness_differs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
