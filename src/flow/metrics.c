#include "flow/metrics.h"

#include "flow/put.h"

/* Upper ends of the buckets, in microseconds, and as Prometheus writes them. */
static const struct {
	int64_t us;
	const char *le;
} bounds[METRIC_BUCKETS] = {
	{ 100, "0.0001" },  { 250, "0.00025" }, { 500, "0.0005" },  { 1000, "0.001" },
	{ 2500, "0.0025" }, { 5000, "0.005" },	{ 10000, "0.01" },  { 25000, "0.025" },
	{ 50000, "0.05" },  { 100000, "0.1" },	{ 250000, "0.25" }, { 500000, "0.5" },
	{ 1000000, "1" },   { 2500000, "2.5" }, { 10000000, "10" },
};

void metric_observe(struct metrics *m, enum metric_hist which, int64_t ns)
{
	struct metric_histogram *h = &m->hists[which];
	size_t i = 0;

	if (ns < 0)
		ns = 0;
	while (i < METRIC_BUCKETS && ns > bounds[i].us * 1000)
		i++;
	metric_bump(&h->buckets[i], 1);
	metric_bump(&h->sum_ns, (uint64_t)ns);
}

/* ------------------------------------------------------------ from events */

static enum metric_version version_of(uint16_t version)
{
	switch (version) {
	case 0x0301:
		return METRIC_TLS10;
	case 0x0302:
		return METRIC_TLS11;
	case 0x0303:
		return METRIC_TLS12;
	case 0x0304:
		return METRIC_TLS13;
	default:
		return METRIC_TLS_OTHER;
	}
}

static void on_handshake(struct metrics *m, const struct event *ev)
{
	const struct ev_handshake_done *h = &ev->u.handshake_done;
	enum metric_result result = h->resumed ? METRIC_RESUMED : METRIC_FULL;

	metric_bump(&m->handshakes[ev->leg][version_of(h->version)][result], 1);
}

static void on_head(struct metrics *m, const struct event *ev)
{
	const struct ev_message_head *h = &ev->u.message_head;
	unsigned class = h->status / 100;

	if (ev->dir == DIR_DOWN && !h->interim && h->proto <= PROTO_BYTES)
		metric_bump(&m->responses[h->proto][class < 6 ? class : 0], 1);
}

static void on_end(struct metrics *m, const struct event *ev)
{
	const struct ev_flow_end *end = &ev->u.flow_end;
	enum failure f = failure_find(end->failure);
	enum failure_phase phase = failure_phase(f);

	metric_bump(&m->open_flows, (uint64_t)-1);
	metric_add(m, METRIC_BYTES_UP, end->bytes_up);
	metric_add(m, METRIC_BYTES_DOWN, end->bytes_down);
	if (end->action <= ACTION_PLAIN)
		metric_bump(&m->outcomes[end->action][end->failed], 1);
	if (f == FAILURE_NONE)
		return;
	metric_bump(&m->failures[f][end->side == LEG_SERVER], 1);
	if (phase == PHASE_CLIENT)
		metric_bump(&m->handshakes_failed[LEG_CLIENT], 1);
	else if (phase == PHASE_UPSTREAM)
		metric_bump(&m->handshakes_failed[LEG_SERVER], 1);
}

void metrics_on_event(void *metrics, const struct event *ev)
{
	struct metrics *m = metrics;

	switch (ev->type) {
	case EV_FLOW_OPEN:
		metric_bump(&m->open_flows, 1);
		if (ev->u.flow_open.way <= WAY_CAPTURE)
			metric_bump(&m->opened[ev->u.flow_open.way], 1);
		break;
	case EV_HANDSHAKE_DONE:
		on_handshake(m, ev);
		break;
	case EV_CERT_CHAIN:
		if (ev->u.cert_chain.verdict <= CHAIN_OTHER)
			metric_bump(&m->verdicts[ev->u.cert_chain.verdict], 1);
		break;
	case EV_MESSAGE_HEAD:
		on_head(m, ev);
		break;
	case EV_FLOW_END:
		on_end(m, ev);
		break;
	default:
		break;
	}
}

struct event_sink metrics_sink(struct metrics *m)
{
	return (struct event_sink){
		.mask = EV_BIT(EV_FLOW_OPEN) | EV_BIT(EV_HANDSHAKE_DONE) | EV_BIT(EV_CERT_CHAIN) |
			EV_BIT(EV_MESSAGE_HEAD) | EV_BIT(EV_FLOW_END),
		.on_event = metrics_on_event,
		.ctx = m,
	};
}

/* ---------------------------------------------------------------- as text */

