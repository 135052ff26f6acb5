#include "cmd/admin.h"

#include "base/mem.h"
#include "base/secret.h"
#include "flow/curl.h"
#include "flow/metrics.h"
#include "cmd/internal_page.h"
#include "cmd/settings.h"
#include "serve/service.h"

#define FLOWS_DEFAULT 100
#define FLOWS_MOST 100000

struct admin {
	struct admin_options o;
	struct service *unix_service, *tcp_service;
	struct metrics own_metrics;	/* of what no lane counts */
	const struct metrics **metrics; /* all */
	size_t metrics_count;
	pthread_mutex_t lock; /* of what follows, which lanes read, too */
	struct buf ca_pem;
	struct buf token; /* .secret */
	struct buf settings;
	struct setup *setup; /* in force: its addresses are the service's */
	bool ready, draining;
};

/* --- pages --- */

static void say(struct service_reply *r, unsigned status, const char *text)
{
	r->status = status;
	buf_clear(&r->body);
	if (buf_printf(&r->body, NULL, "%s\n", text) < 0)
		r->status = 500;
}

static void page_metrics(struct admin *a, const struct service_request *q, struct service_reply *r)
{
	(void)q;
	r->type = "text/plain; version=0.0.4; charset=utf-8";
	atomic_store(&a->own_metrics.counters[METRIC_VIEW_LOST], views_lost(a->o.views));
	if (metrics_write(&r->body, a->metrics, a->metrics_count, ORIEL_VERSION, NULL) < 0)
		say(r, 500, "the metrics do not fit");
}

static void page_healthz(struct admin *a, const struct service_request *q, struct service_reply *r)
{
	(void)a;
	(void)q;
	say(r, 200, "ok");
}

static void page_readyz(struct admin *a, const struct service_request *q, struct service_reply *r)
{
	(void)q;
	if (a->draining)
		say(r, 503, "draining");
	else if (a->ready)
		say(r, 200, "ready");
	else
		say(r, 503, "starting");
}

static void page_ca(struct admin *a, const struct service_request *q, struct service_reply *r)
{
	int added;

	(void)q;
	r->type = "application/x-pem-file";
	pthread_mutex_lock(&a->lock);
	added = buf_add(&r->body, buf_bytes(&a->ca_pem), NULL);
	pthread_mutex_unlock(&a->lock);
	if (added < 0)
		say(r, 500, "no memory");
}

enum flows_form { FLOWS_TEXT, FLOWS_COLOUR, FLOWS_JSON };

static void flows_list(struct admin *a, size_t last, enum flows_form form, struct service_reply *r)
{
	struct json_options jo = { .mask = true };
	struct text_options to = { .mask = true,
				   .colour = form == FLOWS_COLOUR,
				   .utc_offset_s = a->o.views->text.utc_offset_s };
	uint64_t cursor = store_last(a->o.views->store, last);
	struct store_entry en;

	while (store_next(a->o.views->store, &cursor, &en)) {
		int added;

		if (form == FLOWS_JSON)
			added = en.exchange
					? exchange_json(&r->body, &jo, en.flow, en.exchange, NULL)
					: flow_json(&r->body, &jo, en.flow, NULL);
		else
			added = en.exchange
					? text_exchange(&r->body, &to, en.flow, en.exchange, NULL)
					: text_flow(&r->body, &to, en.flow, NULL);
		if (added < 0)
			return; /* what fits is shown */
	}
}

static void flows_curl(struct admin *a, uint64_t n, struct service_reply *r)
{
	struct curl_options co = { .mask = false };
	struct store_entry en;
	struct err e = { 0 };

	if (!store_find(a->o.views->store, n, &en) || !en.exchange)
		say(r, 404, "no exchange of this number is kept");
	else if (curl_write(&r->body, &co, en.exchange, &e) < 0)
		say(r, 500, e.sentence);
}

static void page_flows(struct admin *a, const struct service_request *q, struct service_reply *r)
{
	uint64_t n = FLOWS_DEFAULT;
	struct bytes value;

	pthread_mutex_lock(&a->o.views->lock);
	if (service_query(q->query, "curl", &value)) {
		if (bytes_decimal(value, UINT32_MAX, &n))
			flows_curl(a, n, r);
		else
			say(r, 400, "curl: a number is wanted");
	} else if (service_query(q->query, "last", &value) &&
		   !bytes_decimal(value, FLOWS_MOST, &n)) {
		say(r, 400, "last: a number up to 100000 is wanted");
	} else {
		enum flows_form form = FLOWS_TEXT;

		if (service_query(q->query, "json", &value))
			form = FLOWS_JSON;
		else if (service_query(q->query, "colour", &value))
			form = FLOWS_COLOUR;
		r->type = form == FLOWS_JSON ? "application/x-ndjson" : "text/plain; charset=utf-8";
		flows_list(a, (size_t)n, form, r);
	}
	pthread_mutex_unlock(&a->o.views->lock);
}

/* Paths of this machine's files concern only who runs programs here. */
static void page_settings(struct admin *a, const struct service_request *q, struct service_reply *r)
{
	if (!q->local) {
		say(r, 403, "only over the admin socket");
		return;
	}
	r->type = "application/json";
	if (buf_add(&r->body, buf_bytes(&a->settings), NULL) < 0)
		say(r, 500, "no memory");
}

static const struct {
	const char *path;
	bool open; /* over TCP without a token, too */
	void (*get)(struct admin *a, const struct service_request *q, struct service_reply *r);
} pages[] = {
	{ "/metrics", true, page_metrics }, { "/healthz", true, page_healthz },
	{ "/readyz", true, page_readyz },   { "/ca.pem", true, page_ca },
	{ "/flows", false, page_flows },    { "/settings", false, page_settings },
};

