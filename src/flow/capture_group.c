#include "base/list.h"
#include "base/mem.h"
#include "flow/capture_text.h"
#include "flow/table.h"

#define MAX_FLOW ((size_t)256 * 1024)
#define MAX_ALL ((size_t)32 * 1024 * 1024)
#define LINE_MAX_BYTES ((size_t)8 * 1024 * 1024)

/* The lines of a flow that has not ended. */
struct group {
	struct table_node node; /* by flow */
	struct list all;
	struct buf lines;
	size_t charged;
};

struct capture_group {
	struct capture_group_options o;
	struct table flows;
	struct list all;
	size_t charged; /* memory of all lines */
};

int capture_group_new(const struct capture_group_options *o, struct capture_group **out,
		      struct err *e)
{
	struct capture_group *g = mem_new(sizeof(*g));

	if (!g)
		return FAIL(e, NOMEM, "lines to be grouped");
	g->o = *o;
	g->o.max_flow = o->max_flow ? o->max_flow : MAX_FLOW;
	g->o.max_all = o->max_all ? o->max_all : MAX_ALL;
	list_init(&g->all);
	if (table_init(&g->flows, e) < 0) {
		mem_free(g);
		return -1;
	}
	*out = g;
	return 0;
}

static void drop(struct capture_group *g, struct group *flow)
{
	table_remove(&g->flows, &flow->node);
	list_remove(&flow->all);
	g->charged -= flow->charged;
	buf_fini(&flow->lines);
	mem_free(flow);
}

void capture_group_free(struct capture_group *g)
{
	if (!g)
		return;
	LIST_EACH (it, &g->all)
		drop(g, LIST_OWNER(it, struct group, all));
	table_fini(&g->flows);
	mem_free(g);
}

static struct group *find(const struct capture_group *g, uint64_t flow)
{
	struct table_node *n = table_find(&g->flows, flow, 0);

	return n ? LIST_OWNER(n, struct group, node) : NULL;
}

static struct group *get(struct capture_group *g, uint64_t number, struct err *e)
{
	struct group *flow = find(g, number);

	if (flow)
		return flow;
	flow = mem_new(sizeof(*flow));
	if (!flow) {
		(void)FAIL(e, NOMEM, "lines to be grouped");
		return NULL;
	}
	flow->node.a = number;
	flow->lines = buf_init(g->o.max_flow + LINE_MAX_BYTES);
	list_init(&flow->all);
	table_add(&g->flows, &flow->node);
	list_add(&g->all, &flow->all);
	return flow;
}

/* Shows the connection's line, and what is collected below it. On failure out is as it was. */
static int show(struct capture_group *g, struct buf *out, const struct flow_info *f,
		struct group *flow, struct err *e)
{
	size_t before = out->n;

	if (capture_text_flow(out, g->o.text, f, e) < 0)
		return -1;
	if (flow && buf_add(out, buf_bytes(&flow->lines), e) < 0) {
		out->n = before;
		return -1;
	}
	if (flow)
		drop(g, flow);
	return 0;
}

/* After lines were added: when they have become too many they are shown. */
static int added(struct capture_group *g, struct buf *out, const struct flow_info *f,
		 struct group *flow, struct err *e)
{
	g->charged += flow->lines.cap - flow->charged;
	flow->charged = flow->lines.cap;
	if (flow->lines.n > g->o.max_flow || g->charged > g->o.max_all)
		return show(g, out, f, flow, e);
	return 0;
}

int capture_group_exchange(struct capture_group *g, struct buf *out, const struct flow_info *f,
			   const struct exchange *x, struct err *e)
{
	struct group *flow = get(g, f->flow, e);

	if (!flow || capture_text_exchange(&flow->lines, g->o.text, f, x, e) < 0)
		return -1;
	return added(g, out, f, flow, e);
}

int capture_group_message(struct capture_group *g, struct buf *out, const struct flow_info *f,
			  const struct flow_message *m, struct err *e)
{
	struct group *flow = get(g, f->flow, e);

	if (!flow || capture_text_message(&flow->lines, g->o.text, f, m, e) < 0)
		return -1;
	return added(g, out, f, flow, e);
}

int capture_group_flow(struct capture_group *g, struct buf *out, const struct flow_info *f,
		       bool show_it, struct err *e)
{
	struct group *flow = find(g, f->flow);

	if (flow && flow->lines.n == 0) {
		drop(g, flow);
		flow = NULL;
	}
	return show_it || flow ? show(g, out, f, flow, e) : 0;
}
