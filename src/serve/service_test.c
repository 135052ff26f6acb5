#include "serve/service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/sock.h"

/* A service on loopback, and a client of it in the same loop. */
struct scene {
	struct loop *loop;
	struct service *service;
	struct addr at;
	struct loop_watch *watch;
	struct loop_timer *late;
	int fd;
	struct buf answer;
	unsigned handled;
};

static void handle(void *ctx, const struct service_request *q, struct service_reply *r)
{
	struct scene *s = ctx;
	struct bytes value = { 0 };

	s->handled++;
	assert_true(service_query(q->query, "n", &value) == (q->query.n > 0));
	assert_int_equal(buf_printf(&r->body, NULL, "%.*s|%.*s|%.*s", BYTES_FMT(q->method),
				    BYTES_FMT(q->path), BYTES_FMT(value)),
			 0);
}

static void on_late(void *ctx)
{
	struct scene *s = ctx;

	loop_stop(s->loop);
	fail_msg("no answer in time");
}

static void on_answer(void *ctx, unsigned events)
{
	struct scene *s = ctx;
	uint8_t room[4096];
	size_t got = 0;

	(void)events;
	switch (sock_read(s->fd, room, sizeof(room), &got)) {
	case SOCK_DONE:
		assert_int_equal(buf_add(&s->answer, bytes_of(room, got), NULL), 0);
		break;
	case SOCK_AGAIN:
		break;
	default:
		loop_stop(s->loop);
	}
}

static void scene_start(struct scene *s, bool local)
{
	struct service_options o = { .local = local, .handle = handle, .ctx = s, .fd = -1 };

	*s = (struct scene){ .fd = -1, .answer = buf_init(1 << 20) };
	assert_true(addr_parse_ip(bytes_str("127.0.0.1"), 0, &s->at));
	assert_int_equal(loop_new(&s->loop, NULL), 0);
	assert_int_equal(sock_listen(&s->at, &(struct sock_listen_options){ 0 }, &o.fd, NULL), 0);
	assert_int_equal(sock_local(o.fd, &s->at, NULL), 0);
	o.loop = s->loop;
	assert_int_equal(service_new(&o, &s->service, NULL), 0);
	service_set_own(s->service, &s->at, 1);
	assert_int_equal(loop_timer_new(s->loop, on_late, s, &s->late, NULL), 0);
}

static void scene_end(struct scene *s)
{
	loop_timer_free(s->late);
	service_free(s->service);
	loop_free(s->loop);
	buf_fini(&s->answer);
}

/* Sends pieces one after another, each in a write of its own, and returns the answer with a NUL. */
static const char *ask(struct scene *s, const char *request)
{
	struct bytes rest = bytes_str(request);
	size_t done = 0;

	buf_clear(&s->answer);
	assert_int_equal(sock_connect(&s->at, &s->fd, NULL), 0);
	assert_int_equal(loop_watch_new(s->loop, s->fd, (struct loop_watch_call){ on_answer, s },
					&s->watch, NULL),
			 0);
	/* Loopback: the connection is there at once, and takes this much. */
	while (rest.n && sock_write(s->fd, rest, &done) == SOCK_DONE)
		rest = bytes_slice(rest, done, rest.n);
	loop_watch_set(s->watch, LOOP_READ);
	loop_timer_set(s->late, (int64_t)20 * 1000000000);
	loop_run(s->loop);
	loop_timer_stop(s->late);
	loop_watch_free(s->watch);
	sock_close(&s->fd);
	assert_int_equal(buf_add(&s->answer, bytes_of("", 1), NULL), 0);
	return (const char *)s->answer.p;
}

static void expect(struct scene *s, const char *request, const char *status, const char *end)
{
	const char *got = ask(s, request);
	size_t n = strlen(got), m = strlen(end);

	if (strncmp(got, status, strlen(status)) != 0 || n < m || strcmp(got + n - m, end) != 0)
		fail_msg("%s: %s", request, got);
}

static void answers_with_what_the_handler_says(void **state)
{
	struct scene s;

	(void)state;
	scene_start(&s, false);
	expect(&s, "GET /a/b?n=7&m HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "HTTP/1.1 200 OK\r\n",
	       "GET|/a/b|7");
	expect(&s, "HEAD / HTTP/1.1\r\nHost: localhost:9\r\n\r\n", "HTTP/1.1 200", "HEAD|/|");
	assert_int_equal(s.handled, 2);
	scene_end(&s);
}

static void a_page_of_somebody_else_is_refused(void **state)
{
	static const char *const requests[] = {
		"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
		"GET / HTTP/1.0\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://evil.example\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: null\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1:1\r\n\r\n",
	};
	struct scene s;

	(void)state;
	scene_start(&s, false);
	for (size_t i = 0; i < ARRAY_LEN(requests); i++)
		expect(&s, requests[i], "HTTP/1.1 403", "\n");
	expect(&s, "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nOrigin: http://127.0.0.1\r\n\r\n",
	       "HTTP/1.1 200", "GET|/|");
	assert_int_equal(s.handled, 1);
	scene_end(&s);
}

static void the_owner_of_the_socket_needs_no_host(void **state)
{
	struct scene s;

	(void)state;
	scene_start(&s, true);
	expect(&s, "GET /x HTTP/1.1\r\nHost: anything\r\n\r\n", "HTTP/1.1 200", "GET|/x|");
	scene_end(&s);
}

static void what_is_no_request_is_refused(void **state)
{
	struct buf long_one = buf_init(1 << 16);
	struct scene s;

	(void)state;
	scene_start(&s, true);
	expect(&s, "rubbish\r\n\r\n", "HTTP/1.1 400", "\n");
	expect(&s, "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400", "\n");
	assert_int_equal(buf_printf(&long_one, NULL, "GET / HTTP/1.1\r\nHost: a\r\nX: "), 0);
	while (long_one.n < 20000)
		assert_int_equal(buf_add(&long_one, bytes_str("aaaaaaaaaaaaaaaa"), NULL), 0);
	assert_int_equal(buf_add(&long_one, bytes_of("", 1), NULL), 0);
	expect(&s, (const char *)long_one.p, "HTTP/1.1 431", "\n");
	assert_int_equal(s.handled, 0);
	buf_fini(&long_one);
	scene_end(&s);
}

static void query_parameters_are_found_by_whole_names(void **state)
{
	struct bytes v;

	(void)state;
	assert_true(service_query(bytes_str("last=5&json"), "last", &v) &&
		    bytes_equal(v, bytes_str("5")));
	assert_true(service_query(bytes_str("last=5&json"), "json", &v) && v.n == 0);
	assert_false(service_query(bytes_str("last=5"), "las", &v));
	assert_false(service_query(bytes_str(""), "last", &v));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers_with_what_the_handler_says),
		cmocka_unit_test(a_page_of_somebody_else_is_refused),
		cmocka_unit_test(the_owner_of_the_socket_needs_no_host),
		cmocka_unit_test(what_is_no_request_is_refused),
		cmocka_unit_test(query_parameters_are_found_by_whole_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
