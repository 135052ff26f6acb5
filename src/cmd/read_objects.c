#include "cmd/read_objects.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/list.h"
#include "base/mem.h"
#include "flow/table.h"
#include "http/body.h"
#include "proc/file.h"
#include "proc/paths.h"

#define NAME_MAX_SHOWN 80	       /* characters of the URL's */
#define OBJECT_MAX (UINT64_C(1) << 40) /* bytes; a disk is full before */

/* A message whose body is being written. */
struct object {
	struct list all; /* among those with an open file: the least recently used first */
	struct read_objects *of;
	struct body *body;
	int fd; /* -1: closed for a while, or not made yet */
	bool made;
	char file[NAME_MAX_SHOWN + 64];
};

struct object_exchange {
	struct table_node node; /* by flow and stream */
	struct list in_flow;
	char id[48];
	char name[NAME_MAX_SHOWN + 1]; /* of the path's last part */
	struct object message[2];      /* by direction */
};

struct object_flow {
	struct table_node node; /* by flow */
	struct list exchanges;	/* under way */
	uint64_t count;
};

struct read_objects {
	const char *dir;
	uint64_t only;
	struct table flows, exchanges;
	struct list open; /* of struct object */
	size_t open_count;
	bool failed;
	struct err e;
};

int read_objects_folder(const char *dir, struct err *e)
{
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return FAIL_SYS(e, FILE, "the folder %s cannot be made", dir);
	return 0;
}

static void note(struct read_objects *o, const struct err *e)
{
	if (o->failed)
		return;
	o->failed = true;
	o->e = *e;
}

