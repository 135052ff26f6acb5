#include "serve/service.h"

#include "base/list.h"
#include "base/mem.h"
#include "net/sock.h"
#include "wire/connect.h"

#define HEAD_MAX ((size_t)16 << 10)
#define PATIENCE_NS ((int64_t)10 * 1000000000)
#define CONNECTIONS_MAX 64

struct service {
	struct service_options o;
	struct loop_watch *watch;
	const struct addr *own;
	size_t own_count;
	struct list visits;
	size_t count;
};

/* One connection with its one request. */
struct visit {
	struct list node;
	struct service *service;
	int fd;
	struct loop_watch *watch;
	struct loop_timer *timer;
	struct connect_scan scan;
	struct buf in, out;
	bool answered;
};

static void visit_end(struct visit *v)
{
	struct service *s = v->service;

	loop_watch_free(v->watch);
	loop_timer_free(v->timer);
	sock_close(&v->fd);
	buf_fini(&v->in);
	buf_fini(&v->out);
	list_remove(&v->node);
	mem_free(v);
	s->count--;
	loop_watch_set(s->watch, LOOP_READ);
}

int service_write(struct buf *out, const struct service_reply *r, struct err *e)
{
	if (buf_printf(out, e,
		       "HTTP/1.1 %u %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		       "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: "
		       "close\r\n\r\n",
		       r->status, r->status == 200 ? "OK" : connect_status_text(r->status), r->type,
		       r->body.n) < 0)
		return -1;
	return buf_add(out, buf_bytes(&r->body), e);
}

bool service_query(struct bytes query, const char *name, struct bytes *value)
{
	while (query.n) {
		struct bytes one = bytes_slice(query, 0, bytes_index(query, '&'));
		size_t eq = bytes_index(one, '=');

		if (bytes_equal(bytes_slice(one, 0, eq), bytes_str(name))) {
			*value = bytes_slice(one, eq + 1, one.n);
			return true;
		}
		query = bytes_slice(query, one.n + 1, query.n);
	}
	return false;
}

/* A page of somebody else's that makes a browser ask us has its own name in Host or Origin. */
static bool is_ours(const struct service *s, struct bytes authority)
{
	struct host h;

	if (host_parse_authority(authority, 80, &h, NULL) < 0)
		return false;
	if (h.kind == HOST_NAME)
		return bytes_equal(name_bytes(&h.name), bytes_str("localhost"));
	for (size_t i = 0; i < s->own_count; i++) {
		if (addr_same_ip(&h.addr, &s->own[i]))
			return true;
	}
	return addr_kind(&h.addr) == ADDR_LOOPBACK;
}

static bool same_authority(struct bytes one, struct bytes other)
{
	struct host a, b;

	if (host_parse_authority(one, 80, &a, NULL) < 0 ||
	    host_parse_authority(other, 80, &b, NULL) < 0 || a.kind != b.kind || a.port != b.port)
		return false;
	return a.kind == HOST_NAME ? bytes_equal(name_bytes(&a.name), name_bytes(&b.name))
				   : addr_same_ip(&a.addr, &b.addr);
}

static bool is_allowed(const struct service *s, const struct connect_head *head)
{
	struct bytes host, origin, scheme = bytes_str("http://");

	if (s->o.local)
		return true;
	if (!connect_field_find(head, "host", &host) || !is_ours(s, host))
		return false;
	if (!connect_field_find(head, "origin", &origin))
		return true;
	/* A page that another port of this machine serves is somebody else's, too. */
	return bytes_starts(origin, scheme) &&
	       same_authority(bytes_slice(origin, scheme.n, origin.n), host);
}

static void flush(struct visit *v)
{
	while (v->out.n) {
		size_t done = 0;
		enum sock_io r = sock_write(v->fd, buf_bytes(&v->out), &done);

		if (r == SOCK_AGAIN) {
			loop_watch_set(v->watch, LOOP_WRITE);
			return;
		}
		if (r != SOCK_DONE) {
			visit_end(v);
			return;
		}
		buf_take(&v->out, done);
	}
	sock_shutdown_write(v->fd);
	visit_end(v);
}

static void answer(struct visit *v, struct service_reply *r)
{
	v->answered = true;
	if (service_write(&v->out, r, NULL) < 0)
		buf_clear(&v->out);
	buf_fini(&r->body);
	flush(v);
}

static void refuse(struct visit *v, unsigned status, const char *why)
{
	struct service_reply r = { .status = status,
				   .type = "text/plain; charset=utf-8",
				   .body = buf_init(1024) };

	if (buf_printf(&r.body, NULL, "%s\n", why) < 0)
		buf_clear(&r.body);
	answer(v, &r);
}

