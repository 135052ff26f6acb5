#include "net/dial.h"

#include "base/cache.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/hosts.h"

/* A question (struct resolve) asks for two families. What tables and cache do not know is looked up
 * in DNS: a lookup is one name and one family, shared by all questions that wait for it. It lives
 * until its answer comes, even when nobody waits any more; the answer is remembered all the same. */

#define NAME_MAX_BYTES 253
#define LOOKUPS_MAX 4096 /* under way at once */
#define REMEMBERED_MAX 4096
#define REMEMBERED_MAX_S 60

static const enum addr_family families[2] = { ADDR_IP6, ADDR_IP4 };

/* Kept in the cache. */
struct remembered {
	int64_t until_ns;
	size_t count;
	struct addr addrs[];
};

struct key {
	uint8_t text[1 + NAME_MAX_BYTES]; /* family, name in lower case without a dot at its end */
	size_t n;
};

struct lookup {
	struct resolver *resolver;
	struct key key;
	struct list waiters; /* struct side */
};

enum side_state { SIDE_WAITING, SIDE_READY, SIDE_TOLD };

/* One family of a question. */
struct side {
	struct list node; /* among the waiters of a lookup while SIDE_WAITING */
	struct resolve *question;
	enum side_state state;
	struct dns_answer answer; /* SIDE_READY */
};

struct resolve {
	struct list node;	   /* of its resolver */
	struct resolver *resolver; /* NULL: it was freed, no answer will come */
	void (*fn)(void *ctx, const struct resolve_answer *a);
	void *ctx;
	struct loop_timer
		*timer;	      /* what is ready is told when it fires; then the end of patience */
	int64_t patience_ns;  /* until then, monotonic */
	struct side sides[2]; /* as families */
	bool starting, telling, cancelled;
};

struct resolver {
	struct loop *loop;
	struct dns *dns;
	struct hosts *ours, *file;
	struct cache *lookups;	  /* key → struct lookup, which it owns */
	struct cache *remembered; /* key → struct remembered */
	struct list questions;
	int64_t timeout_ns;
};

/* Names */

static bool is_name_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* A host name as DNS may be asked for it. A last label of digits only is a mistyped address. */
static bool name_is_proper(struct bytes name)
{
	size_t label = 0;
	bool digits = true;

	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		if (c == '.' ? label == 0 : !is_name_byte(c) || ++label > 63)
			return false;
		digits = c == '.' || (digits && c >= '0' && c <= '9');
		if (c == '.')
			label = 0;
	}
	return label > 0 && !digits;
}

/* False when the name is too long. */
static bool key_make(enum addr_family family, struct bytes name, struct key *out)
{
	if (name.n && name.p[name.n - 1] == '.')
		name.n--;
	if (name.n > NAME_MAX_BYTES)
		return false;
	out->text[0] = (uint8_t)family;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t c = name.p[i];

		out->text[1 + i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
	}
	out->n = 1 + name.n;
	return true;
}

static struct bytes key_bytes(const struct key *k)
{
	return bytes_of(k->text, k->n);
}

static struct bytes key_name(const struct key *k)
{
	return bytes_of(k->text + 1, k->n - 1);
}

/* The name itself or one below it. */
static bool is_under(struct bytes name, const char *top)
{
	struct bytes suffix = bytes_str(top);

	if (!bytes_ends_nocase(name, suffix))
		return false;
	return name.n == suffix.n || name.p[name.n - suffix.n - 1] == '.';
}

/* Answers */

static void answer_from_table(struct dns_answer *a, enum addr_family family)
{
	if (a->count)
		a->result = DIAL_OK;
	else
		dns_answer_fail(a, DIAL_NO_NAME,
				family == ADDR_IP6 ? "the hosts table has no IPv6 address for it"
						   : "the hosts table has no IPv4 address for it");
}

static void answer_loopback(struct dns_answer *a, enum addr_family family)
{
	struct addr *to = &a->addrs[0];

	*to = (struct addr){ .family = family };
	if (family == ADDR_IP6) {
		to->ip[15] = 1;
	} else {
		to->ip[0] = 127;
		to->ip[3] = 1;
	}
	a->count = 1;
	a->result = DIAL_OK;
}

static bool answer_remembered(struct resolver *r, const struct key *k, struct dns_answer *a)
{
	int64_t now = loop_mono_ns(r->loop);
	const struct remembered *m = cache_find(r->remembered, key_bytes(k), now);

	if (!m)
		return false;
	if (m->until_ns < now) {
		cache_remove(r->remembered, key_bytes(k));
		return false;
	}
	a->result = DIAL_OK;
	a->count = m->count;
	for (size_t i = 0; i < m->count; i++)
		a->addrs[i] = m->addrs[i];
	return true;
}

