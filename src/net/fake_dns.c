#include "net/fake_dns.h"

#include "base/list.h"
#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "net/sock.h"
#include "net/sockaddr.h"

#include <assert.h>
#include <stdio.h>

enum { TYPE_A = 1, TYPE_CNAME = 5, TYPE_AAAA = 28, CLASS_IN = 1, MESSAGE_MAX = 4096 };
enum { FLAG_ANSWER = 0x8180, FLAG_TRUNCATED = 0x0200, RCODE_SERVFAIL = 2, RCODE_NXDOMAIN = 3 };

struct fake_dns {
	struct loop *loop;
	const struct fake_dns_rule *rules;
	int udp, tcp, conversation;
	struct loop_watch *udp_watch, *tcp_watch, *conversation_watch;
	char address[ADDR_TEXT_MAX];
	char asked[65536];
	size_t asked_n;
	unsigned count;
	struct list replies; /* put off */
};

struct question {
	uint16_t id, type;
	struct bytes raw; /* the question section */
	char name[256];
};

/* An answer on its way: at once or later. */
struct reply {
	struct list node;
	struct fake_dns *dns;
	struct loop_timer *timer;
	struct sockaddr_storage to;
	socklen_t to_n;
	struct buf message;
};

static bool question_parse(struct bytes message, struct question *q)
{
	bool bad = false;
	struct rd r = rd_init(message, &bad);
	size_t n = 0;

	*q = (struct question){ .id = rd_u16(&r) };
	rd_skip(&r, 10);
	q->raw = rd_rest(&r);
	for (struct rd label = rd_vec8(&r); label.n; label = rd_vec8(&r)) {
		struct bytes b = rd_rest(&label);

		n += (size_t)snprintf(q->name + n, sizeof(q->name) - n, "%s%.*s", n ? "." : "",
				      BYTES_FMT(b));
		assert(n < sizeof(q->name));
	}
	q->type = rd_u16(&r);
	rd_skip(&r, 2);
	q->raw.n -= r.n; /* without an additional section */
	return !bad;
}

static const struct fake_dns_rule *rule_find(const struct fake_dns *d, const struct question *q)
{
	enum addr_family family = q->type == TYPE_AAAA ? ADDR_IP6 : ADDR_IP4;
	const struct fake_dns_rule *rule = d->rules;

	for (; rule->name; rule++) {
		if (rule->family == family && strcmp(rule->name, q->name) == 0)
			return rule;
	}
	return NULL;
}

static void write_record(struct wr *w, uint16_t pointer, uint16_t type, uint32_t ttl_s,
			 struct bytes data)
{
	wr_u16(w, pointer);
	wr_u16(w, type);
	wr_u16(w, CLASS_IN);
	wr_u32(w, ttl_s);
	wr_u16(w, (uint16_t)data.n);
	wr_bytes(w, data);
}

static void write_answers(struct wr *w, const struct question *q, const struct fake_dns_rule *rule)
{
	static const uint8_t alias[] = { 5, 'a', 'l', 'i', 'a', 's', 0xc0, 12 };
	uint16_t pointer = 0xc00c;

	if (rule->through_cname) {
		/* The alias lies in the record's data: after header, question and record head. */
		uint16_t at = (uint16_t)(12 + q->raw.n + 12);

		write_record(w, pointer, TYPE_CNAME, rule->ttl_s, bytes_of(alias, sizeof(alias)));
		pointer = 0xc000 | at;
	}
	for (size_t i = 0; i < ARRAY_LEN(rule->addrs) && rule->addrs[i]; i++) {
		struct addr a;
		/* addr keeps mapped addresses as IPv4; an AAAA record carries them whole. */
		uint8_t mapped[16] = { [10] = 0xff, [11] = 0xff };
		bool good = addr_parse_ip(bytes_str(rule->addrs[i]), 0, &a);

		assert(good);
		(void)good;
		memcpy(mapped + 12, a.ip, 4);
		if (q->type == TYPE_AAAA && a.family == ADDR_IP4)
			write_record(w, pointer, q->type, rule->ttl_s,
				     bytes_of(mapped, sizeof(mapped)));
		else
			write_record(w, pointer, q->type, rule->ttl_s, addr_ip(&a));
	}
}

static uint16_t answer_count(const struct fake_dns_rule *rule)
{
	uint16_t n = rule->through_cname;

	for (size_t i = 0; i < ARRAY_LEN(rule->addrs) && rule->addrs[i]; i++)
		n++;
	return n;
}

/* An empty message: no answer. */
static struct buf answer_make(const struct question *q, const struct fake_dns_rule *rule, bool tcp)
{
	enum fake_dns_manner manner = rule ? rule->manner : FAKE_DNS_NXDOMAIN;
	struct buf b = buf_init(MESSAGE_MAX);
	struct wr w = wr_init(&b);
	uint16_t flags = FLAG_ANSWER, answers = 0;

	if (manner == FAKE_DNS_SILENT)
		return b;
	if (manner == FAKE_DNS_ANSWERS || (manner == FAKE_DNS_TRUNCATED && tcp))
		answers = answer_count(rule);
	flags |= manner == FAKE_DNS_NXDOMAIN ? RCODE_NXDOMAIN : 0;
	flags |= manner == FAKE_DNS_SERVFAIL ? RCODE_SERVFAIL : 0;
	flags |= manner == FAKE_DNS_TRUNCATED && !tcp ? FLAG_TRUNCATED : 0;
	wr_u16(&w, q->id);
	wr_u16(&w, flags);
	wr_u16(&w, 1);
	wr_u16(&w, manner == FAKE_DNS_GARBAGE ? 7 : answers);
	wr_u32(&w, 0);
	wr_bytes(&w, q->raw);
	if (answers)
		write_answers(&w, q, rule);
	assert(!w.failed);
	return b;
}