/* A value is found by its place in the struct, and added up over all of them. */
struct sums {
	struct put w;
	const struct metrics *const *all;
	size_t count;
};

#define PLACE(member) offsetof(struct metrics, member)

static uint64_t sum(const struct sums *s, size_t place)
{
	uint64_t total = 0;

	for (size_t i = 0; i < s->count; i++) {
		const void *at = (const uint8_t *)s->all[i] + place;

		total += atomic_load_explicit((const _Atomic uint64_t *)at, memory_order_relaxed);
	}
	return total;
}

static void put_help(struct sums *s, const char *name, const char *type, const char *help)
{
	put_str(&s->w, "# HELP oriel_");
	put_str(&s->w, name);
	put_char(&s->w, ' ');
	put_str(&s->w, help);
	put_str(&s->w, "\n# TYPE oriel_");
	put_str(&s->w, name);
	put_char(&s->w, ' ');
	put_str(&s->w, type);
	put_char(&s->w, '\n');
}

/* labels: pairs of name and value, ended by NULL. */
static void put_value(struct sums *s, const char *name, const char *const *labels, uint64_t value)
{
	put_str(&s->w, "oriel_");
	put_str(&s->w, name);
	for (size_t i = 0; labels[i]; i += 2) {
		put_char(&s->w, i ? ',' : '{');
		put_str(&s->w, labels[i]);
		put_str(&s->w, "=\"");
		put_str(&s->w, labels[i + 1]);
		put_char(&s->w, '"');
	}
	put_str(&s->w, labels[0] ? "} " : " ");
	put_u64(&s->w, value);
	put_char(&s->w, '\n');
}

#define LABELS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static const char *const sides[] = { "client", "server" };

static void put_connections(struct sums *s)
{
	put_help(s, "open_flows", "gauge", "Connections that are open now.");
	put_value(s, "open_flows", LABELS(NULL), sum(s, PLACE(open_flows)));
	put_help(s, "connections_opened_total", "counter", "Connections by their way in.");
	for (size_t i = 0; i <= WAY_CAPTURE; i++)
		put_value(s, "connections_opened_total",
			  LABELS("way", flow_way_text((enum flow_way)i)), sum(s, PLACE(opened[i])));
	put_help(s, "connections_total", "counter", "Connections that ended, by outcome.");
	for (size_t i = 0; i <= ACTION_PLAIN; i++)
		for (size_t failed = 0; failed < 2; failed++)
			put_value(s, "connections_total",
				  LABELS("action", flow_action_text((enum flow_action)i), "result",
					 failed ? "failed" : "ok"),
				  sum(s, PLACE(outcomes[i][failed])));
	put_help(s, "failures_total", "counter", "What went wrong, by reason and side.");
	for (size_t i = 1; i < FAILURE_COUNT; i++)
		for (size_t side = 0; side < 2; side++)
			put_value(s, "failures_total",
				  LABELS("reason", failure_word((enum failure)i), "side",
					 sides[side]),
				  sum(s, PLACE(failures[i][side])));
}

static void put_handshakes(struct sums *s)
{
	static const char *const versions[] = {
		[METRIC_TLS10] = "TLS 1.0",   [METRIC_TLS11] = "TLS 1.1",
		[METRIC_TLS12] = "TLS 1.2",   [METRIC_TLS13] = "TLS 1.3",
		[METRIC_TLS_OTHER] = "other",
	};
	static const char *const results[] = {
		[METRIC_FULL] = "full", [METRIC_RESUMED] = "resumed"
	};

	put_help(s, "handshakes_total", "counter", "TLS handshakes by side, version and result.");
	for (size_t side = 0; side < 2; side++) {
		for (size_t v = 0; v < METRIC_VERSIONS; v++)
			for (size_t r = 0; r < METRIC_RESULTS; r++)
				put_value(s, "handshakes_total",
					  LABELS("side", sides[side], "version", versions[v],
						 "result", results[r]),
					  sum(s, PLACE(handshakes[side][v][r])));
		put_value(s, "handshakes_total",
			  LABELS("side", sides[side], "version", "none", "result", "failed"),
			  sum(s, PLACE(handshakes_failed[side])));
	}
	put_help(s, "verdicts_total", "counter", "Verdicts on the chains of servers.");
	for (size_t i = 0; i <= CHAIN_OTHER; i++)
		put_value(s, "verdicts_total",
			  LABELS("verdict", chain_verdict_text((enum chain_verdict)i)),
			  sum(s, PLACE(verdicts[i])));
}