/* The last part of a path, without its query, in characters that are safe everywhere. */
static void safe_name(struct bytes path, char out[NAME_MAX_SHOWN + 1])
{
	struct bytes b = bytes_slice(path, 0, bytes_index(path, '?'));
	size_t from = b.n, n = 0;

	while (from && b.p[from - 1] != '/')
		from--;
	b = bytes_slice(b, from, b.n);
	for (size_t i = 0; i < b.n && n < NAME_MAX_SHOWN; i++) {
		uint8_t c = b.p[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || c == '-' || c == '_' || (c == '.' && n);

		out[n++] = plain ? (char)c : '_';
	}
	out[n] = 0;
	if (n == 0)
		snprintf(out, NAME_MAX_SHOWN + 1, "index");
}

/* --- files --- */

static void close_file(struct object *m)
{
	if (m->fd < 0)
		return;
	close(m->fd);
	m->fd = -1;
	m->of->open_count--;
	list_remove(&m->all);
}

static int open_file(struct object *m, struct err *e)
{
	struct read_objects *o = m->of;
	int flags = O_WRONLY | O_APPEND | O_NOFOLLOW | O_CLOEXEC;
	char path[PATHS_MAX];

	if (m->fd >= 0) {
		list_remove(&m->all);
		list_add(&o->open, &m->all);
		return 0;
	}
	if (paths_join(path, o->dir, m->file, e) < 0)
		return -1;
	if (o->open_count == OBJECTS_OPEN_MAX)
		close_file(LIST_OWNER(o->open.next, struct object, all));
	m->fd = open(path, m->made ? flags : flags | O_CREAT | O_EXCL, 0600);
	if (m->fd < 0)
		return FAIL_SYS(e, FILE, "the object %s cannot be written", path);
	m->made = true;
	o->open_count++;
	list_add(&o->open, &m->all);
	return 0;
}

static int write_all(struct object *m, struct bytes data, struct err *e)
{
	if (open_file(m, e) < 0)
		return -1;
	return file_put(m->fd, data) < 0
		       ? FAIL_SYS(e, FILE, "the object %s/%s", m->of->dir, m->file)
		       : 0;
}

static void on_data(void *ctx, struct bytes data)
{
	struct object *m = ctx;
	struct err e = { 0 };

	if (data.n && !m->of->failed && write_all(m, data, &e) < 0)
		note(m->of, &e);
}

/* --- exchanges --- */

static struct object_exchange *find_exchange(const struct read_objects *o, const struct event *ev)
{
	struct table_node *n = table_find(&o->exchanges, ev->flow, ev->stream);

	return n ? LIST_OWNER(n, struct object_exchange, node) : NULL;
}

static struct object_flow *find_flow(const struct read_objects *o, uint64_t flow)
{
	struct table_node *n = table_find(&o->flows, flow, 0);

	return n ? LIST_OWNER(n, struct object_flow, node) : NULL;
}

static struct object_flow *get_flow(struct read_objects *o, uint64_t flow)
{
	struct object_flow *f = find_flow(o, flow);

	if (f)
		return f;
	f = mem_new(sizeof(*f));
	if (!f)
		return NULL;
	f->node.a = flow;
	list_init(&f->exchanges);
	table_add(&o->flows, &f->node);
	return f;
}

static struct object_exchange *new_exchange(struct read_objects *o, const struct event *ev)
{
	struct object_flow *f = get_flow(o, ev->flow);
	struct object_exchange *x = f ? mem_new(sizeof(*x)) : NULL;

	if (!x)
		return NULL;
	x->node.a = ev->flow;
	x->node.b = ev->stream;
	/* As the tracker counts: what has a head is an exchange. */
	snprintf(x->id, sizeof(x->id), "%llu.%llu", (unsigned long long)ev->flow,
		 (unsigned long long)++f->count);
	safe_name((struct bytes){ 0 }, x->name);
	for (int i = 0; i < 2; i++)
		x->message[i] = (struct object){ .of = o, .fd = -1 };
	table_add(&o->exchanges, &x->node);
	list_add(&f->exchanges, &x->in_flow);
	return x;
}

static void end_message(struct object *m)
{
	if (m->body)
		(void)body_finish(m->body);
	body_free(m->body);
	m->body = NULL;
	close_file(m);
}

static void drop_exchange(struct read_objects *o, struct object_exchange *x)
{
	end_message(&x->message[DIR_UP]);
	end_message(&x->message[DIR_DOWN]);
	table_remove(&o->exchanges, &x->node);
	list_remove(&x->in_flow);
	mem_free(x);
}

static struct bytes content_encoding(const struct ev_message_head *h)
{
	for (size_t i = 0; i < h->header_count; i++)
		if (bytes_equal_nocase(h->headers[i].name, bytes_str("content-encoding")))
			return h->headers[i].value;
	return (struct bytes){ 0 };
}

/* A coding that is not known, or out of memory for it: the body is written as it came. */
static void begin_body(struct object *m, struct bytes encoding)
{
	struct body_options options = {
		.encoding = encoding,
		.cap = OBJECT_MAX,
		.on_data = on_data,
		.ctx = m,
	};

	if (body_new(&options, &m->body, NULL) < 0)
		m->body = NULL;
}

static void head(struct read_objects *o, const struct event *ev)
{
	const struct ev_message_head *h = &ev->u.message_head;
	struct object_exchange *x = find_exchange(o, ev);
	struct err e = { 0 };
	struct object *m;

	if (h->interim)
		return;
	if (!x)
		x = new_exchange(o, ev);
	if (!x) {
		(void)FAIL(&e, NOMEM, "the objects of a connection");
		note(o, &e);
		return;
	}
	if (ev->dir == DIR_UP)
		safe_name(h->path, x->name);
	m = &x->message[ev->dir];
	end_message(m);
	m->made = false;
	snprintf(m->file, sizeof(m->file), "%s-%s%s", x->id, ev->dir == DIR_UP ? "request-" : "",
		 x->name);
	begin_body(m, content_encoding(h));
}

static void chunk(struct read_objects *o, const struct event *ev)
{
	const struct ev_body_chunk *c = &ev->u.body_chunk;
	struct object_exchange *x = find_exchange(o, ev);

	if (!x || c->proto == PROTO_WEBSOCKET || c->proto == PROTO_BYTES)
		return;
	if (x->message[ev->dir].body)
		(void)body_feed(x->message[ev->dir].body, c->data);
	else
		on_data(&x->message[ev->dir], c->data);
}

static void end_flow(struct read_objects *o, uint64_t flow)
{
	struct object_flow *f = find_flow(o, flow);

	if (!f)
		return;
	LIST_EACH (it, &f->exchanges)
		drop_exchange(o, LIST_OWNER(it, struct object_exchange, in_flow));
	table_remove(&o->flows, &f->node);
	mem_free(f);
}

static void on_event(void *ctx, const struct event *ev)
{
	struct read_objects *o = ctx;
	struct object_exchange *x;

	if (o->only && o->only != ev->flow)
		return;
	switch (ev->type) {
	case EV_MESSAGE_HEAD:
		head(o, ev);
		break;
	case EV_BODY_CHUNK:
		chunk(o, ev);
		break;
	case EV_MESSAGE_END:
		x = find_exchange(o, ev);
		if (x)
			end_message(&x->message[ev->dir]);
		if (x && ev->dir == DIR_DOWN)
			drop_exchange(o, x);
		break;
	case EV_FLOW_END:
		end_flow(o, ev->flow);
		break;
	default:
		break;
	}
}

int read_objects_new(const char *dir, uint64_t filter_flow, struct read_objects **objects,
		     struct err *e)
{
	struct read_objects *o = mem_new(sizeof(*o));

	if (!o)
		return FAIL(e, NOMEM, "objects");
	o->dir = dir;
	o->only = filter_flow;
	list_init(&o->open);
	if (table_init(&o->flows, e) < 0 || table_init(&o->exchanges, e) < 0) {
		read_objects_free(o);
		return -1;
	}
	*objects = o;
	return 0;
}

void read_objects_free(struct read_objects *o)
{
	if (!o)
		return;
	for (size_t i = 0; i < o->flows.size; i++)
		while (o->flows.buckets[i])
			end_flow(o, o->flows.buckets[i]->a);
	table_fini(&o->flows);
	table_fini(&o->exchanges);
	mem_free(o);
}

struct event_sink read_objects_sink(struct read_objects *o)
{
	uint32_t mask = EV_BIT(EV_MESSAGE_HEAD) | EV_BIT(EV_BODY_CHUNK) | EV_BIT(EV_MESSAGE_END) |
			EV_BIT(EV_FLOW_END);

	return (struct event_sink){ .mask = mask, .on_event = on_event, .ctx = o };
}

int read_objects_check(const struct read_objects *o, struct err *e)
{
	if (!o->failed)
		return 0;
	*e = o->e;
	return -1;
}