static void remember(struct resolver *r, const struct key *k, const struct dns_answer *a)
{
	int64_t now = loop_mono_ns(r->loop);
	int64_t life_s = a->ttl_s < REMEMBERED_MAX_S ? a->ttl_s : REMEMBERED_MAX_S;
	struct remembered *m;

	if (life_s <= 0)
		return;
	m = mem_new(sizeof(*m) + a->count * sizeof(m->addrs[0]));
	if (!m)
		return; /* it will be asked for again */
	m->until_ns = now + life_s * 1000000000;
	m->count = a->count;
	for (size_t i = 0; i < a->count; i++)
		m->addrs[i] = a->addrs[i];
	(void)!cache_put(r->remembered, key_bytes(k), m, now, NULL);
}

/* What needs no network. */
static bool answer_known(struct resolver *r, const struct key *k, struct dns_answer *a)
{
	enum addr_family family = k->text[0];
	struct bytes name = key_name(k);
	struct hosts_found f = { .addrs = a->addrs, .max = RESOLVE_MAX };

	if (!name_is_proper(name)) {
		dns_answer_fail(a, DIAL_NO_NAME, "not a host name");
		return true;
	}
	hosts_find(r->ours, name, family, &f);
	if (f.known) {
		a->count = f.count;
		answer_from_table(a, family);
		return true;
	}
	if (is_under(name, "localhost")) {
		answer_loopback(a, family);
		return true;
	}
	hosts_find(r->file, name, family, &f);
	if (f.known) {
		a->count = f.count;
		answer_from_table(a, family);
		return true;
	}
	if (is_under(name, "onion")) {
		dns_answer_fail(a, DIAL_NO_NAME, "onion names are not in DNS (RFC 7686)");
		return true;
	}
	return answer_remembered(r, k, a);
}

/* Questions */

static void question_free(struct resolve *q)
{
	list_remove(&q->node);
	list_remove(&q->sides[0].node);
	list_remove(&q->sides[1].node);
	loop_timer_free(q->timer);
	mem_free(q);
}

static bool question_done(const struct resolve *q)
{
	return q->cancelled || (q->sides[0].state == SIDE_TOLD && q->sides[1].state == SIDE_TOLD);
}

/* False when the question is gone. */
static bool side_tell(struct side *s, const struct dns_answer *a)
{
	struct resolve *q = s->question;
	struct resolve_answer told = { .family = families[s - q->sides],
				       .result = a->result,
				       .addrs = a->addrs,
				       .count = a->count,
				       .detail = bytes_str(a->detail) };

	list_remove(&s->node);
	s->state = SIDE_TOLD;
	q->telling = true;
	q->fn(q->ctx, &told);
	q->telling = false;
	if (!question_done(q))
		return true;
	question_free(q);
	return false;
}

/* Nothing is told from inside resolve_start: what is known then waits for the loop. */
static void side_answer(struct side *s, const struct dns_answer *a)
{
	if (!s->question->starting) {
		(void)side_tell(s, a);
		return;
	}
	list_remove(&s->node);
	s->answer = *a;
	s->state = SIDE_READY;
}

static void on_question_timer(void *ctx)
{
	struct resolve *q = ctx;
	int64_t left = q->patience_ns - clock_mono_ns();

	for (size_t i = 0; i < 2; i++) {
		struct side *s = &q->sides[i];

		if (s->state == SIDE_WAITING && left <= 0) {
			dns_answer_fail(&s->answer, DIAL_DNS_FAILED,
					"no name server answered in time");
			s->state = SIDE_READY;
		}
		if (s->state == SIDE_READY && !side_tell(s, &s->answer))
			return;
	}
	loop_timer_set(q->timer, left);
}

/* Lookups */

/* The answer is there: every question that waits gets it. Those asked meanwhile, from inside of one,
 * make a lookup of their own. */
static void on_dns_answer(void *ctx, const struct dns_answer *a)
{
	struct lookup *k = ctx;

	if (a->result == DIAL_OK)
		remember(k->resolver, &k->key, a);
	(void)cache_take(k->resolver->lookups, key_bytes(&k->key), 0);
	while (!list_empty(&k->waiters))
		side_answer(LIST_OWNER(k->waiters.next, struct side, node), a);
	mem_free(k);
}

/* Makes the lookup, whose answer may come before this returns: s->state tells. */
static int lookup_start(struct resolver *r, const struct key *key, struct side *s, struct err *e)
{
	struct lookup *k = mem_new(sizeof(*k));
	struct bytes name = key_name(key);
	char text[NAME_MAX_BYTES + 1] = "";

	if (!k)
		return FAIL(e, NOMEM, "a DNS question");
	k->resolver = r;
	k->key = *key;
	list_init(&k->waiters);
	if (cache_put(r->lookups, key_bytes(key), k, 0, e) < 0)
		return -1;
	list_add(&k->waiters, &s->node);
	memcpy(text, name.p, name.n);
	if (dns_ask(r->dns, text, families[s - s->question->sides], on_dns_answer, k) == 0)
		return 0;
	list_remove(&s->node);
	cache_remove(r->lookups, key_bytes(key));
	return FAIL(e, NOMEM, "a DNS question");
}

