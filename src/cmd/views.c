#include "cmd/views.h"

#include <errno.h>
#include <unistd.h>

#include "base/mem.h"

#define LINES_MAX ((size_t)8 << 20)
#define ONE_MAX ((size_t)4 << 20) /* the text of one exchange */
#define KEPT_MAX ((size_t)64 << 10)

static void count_lost(struct views *v)
{
	pthread_mutex_lock(&v->lock);
	v->lost++;
	pthread_mutex_unlock(&v->lock);
}

/* What one lane's callbacks work with: its text is made in a buffer that is kept. */
struct view_lane {
	struct views *views;
	struct buf line;
};

static void put_lines(struct view_lane *l, int formatted)
{
	if (formatted < 0)
		count_lost(l->views);
	else if (l->line.n)
		output_put(l->views->lines, buf_bytes(&l->line));
	buf_clear(&l->line);
	/* One large body is no reason to hold its memory for ever. */
	if (l->line.cap > KEPT_MAX)
		buf_shrink(&l->line);
}

static void write_har(struct views *v, const struct flow_info *f, const struct exchange *x)
{
	struct buf b = buf_init(ONE_MAX);
	uint64_t at = v->har.at;

	if (har_entry(&v->har, &b, f, x, NULL) < 0 ||
	    pwrite(v->har_fd, b.p, b.n, (off_t)at) != (ssize_t)b.n) {
		v->har.at = at;
		v->lost++;
	}
	buf_fini(&b);
}

static void on_exchange(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	struct view_lane *l = ctx;
	struct views *v = l->views;

	if (v->log == CONFIG_LOG_TEXT)
		put_lines(l, text_exchange(&l->line, &v->text, f, x, NULL));
	else if (v->log == CONFIG_LOG_JSON)
		put_lines(l, exchange_json(&l->line, &v->json, f, x, NULL));
	pthread_mutex_lock(&v->lock);
	store_on_exchange(v->store, f, x);
	if (v->har_fd >= 0)
		write_har(v, f, x);
	pthread_mutex_unlock(&v->lock);
}

/* Connections of which nothing is to be said: no exchange failed to come, and none was hidden. */
static bool is_silent(const struct flow_info *f)
{
	return !f->failed && f->exchanges > 0;
}

static void on_flow(void *ctx, const struct flow_info *f)
{
	struct view_lane *l = ctx;
	struct views *v = l->views;

	if (v->log == CONFIG_LOG_TEXT)
		put_lines(l, text_flow(&l->line, &v->text, f, NULL));
	else if (v->log == CONFIG_LOG_JSON)
		put_lines(l, flow_json(&l->line, &v->json, f, NULL));
	if (is_silent(f))
		return;
	pthread_mutex_lock(&v->lock);
	store_on_flow(v->store, f);
	pthread_mutex_unlock(&v->lock);
}

static void on_message(void *ctx, const struct flow_info *f, const struct flow_message *m)
{
	struct view_lane *l = ctx;
	struct views *v = l->views;

	if (v->log == CONFIG_LOG_TEXT)
		put_lines(l, text_message(&l->line, &v->text, f, m, NULL));
	else if (v->log == CONFIG_LOG_JSON)
		put_lines(l, message_json(&l->line, &v->json, f, m, NULL));
}

static int start_har(struct views *v, const struct views_options *o, struct err *e)
{
	struct har_options ho = { .version = ORIEL_VERSION,
				  .mask = o->observe->redact,
				  .body_max = o->observe->body_max };
	AUTO(buf_fini) struct buf b = buf_init(ONE_MAX);

	v->har_fd = o->har_fd;
	if (v->har_fd < 0)
		return 0;
	if (har_begin(&v->har, &ho, &b, e) < 0)
		return -1;
	if (pwrite(v->har_fd, b.p, b.n, 0) != (ssize_t)b.n)
		return FAIL_SYS(e, FILE, "the HAR file cannot be written");
	return 0;
}

/* A person wants to know what the columns are. */
static void put_title(struct views *v)
{
	AUTO(buf_fini) struct buf b = buf_init(ONE_MAX);

	if (text_title(&b, &v->text, NULL) == 0)
		output_put(v->lines, buf_bytes(&b));
}

int views_new(const struct views_options *o, struct views **out, struct err *e)
{
	const struct config_observe *c = o->observe;
	struct views *v = mem_new(sizeof(*v));
	struct store_options so = { .max_entries = c->store };

	if (!v)
		return FAIL(e, NOMEM, "the views");
	pthread_mutex_init(&v->lock, NULL);
	v->log = c->log;
	v->bodies = c->bodies || o->har_fd >= 0;
	v->messages = c->headers || c->bodies;
	v->body_max = c->body_max;
	v->text = (struct text_options){ .colour = o->terminal,
					 .verbose = c->headers,
					 .body = c->bodies,
					 .mask = !o->terminal || c->redact,
					 .mask_but_body = !c->redact,
					 .utc_offset_s = o->utc_offset_s,
					 .width = o->width,
					 .body_max = c->body_max };
	v->json = (struct json_options){ .mask = !o->terminal || c->redact,
					 .mask_but_body = !c->redact,
					 .headers = c->headers,
					 .body = c->bodies,
					 .body_max = c->body_max };
	if (store_new(&so, &v->store, e) < 0 ||
	    output_new(STDOUT_FILENO, LINES_MAX, &v->lines, e) < 0 || start_har(v, o, e) < 0) {
		views_free(v);
		return -1;
	}
	if (o->terminal && v->log == CONFIG_LOG_TEXT)
		put_title(v);
	*out = v;
	return 0;
}

void views_free(struct views *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->lane_count; i++) {
		buf_fini(&v->lanes[i]->line);
		mem_free(v->lanes[i]);
	}
	output_free(v->lines);
	store_free(v->store);
	mem_free(v);
}

int views_tracker(struct views *v, struct tracker **out, struct err *e)
{
	struct view_lane *l = v->lane_count < VIEWS_LANES_MAX ? mem_new(sizeof(*l)) : NULL;
	struct tracker_options o = { .max_body = v->bodies ? v->body_max : 0,
				     .messages = v->messages,
				     .numbers = &v->numbers,
				     .on_exchange = on_exchange,
				     .on_flow = on_flow,
				     .on_message = v->messages ? on_message : NULL,
				     .ctx = l };

	if (!l)
		return FAIL(e, NOMEM, "the views of a lane");
	l->views = v;
	l->line = buf_init(ONE_MAX);
	v->lanes[v->lane_count++] = l;
	return tracker_new(&o, out, e);
}

uint64_t views_lost(struct views *v)
{
	uint64_t lost;

	pthread_mutex_lock(&v->lock);
	lost = v->lost;
	pthread_mutex_unlock(&v->lock);
	return lost + output_lost(v->lines);
}
