#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "cmd/demo.h"
#include "net/sock.h"

#define DAY_S ((int64_t)86400)
#define MESSAGE_MAX ((size_t)64 << 10)

static const char shop_page[] = "{\"shop\": \"oriel\", \"items\": [\"bay window\", \"pane\"]}\n";
static const char login_page[] = "{\"welcome\": \"ada\"}\n";

static int listen_at(struct demo_server *s, enum demo_place place, struct err *e)
{
	struct addr any = { .family = ADDR_IP4, .ip = { 127, 0, 0, 1 } };
	struct sock_listen_options o = { 0 };

	return sock_listen(&any, &o, &s->listener[place], e) < 0
		       ? -1
		       : sock_local(s->listener[place], &s->at[place], e);
}

int demo_server_init(struct demo_server *s, const struct demo_authority *a, int64_t now_s,
		     struct err *e)
{
	const struct demo_server_certificate certificates[DEMO_PLACES] = {
		[DEMO_AT_GOOD] = { DEMO_GOOD, now_s - DAY_S, now_s + 90 * DAY_S },
		[DEMO_AT_EXPIRED] = { DEMO_EXPIRED, now_s - 100 * DAY_S, now_s - 10 * DAY_S },
	};
	struct tls_policy_options po = { .side = TLS_SERVER };

	*s = (struct demo_server){ .listener = { -1, -1 } };
	for (size_t i = 0; i < DEMO_PLACES; i++)
		demo_tape_init(&s->tape[i]);
	if (tls_policy_new(&po, &s->policy, e) < 0)
		return -1;
	for (size_t i = 0; i < DEMO_PLACES; i++) {
		if (listen_at(s, (enum demo_place)i, e) < 0 ||
		    demo_identity_make(a, &certificates[i], &s->identity[i], e) < 0)
			return -1;
	}
	return 0;
}

static int answer(struct demo_end *d, struct bytes request, struct err *e)
{
	AUTO(buf_fini) struct buf out = buf_init(MESSAGE_MAX);
	bool post = bytes_starts(request, bytes_str("POST "));
	const char *page = post ? login_page : shop_page;

	if (buf_printf(&out, e,
		       "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n%sContent-Length: "
		       "%zu\r\n\r\n%s",
		       post ? "Set-Cookie: session=7c0ffee7; Secure\r\n" : "", strlen(page),
		       page) < 0)
		return -1;
	return demo_end_write(d, buf_bytes(&out), e);
}

/* Until the client has enough, or does not want us. */
static void talk(struct demo_end *d)
{
	struct err e = { 0 };

	if (demo_end_shake(d, &e) < 0)
		return;
	for (;;) {
		AUTO(buf_fini) struct buf request = buf_init(MESSAGE_MAX);

		if (demo_end_read_message(d, &request, &e) < 0 ||
		    answer(d, buf_bytes(&request), &e) < 0)
			return;
	}
}

static void serve(struct demo_server *s, enum demo_place place)
{
	struct tls_server_options o = { .policy = s->policy,
					.identity = s->identity[place],
					.alpn = bytes_str("http/1.1") };
	struct demo_end d;
	int fd;

	if (sock_accept(s->listener[place], &fd, NULL, NULL) != SOCK_ACCEPTED)
		return;
	if (demo_end_init(&d, fd, true, &s->tape[place], NULL) == 0 &&
	    tls_server_new(&o, &d.out, &d.tls, NULL) == 0)
		talk(&d);
	demo_end_fini(&d);
}

/* Ends when its sockets do. */
static void *run(void *arg)
{
	struct demo_server *s = arg;

	for (;;) {
		struct pollfd p[DEMO_PLACES];

		for (size_t i = 0; i < DEMO_PLACES; i++)
			p[i] = (struct pollfd){ .fd = s->listener[i], .events = POLLIN };
		if (poll(p, DEMO_PLACES, -1) < 0)
			return NULL;
		for (size_t i = 0; i < DEMO_PLACES; i++) {
			if (p[i].revents & (POLLHUP | POLLERR))
				return NULL;
			if (p[i].revents)
				serve(s, (enum demo_place)i);
		}
	}
}

int demo_server_start(struct demo_server *s, struct err *e)
{
	errno = pthread_create(&s->thread, NULL, run, s);
	s->running = errno == 0;
	return s->running ? 0 : FAIL_SYS(e, SYSTEM, "a thread for the server");
}

void demo_server_stop(struct demo_server *s)
{
	if (!s->running)
		return;
	for (size_t i = 0; i < DEMO_PLACES; i++)
		(void)shutdown(s->listener[i], SHUT_RDWR);
	(void)pthread_join(s->thread, NULL);
	s->running = false;
}

void demo_server_fini(struct demo_server *s)
{
	demo_server_stop(s);
	for (size_t i = 0; i < DEMO_PLACES; i++) {
		sock_close(&s->listener[i]);
		tls_identity_free(s->identity[i]);
		demo_tape_fini(&s->tape[i]);
	}
	tls_policy_free(s->policy);
}