static int side_start(struct side *s, struct bytes name, struct err *e)
{
	struct resolver *r = s->question->resolver;
	struct key key;
	struct lookup *k;

	s->state = SIDE_READY;
	if (!key_make(families[s - s->question->sides], name, &key)) {
		dns_answer_fail(&s->answer, DIAL_NO_NAME, "longer than a host name may be");
		return 0;
	}
	if (answer_known(r, &key, &s->answer))
		return 0;
	k = cache_find(r->lookups, key_bytes(&key), 0);
	if (!k && cache_count(r->lookups) >= LOOKUPS_MAX) {
		dns_answer_fail(&s->answer, DIAL_FAULT, "too many DNS questions are under way");
		return 0;
	}
	s->state = SIDE_WAITING;
	if (!k)
		return lookup_start(r, &key, s, e);
	list_add(&k->waiters, &s->node);
	return 0;
}

int resolve_start(struct resolver *r, const struct resolve_options *o, struct resolve **out,
		  struct err *e)
{
	struct resolve *q = mem_new(sizeof(*q));
	int result = 0;

	if (!q || loop_timer_new(r->loop, on_question_timer, q, &q->timer, e) < 0) {
		mem_free(q);
		return FAIL(e, NOMEM, "a question for a name");
	}
	q->resolver = r;
	q->fn = o->fn;
	q->ctx = o->ctx;
	q->patience_ns = clock_mono_ns() + r->timeout_ns;
	q->starting = true;
	list_add(&r->questions, &q->node);
	/* Both have to be in order before an answer to either may come. */
	for (size_t i = 0; i < 2; i++) {
		q->sides[i].question = q;
		list_init(&q->sides[i].node);
	}
	for (size_t i = 0; i < 2 && result == 0; i++)
		result = side_start(&q->sides[i], o->name, e);
	q->starting = false;
	if (result < 0) {
		question_free(q);
		return -1;
	}
	if (q->sides[0].state == SIDE_READY || q->sides[1].state == SIDE_READY)
		loop_timer_set(q->timer, 0);
	else
		loop_timer_set(q->timer, r->timeout_ns);
	*out = q;
	return 0;
}

void resolve_cancel(struct resolve *q)
{
	if (!q)
		return;
	q->cancelled = true;
	if (!q->telling)
		question_free(q);
}

/* Resolvers */

static int tables_start(struct resolver *r, const struct resolver_options *o, struct err *e)
{
	struct cache_options lookups = { .max_entries = LOOKUPS_MAX + 1, .free_value = mem_free };
	struct cache_options remembered = { .max_entries = REMEMBERED_MAX,
					    .max_age_ns = REMEMBERED_MAX_S * INT64_C(1000000000),
					    .free_value = mem_free };

	if (cache_new(&lookups, &r->lookups, e) < 0 ||
	    cache_new(&remembered, &r->remembered, e) < 0)
		return -1;
	if (hosts_new(&r->file, e) < 0 || hosts_parse(r->file, o->hosts_file, e) < 0)
		return err_ctx(e, "/etc/hosts");
	hosts_sort(r->file);
	return resolver_set_hosts(r, o->hosts, o->host_count, e);
}

int resolver_new(struct loop *l, const struct resolver_options *o, struct resolver **out,
		 struct err *e)
{
	struct resolver *r = mem_new(sizeof(*r));

	if (!r)
		return FAIL(e, NOMEM, "a resolver");
	r->loop = l;
	r->timeout_ns = o->timeout_ns ? o->timeout_ns : 5 * INT64_C(1000000000);
	list_init(&r->questions);
	if (tables_start(r, o, e) < 0 || dns_new(l, o->dns_servers, &r->dns, e) < 0) {
		resolver_free(r);
		return -1;
	}
	*out = r;
	return 0;
}

void resolver_free(struct resolver *r)
{
	if (!r)
		return;
	LIST_EACH (it, &r->questions) {
		struct resolve *q = LIST_OWNER(it, struct resolve, node);

		/* Its owner still cancels it. */
		list_remove(&q->node);
		list_remove(&q->sides[0].node);
		list_remove(&q->sides[1].node);
		loop_timer_free(q->timer);
		q->timer = NULL;
		q->resolver = NULL;
	}
	dns_free(r->dns);
	cache_free(r->lookups);
	cache_free(r->remembered);
	hosts_free(r->ours);
	hosts_free(r->file);
	mem_free(r);
}

int resolver_set_hosts(struct resolver *r, const struct host_entry *hosts, size_t count,
		       struct err *e)
{
	struct hosts *h;

	if (hosts_new(&h, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (hosts_add(h, hosts[i].name, &hosts[i].addr, e) < 0) {
			hosts_free(h);
			return -1;
		}
	}
	hosts_sort(h);
	hosts_free(r->ours);
	r->ours = h;
	return 0;
}