static void put_responses(struct sums *s)
{
	static const char *const classes[] = { "none", "1xx", "2xx", "3xx", "4xx", "5xx" };

	put_help(s, "responses_total", "counter", "HTTP responses by protocol and status class.");
	for (size_t p = PROTO_HTTP1; p <= PROTO_GRPC; p++)
		for (size_t c = 0; c < ARRAY_LEN(classes); c++)
			put_value(s, "responses_total",
				  LABELS("proto", flow_proto_text((enum flow_proto)p), "class",
					 classes[c]),
				  sum(s, PLACE(responses[p][c])));
}

struct row {
	const char *name, *labels, *help;
};

/* One line whose labels are ready: "a=\"b\"", or none. */
static void put_row(struct sums *s, const struct row *row, const char *suffix, uint64_t value)
{
	put_str(&s->w, "oriel_");
	put_str(&s->w, row->name);
	put_str(&s->w, suffix);
	if (row->labels[0]) {
		put_char(&s->w, '{');
		put_str(&s->w, row->labels);
		put_char(&s->w, '}');
	}
	put_char(&s->w, ' ');
	put_u64(&s->w, value);
	put_char(&s->w, '\n');
}

static void put_counters(struct sums *s)
{
	static const struct row rows[METRIC_COUNT] = {
#define METRIC_ROW(id, name, labels, help) [METRIC_##id] = { name, labels, help },
		METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
	};

	for (size_t i = 0; i < METRIC_COUNT; i++) {
		/* Rows of one name stand together; the first has the help. */
		if (rows[i].help[0])
			put_help(s, rows[i].name, "counter", rows[i].help);
		put_row(s, &rows[i], "", sum(s, PLACE(counters[i])));
	}
}

static void put_seconds(struct put *w, uint64_t ns)
{
	put_u64(w, ns / 1000000000);
	put_char(w, '.');
	put_padded(w, ns % 1000000000, 9);
}

static void put_histogram(struct sums *s, const struct row *row, size_t which)
{
	const char *comma = row->labels[0] ? "," : "";
	uint64_t total = 0;

	for (size_t i = 0; i <= METRIC_BUCKETS; i++) {
		total += sum(s, PLACE(hists[which].buckets[i]));
		put_str(&s->w, "oriel_");
		put_str(&s->w, row->name);
		put_str(&s->w, "_bucket{");
		put_str(&s->w, row->labels);
		put_str(&s->w, comma);
		put_str(&s->w, "le=\"");
		put_str(&s->w, i < METRIC_BUCKETS ? bounds[i].le : "+Inf");
		put_str(&s->w, "\"} ");
		put_u64(&s->w, total);
		put_char(&s->w, '\n');
	}
	put_str(&s->w, "oriel_");
	put_str(&s->w, row->name);
	put_str(&s->w, "_sum");
	if (row->labels[0]) {
		put_char(&s->w, '{');
		put_str(&s->w, row->labels);
		put_char(&s->w, '}');
	}
	put_char(&s->w, ' ');
	put_seconds(&s->w, sum(s, PLACE(hists[which].sum_ns)));
	put_char(&s->w, '\n');
	put_row(s, row, "_count", total);
}

static void put_histograms(struct sums *s)
{
	static const struct row rows[HIST_COUNT] = {
#define METRIC_ROW(id, name, labels, help) [HIST_##id] = { name, labels, help },
		METRIC_HIST_TABLE(METRIC_ROW)
#undef METRIC_ROW
	};

	for (size_t i = 0; i < HIST_COUNT; i++) {
		if (rows[i].help[0])
			put_help(s, rows[i].name, "histogram", rows[i].help);
		put_histogram(s, &rows[i], i);
	}
}

/* Label values escape backslash, quote and newline. */
static void put_build(struct sums *s, const char *version)
{
	put_help(s, "build_info", "gauge", "The version that runs.");
	put_str(&s->w, "oriel_build_info{version=\"");
	for (const char *p = version; *p; p++) {
		if (*p == '\\' || *p == '"')
			put_char(&s->w, '\\');
		if (*p == '\n')
			put_str(&s->w, "\\n");
		else
			put_char(&s->w, *p);
	}
	put_str(&s->w, "\"} 1\n");
}

int metrics_write(struct buf *out, const struct metrics *const *all, size_t count,
		  const char *version, struct err *e)
{
	struct sums s = { .w = put_init(out, e), .all = all, .count = count };

	put_build(&s, version);
	put_connections(&s);
	put_handshakes(&s);
	put_responses(&s);
	put_counters(&s);
	put_histograms(&s);
	return put_end(&s.w);
}