static void handle(struct visit *v, const struct connect_head *head)
{
	struct service *s = v->service;
	size_t path_n = bytes_index(head->target, '?');
	struct service_request q = { .method = head->method,
				     .path = bytes_slice(head->target, 0, path_n),
				     .query = bytes_slice(head->target, path_n + 1, head->target.n),
				     .local = s->o.local };
	struct service_reply r = { .status = 200,
				   .type = "text/plain; charset=utf-8",
				   .body = buf_init(SERVICE_BODY_MAX) };

	if (head->form != CONNECT_ORIGIN) {
		refuse(v, 400, "only origin-form requests are served here");
		return;
	}
	if (!is_allowed(s, head)) {
		refuse(v, 403, "the Host or Origin header names somebody else");
		return;
	}
	if (!connect_field_find(head, "authorization", &q.authorization))
		q.authorization = bytes_of(NULL, 0);
	s->o.handle(s->o.ctx, &q, &r);
	answer(v, &r);
}

static void read_more(struct visit *v)
{
	struct connect_head head;
	struct err e = { 0 };
	uint8_t *room;
	size_t got = 0, want = buf_room(&v->in) < 4096 ? buf_room(&v->in) : 4096;

	if (want == 0 || buf_reserve(&v->in, want, &room, NULL) < 0) {
		refuse(v, 431, "the head of the request is too long");
		return;
	}
	switch (sock_read(v->fd, room, want, &got)) {
	case SOCK_AGAIN:
		return;
	case SOCK_DONE:
		buf_commit(&v->in, got);
		break;
	default:
		visit_end(v);
		return;
	}
	switch (connect_run(&v->scan, buf_bytes(&v->in), &head, &e)) {
	case CONNECT_MORE:
		break;
	case CONNECT_BAD:
		refuse(v, v->scan.status, e.sentence);
		break;
	case CONNECT_DONE:
		handle(v, &head);
		break;
	}
}

static void on_visit(void *ctx, unsigned events)
{
	struct visit *v = ctx;

	(void)events;
	if (v->answered)
		flush(v);
	else
		read_more(v);
}

static void on_late(void *ctx)
{
	visit_end(ctx);
}

static void visit_start(struct service *s, int fd)
{
	struct visit *v = mem_new(sizeof(*v));

	if (!v) {
		sock_close(&fd);
		return;
	}
	v->service = s;
	v->fd = fd;
	v->in = buf_init(HEAD_MAX);
	v->out = buf_init(SERVICE_BODY_MAX + 4096);
	list_add(&s->visits, &v->node);
	s->count++;
	if (loop_watch_new(s->o.loop, fd, (struct loop_watch_call){ on_visit, v }, &v->watch,
			   NULL) < 0 ||
	    loop_timer_new(s->o.loop, on_late, v, &v->timer, NULL) < 0) {
		visit_end(v);
		return;
	}
	loop_timer_set(v->timer, PATIENCE_NS);
	loop_watch_set(v->watch, LOOP_READ);
}

static void on_listener(void *ctx, unsigned events)
{
	struct service *s = ctx;
	int fd;

	(void)events;
	while (s->count < s->o.max_connections) {
		if (sock_accept(s->o.fd, &fd, NULL, NULL) != SOCK_ACCEPTED)
			return;
		visit_start(s, fd);
	}
	loop_watch_set(s->watch, 0);
}

int service_new(const struct service_options *o, struct service **out, struct err *e)
{
	struct service *s = mem_new(sizeof(*s));
	int fd = o->fd;

	if (!s) {
		sock_close(&fd);
		return FAIL(e, NOMEM, "a service");
	}
	s->o = *o;
	if (!s->o.max_connections)
		s->o.max_connections = CONNECTIONS_MAX;
	list_init(&s->visits);
	if (loop_watch_new(o->loop, fd, (struct loop_watch_call){ on_listener, s }, &s->watch, e) <
	    0) {
		service_free(s);
		return -1;
	}
	loop_watch_set(s->watch, LOOP_READ);
	*out = s;
	return 0;
}

void service_set_own(struct service *s, const struct addr *own, size_t count)
{
	if (!s)
		return;
	s->own = own;
	s->own_count = count;
}

void service_free(struct service *s)
{
	if (!s)
		return;
	LIST_EACH (it, &s->visits)
		visit_end(LIST_OWNER(it, struct visit, node));
	loop_watch_free(s->watch);
	sock_close(&s->o.fd);
	mem_free(s);
}