static void reply_free(struct reply *r)
{
	list_remove(&r->node);
	loop_timer_free(r->timer);
	buf_fini(&r->message);
	mem_free(r);
}

static void reply_send(void *ctx)
{
	struct reply *r = ctx;

	(void)!sendto(r->dns->udp, r->message.p, r->message.n, 0, (struct sockaddr *)&r->to,
		      r->to_n);
	reply_free(r);
}

static void write_down(struct fake_dns *d, const struct question *q)
{
	d->count++;
	d->asked_n += (size_t)snprintf(d->asked + d->asked_n, sizeof(d->asked) - d->asked_n,
				       "%s %s ", q->type == TYPE_AAAA ? "AAAA" : "A", q->name);
	assert(d->asked_n < sizeof(d->asked));
}

static void on_udp(void *ctx, unsigned events)
{
	struct fake_dns *d = ctx;
	struct reply *r = mem_new(sizeof(*r));
	uint8_t room[MESSAGE_MAX];
	struct question q;
	ssize_t n;

	(void)events;
	assert(r);
	list_init(&r->node);
	r->dns = d;
	r->to_n = sizeof(r->to);
	n = recvfrom(d->udp, room, sizeof(room), 0, (struct sockaddr *)&r->to, &r->to_n);
	if (n < 0 || !question_parse(bytes_of(room, (size_t)n), &q)) {
		reply_free(r);
		return;
	}
	write_down(d, &q);
	const struct fake_dns_rule *rule = rule_find(d, &q);
	r->message = answer_make(&q, rule, false);
	if (!r->message.n) {
		reply_free(r);
		return;
	}
	list_add(&d->replies, &r->node);
	if (!rule || !rule->delay_ns) {
		reply_send(r);
		return;
	}
	int status = loop_timer_new(d->loop, reply_send, r, &r->timer, NULL);
	assert(status == 0);
	(void)status;
	loop_timer_set(r->timer, rule->delay_ns);
}

/* One connection at a time with one question, whose few bytes come together. */
static void on_conversation(void *ctx, unsigned events)
{
	struct fake_dns *d = ctx;
	uint8_t room[MESSAGE_MAX];
	struct question q;
	size_t n = 0;

	(void)events;
	if (sock_read(d->conversation, room, sizeof(room), &n) == SOCK_DONE && n > 2 &&
	    question_parse(bytes_of(room + 2, n - 2), &q)) {
		write_down(d, &q);
		struct buf b = answer_make(&q, rule_find(d, &q), true);
		uint8_t length[2] = { (uint8_t)(b.n >> 8), (uint8_t)b.n };

		(void)!sock_write(d->conversation, bytes_of(length, 2), &n);
		(void)!sock_write(d->conversation, buf_bytes(&b), &n);
		buf_fini(&b);
		return;
	}
	loop_watch_free(STEAL(d->conversation_watch));
	sock_close(&d->conversation);
}

static void on_tcp(void *ctx, unsigned events)
{
	struct fake_dns *d = ctx;
	int fd = -1, status;

	(void)events;
	if (sock_accept(d->tcp, &fd, NULL, NULL) != SOCK_ACCEPTED)
		return;
	loop_watch_free(STEAL(d->conversation_watch));
	sock_close(&d->conversation);
	d->conversation = fd;
	status = loop_watch_new(d->loop, fd, (struct loop_watch_call){ on_conversation, d },
				&d->conversation_watch, NULL);
	assert(status == 0);
	(void)status;
	loop_watch_set(d->conversation_watch, LOOP_READ);
}

struct fake_dns *fake_dns_new(struct loop *l, const struct fake_dns_rule *rules)
{
	struct fake_dns *d = mem_new(sizeof(*d));
	struct addr a = { .family = ADDR_IP4, .ip = { 127, 0, 0, 1 } };
	struct sockaddr_storage sa;
	int status;

	assert(d);
	d->loop = l;
	d->rules = rules;
	d->conversation = -1;
	list_init(&d->replies);
	status = sock_listen(&a, NULL, &d->tcp, NULL) < 0 || sock_local(d->tcp, &a, NULL) < 0;
	assert(status == 0);
	d->udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	status = bind(d->udp, (struct sockaddr *)&sa, sockaddr_from(&a, &sa));
	assert(status == 0);
	status = loop_watch_new(l, d->udp, (struct loop_watch_call){ on_udp, d }, &d->udp_watch,
				NULL) < 0 ||
		 loop_watch_new(l, d->tcp, (struct loop_watch_call){ on_tcp, d }, &d->tcp_watch,
				NULL) < 0;
	assert(status == 0);
	(void)status;
	loop_watch_set(d->udp_watch, LOOP_READ);
	loop_watch_set(d->tcp_watch, LOOP_READ);
	addr_text(&a, d->address);
	return d;
}

void fake_dns_free(struct fake_dns *d)
{
	if (!d)
		return;
	LIST_EACH (it, &d->replies)
		reply_free(LIST_OWNER(it, struct reply, node));
	loop_watch_free(d->udp_watch);
	loop_watch_free(d->tcp_watch);
	loop_watch_free(d->conversation_watch);
	sock_close(&d->conversation);
	sock_close(&d->udp);
	sock_close(&d->tcp);
	mem_free(d);
}

const char *fake_dns_address(const struct fake_dns *d)
{
	return d->address;
}

const char *fake_dns_asked(const struct fake_dns *d)
{
	return d->asked;
}

unsigned fake_dns_count(const struct fake_dns *d)
{
	return d->count;
}
