#include "net/dns.h"

#include "base/mem.h"
#include "net/sockaddr.h"

#include <ares.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>

#define SOCKETS_MAX 64
#define TICK_NS 100000000 /* how often c-ares may see to its time-outs */
#define TRY_TIMEOUT_MS 1000
#define TRIES 3

struct dns_socket {
	struct dns *dns;
	struct loop_watch *watch; /* NULL: not in use */
	int fd;
};

struct dns {
	struct loop *loop;
	ares_channel channel;
	/* ares_timeout walks over all questions; with thousands of them a steady tick is cheaper. */
	struct loop_timer *tick;
	size_t asked; /* questions under way */
	struct dns_socket sockets[SOCKETS_MAX];
	bool ticking, ending;
};

struct question {
	struct dns *dns;
	enum addr_family family;
	dns_fn *fn;
	void *ctx;
};

void dns_answer_fail(struct dns_answer *a, enum dial_result result, const char *detail)
{
	a->result = result;
	a->count = 0;
	snprintf(a->detail, sizeof(a->detail), "%s", detail);
}

/* Answers */

static int parse_ip4(const uint8_t *p, int n, struct dns_answer *a)
{
	struct ares_addrttl found[RESOLVE_MAX];
	int count = RESOLVE_MAX;
	int status = ares_parse_a_reply(p, n, NULL, found, &count);

	for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
		struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_addr = found[i].ipaddr };

		a->count += sockaddr_to((struct sockaddr *)&in4, sizeof(in4), &a->addrs[a->count]);
		if (i == 0 || found[i].ttl < a->ttl_s)
			a->ttl_s = found[i].ttl;
	}
	return status;
}

static int parse_ip6(const uint8_t *p, int n, struct dns_answer *a)
{
	struct ares_addr6ttl found[RESOLVE_MAX];
	int count = RESOLVE_MAX;
	int status = ares_parse_aaaa_reply(p, n, NULL, found, &count);

	for (int i = 0; status == ARES_SUCCESS && i < count; i++) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

		memcpy(&in6.sin6_addr, &found[i].ip6addr, sizeof(in6.sin6_addr));
		a->count += sockaddr_to((struct sockaddr *)&in6, sizeof(in6), &a->addrs[a->count]);
		if (i == 0 || found[i].ttl < a->ttl_s)
			a->ttl_s = found[i].ttl;
	}
	return status;
}

static enum dial_result result_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return DIAL_OK;
	case ARES_ENODATA:
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return DIAL_NO_NAME;
	case ARES_ENOMEM:
		return DIAL_FAULT;
	default:
		return DIAL_DNS_FAILED;
	}
}

static void on_answer(void *ctx, int status, int timeouts, unsigned char *p, int n)
{
	struct question q = *(struct question *)ctx;
	struct dns_answer a = { 0 };

	(void)timeouts;
	mem_free(ctx);
	q.dns->asked--;
	if (q.dns->ending)
		return;
	if (status == ARES_SUCCESS)
		status = q.family == ADDR_IP6 ? parse_ip6(p, n, &a) : parse_ip4(p, n, &a);
	if (status == ARES_SUCCESS && a.count == 0)
		status = ARES_ENODATA;
	a.result = result_of(status);
	if (a.result != DIAL_OK)
		dns_answer_fail(&a, a.result, ares_strerror(status));
	q.fn(q.ctx, &a);
}

int dns_ask(struct dns *d, const char *name, enum addr_family family, dns_fn *fn, void *ctx)
{
	enum { CLASS_IN = 1, TYPE_A = 1, TYPE_AAAA = 28 };
	struct question *q = mem_new(sizeof(*q));

	if (!q)
		return -1;
	*q = (struct question){ .dns = d, .family = family, .fn = fn, .ctx = ctx };
	d->asked++;
	ares_query(d->channel, name, CLASS_IN, family == ADDR_IP6 ? TYPE_AAAA : TYPE_A, on_answer,
		   q);
	/* Not set again by each question: a steady stream of them would put it off for ever. */
	if (!d->ticking)
		loop_timer_set(d->tick, TICK_NS);
	d->ticking = true;
	return 0;
}

/* c-ares and the loop */

static void on_tick(void *ctx)
{
	struct dns *d = ctx;

	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	d->ticking = d->asked > 0;
	if (d->ticking)
		loop_timer_set(d->tick, TICK_NS);
}

static void on_dns_socket(void *ctx, unsigned events)
{
	struct dns_socket *s = ctx;
	struct dns *d = s->dns;

	ares_process_fd(d->channel, events & LOOP_READ ? s->fd : ARES_SOCKET_BAD,
			events & LOOP_WRITE ? s->fd : ARES_SOCKET_BAD);
}

static struct dns_socket *socket_slot(struct dns *d, int fd)
{
	struct dns_socket *unused = NULL;

	for (size_t i = 0; i < SOCKETS_MAX; i++) {
		struct dns_socket *s = &d->sockets[i];

		if (s->watch && s->fd == fd)
			return s;
		if (!s->watch && !unused)
			unused = s;
	}
	return unused;
}

/* c-ares opened a socket, wants something else of it, or is about to close it. A socket that cannot
 * be watched is one whose answers never come: the questions time out. */
static void on_socket_state(void *ctx, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = ctx;
	struct dns_socket *s = socket_slot(d, fd);
	unsigned events = (readable ? LOOP_READ : 0) | (writable ? LOOP_WRITE : 0);

	if (!s)
		return;
	if (!events) {
		loop_watch_free(s->watch);
		s->watch = NULL;
		return;
	}
	s->dns = d;
	s->fd = fd;
	if (!s->watch && loop_watch_new(d->loop, fd, (struct loop_watch_call){ on_dns_socket, s },
					&s->watch, NULL) < 0)
		return;
	loop_watch_set(s->watch, events);
}

/* Life */

static pthread_once_t library_once = PTHREAD_ONCE_INIT;

static void library_start(void)
{
	(void)ares_library_init(ARES_LIB_INIT_ALL);
}

static int channel_start(struct dns *d, const char *servers, struct err *e)
{
	char lookups[] = "b"; /* DNS only */
	struct ares_options ao = { .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES,
				   .timeout = TRY_TIMEOUT_MS,
				   .tries = TRIES,
				   .lookups = lookups,
				   .sock_state_cb = on_socket_state,
				   .sock_state_cb_data = d };
	int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS |
		   ARES_OPT_SOCK_STATE_CB | ARES_OPT_DOMAINS;
	int status;

	pthread_once(&library_once, library_start);
	status = ares_init_options(&d->channel, &ao, mask);
	if (status != ARES_SUCCESS) {
		d->channel = NULL;
		return FAIL(e, DNS, "the resolver: %s", ares_strerror(status));
	}
	if (!servers)
		return 0;
	status = ares_set_servers_ports_csv(d->channel, servers);
	if (status != ARES_SUCCESS)
		return FAIL(e, DNS, "name servers \"%s\": %s", servers, ares_strerror(status));
	return 0;
}

int dns_new(struct loop *l, const char *servers, struct dns **out, struct err *e)
{
	struct dns *d = mem_new(sizeof(*d));

	if (!d)
		return FAIL(e, NOMEM, "a resolver");
	d->loop = l;
	if (channel_start(d, servers, e) < 0 || loop_timer_new(l, on_tick, d, &d->tick, e) < 0) {
		dns_free(d);
		return -1;
	}
	*out = d;
	return 0;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	d->ending = true;
	if (d->channel)
		ares_destroy(d->channel); /* calls back for every question */
	loop_timer_free(d->tick);
	mem_free(d);
}