/* --- who may see what --- */

static bool has_token(struct admin *a, struct bytes authorization)
{
	struct bytes scheme = bytes_str("Bearer ");
	bool ok;

	if (!bytes_starts(authorization, scheme))
		return false;
	pthread_mutex_lock(&a->lock);
	ok = a->token.n && secret_equal(bytes_slice(authorization, scheme.n, authorization.n),
					buf_bytes(&a->token));
	pthread_mutex_unlock(&a->lock);
	return ok;
}

static void handle(void *ctx, const struct service_request *q, struct service_reply *r)
{
	struct admin *a = ctx;

	if (!bytes_equal(q->method, bytes_str("GET"))) {
		say(r, 405, "only GET");
		return;
	}
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (!bytes_equal(q->path, bytes_str(pages[i].path)))
			continue;
		if (pages[i].open || q->local || has_token(a, q->authorization))
			pages[i].get(a, q, r);
		else
			say(r, 403, "only over the admin socket, or with the token");
		return;
	}
	say(r, 404, "there are /metrics, /healthz, /readyz, /ca.pem, /flows and /settings");
}

int admin_serve(struct admin *a, bool local, int fd, struct err *e)
{
	struct service **at = local ? &a->unix_service : &a->tcp_service, *old = *at;
	struct service_options o = {
		.loop = a->o.loop, .fd = fd, .local = local, .handle = handle, .ctx = a
	};

	*at = NULL;
	if (fd >= 0 && service_new(&o, at, e) < 0) {
		*at = old;
		return err_ctx(e, "the admin interface");
	}
	service_free(old);
	return 0;
}

void admin_drain(struct admin *a)
{
	if (a)
		a->draining = true;
}

int admin_new(const struct admin_options *o, struct admin **out, struct err *e)
{
	struct admin *a = mem_new(sizeof(*a));

	if (!a)
		return FAIL(e, NOMEM, "the admin interface");
	a->o = *o;
	a->ca_pem = buf_init((size_t)1 << 20);
	a->token = buf_init_secret(4096);
	a->settings = buf_init(SETTINGS_MAX);
	pthread_mutex_init(&a->lock, NULL);
	*out = a;
	return 0;
}

void admin_free(struct admin *a)
{
	if (!a)
		return;
	service_free(a->unix_service);
	service_free(a->tcp_service);
	buf_fini(&a->ca_pem);
	buf_fini(&a->token);
	buf_fini(&a->settings);
	setup_free(a->setup);
	mem_free(a->metrics);
	mem_free(a);
}

int admin_set_metrics(struct admin *a, const struct metrics *const *list, size_t count,
		      struct err *e)
{
	a->metrics = mem_new_array(count + 1, sizeof(*a->metrics));
	if (!a->metrics)
		return FAIL(e, NOMEM, "the metrics");
	memcpy(a->metrics, list, count * sizeof(*list));
	a->metrics[count] = &a->own_metrics;
	a->metrics_count = count + 1;
	return 0;
}

void admin_count(struct admin *a, enum metric which)
{
	metric_add(&a->own_metrics, which, 1);
}

int admin_set_setup(struct admin *a, struct setup *setup, const struct delivery *d, struct err *e)
{
	int token = setup->config->admin.token, r;

	service_set_own(a->tcp_service, setup->self.own, setup->self.own_count);
	setup_ref(setup);
	setup_free(a->setup);
	a->setup = setup;
	pthread_mutex_lock(&a->lock);
	buf_clear(&a->ca_pem);
	buf_clear(&a->token);
	buf_clear(&a->settings);
	r = buf_add(&a->ca_pem, d->bump_cert, e);
	if (r == 0)
		r = buf_add(&a->settings, d->settings, e);
	if (r == 0 && token != CONFIG_NO_ASSET)
		r = buf_add(&a->token, setup->secrets[token], e);
	a->ready = r == 0;
	pthread_mutex_unlock(&a->lock);
	return r;
}

/* --- http://oriel.internal/ --- */

static const char plain_text[] = "text/plain; charset=utf-8";

static int internal_pem(struct bytes ca_pem, struct buf *out, struct err *e)
{
	return buf_add(out, ca_pem, e);
}

static const struct {
	const char *path, *type;
	int (*write)(struct bytes ca_pem, struct buf *out, struct err *e);
} internal_pages[] = {
	{ "/", "text/html; charset=utf-8", internal_page_write },
	{ "/ca.pem", "application/x-pem-file", internal_pem },
	{ "/ca.crt", "application/x-x509-ca-cert", internal_page_der },
};

static void internal_get(struct admin *a, struct bytes path, struct service_reply *r)
{
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(internal_pages); i++) {
		int made;

		if (!bytes_equal(path, bytes_str(internal_pages[i].path)))
			continue;
		r->type = internal_pages[i].type;
		pthread_mutex_lock(&a->lock);
		made = internal_pages[i].write(buf_bytes(&a->ca_pem), &r->body, &e);
		pthread_mutex_unlock(&a->lock);
		if (made == 0)
			return;
		r->type = plain_text;
		say(r, 500, e.sentence);
		return;
	}
	say(r, 404, "there are /, /ca.pem and /ca.crt");
}

int admin_internal_page(struct admin *a, struct bytes path, struct buf *out, struct err *e)
{
	struct service_reply r = { .status = 200,
				   .type = plain_text,
				   .body = buf_init((size_t)1 << 20) };
	int done;

	path = bytes_slice(path, 0, bytes_index(path, '?'));
	internal_get(a, path.n ? path : bytes_str("/"), &r);
	done = service_write(out, &r, e);
	buf_fini(&r.body);
	return done;
}
