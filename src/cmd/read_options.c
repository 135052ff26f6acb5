#include "cmd/read_options.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/args.h"
#include "cmd/read_crew.h"
#include "flow/event.h"

/* --- what is shown --- */

/* "12", "u1", "12.3" when exchange is not NULL. */
static int parse_number(const char *text, uint64_t *flow, uint64_t *exchange, const char *option,
			struct err *e)
{
	struct bytes b = bytes_str(text);
	struct bytes n = bytes_slice(b, 0, bytes_index(b, '.'));
	bool udp = bytes_starts(n, bytes_str("u"));
	bool dot = n.n < b.n;
	char shown[64];

	if (bytes_decimal(udp ? bytes_slice(n, 1, n.n) : n, UINT32_MAX, flow) && *flow &&
	    (!dot ||
	     (exchange && bytes_decimal(bytes_slice(b, n.n + 1, b.n), UINT32_MAX, exchange) &&
	      *exchange))) {
		*flow |= udp ? FLOW_UDP : 0;
		return 0;
	}
	return FAIL(e, USAGE, "read: --%s takes the number that stands in the line of %s, not %s",
		    option, exchange ? "an exchange (12.3)" : "a connection (12)",
		    escape_to(shown, sizeof(shown), b));
}

struct choice {
	const char *option;
	enum read_show show;
};

static const struct choice choices[] = {
	{ "group", READ_SHOW_GROUPS },
	{ "why", READ_SHOW_WHY },
	{ "handshakes", READ_SHOW_HANDSHAKES },
	{ "follow", READ_SHOW_FOLLOW },
	{ "curl", READ_SHOW_CURL },
};

static int parse_show(const struct args *a, struct read_options *o, struct err *e)
{
	const char *chosen = NULL;

	for (size_t i = 0; i < ARRAY_LEN(choices); i++) {
		if (!args_has(a, choices[i].option))
			continue;
		if (chosen)
			return FAIL(e, USAGE, "read: either --%s or --%s: each says what is shown",
				    chosen, choices[i].option);
		chosen = choices[i].option;
		o->show = choices[i].show;
	}
	return 0;
}

static int parse_numbers(const struct args *a, struct read_options *o, struct err *e)
{
	if (args_has(a, "flow") && (o->show == READ_SHOW_FOLLOW || o->show == READ_SHOW_CURL))
		return FAIL(e, USAGE, "read: --flow N is said by --follow N and --curl N already");
	if (args_has(a, "flow"))
		return parse_number(args_value(a, "flow"), &o->flow, NULL, "flow", e);
	if (o->show == READ_SHOW_FOLLOW)
		return parse_number(args_value(a, "follow"), &o->flow, NULL, "follow", e);
	o->exchange = 1;
	if (o->show == READ_SHOW_CURL)
		return parse_number(args_value(a, "curl"), &o->flow, &o->exchange, "curl", e);
	return 0;
}

static int parse_form(const struct args *a, struct read_options *o, struct err *e)
{
	static const struct {
		const char *option;
		enum read_form form;
	} forms[] = { { "json", READ_JSON }, { "hex", READ_HEX }, { "raw", READ_RAW } };
	const char *chosen = NULL;

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (!args_has(a, forms[i].option))
			continue;
		if (chosen)
			return FAIL(e, USAGE, "read: either --%s or --%s", chosen, forms[i].option);
		chosen = forms[i].option;
		o->form = forms[i].form;
	}
	o->only_client = args_has(a, "client");
	o->only_server = args_has(a, "server");
	if (o->show != READ_SHOW_FOLLOW &&
	    (o->form == READ_HEX || o->form == READ_RAW || o->only_client || o->only_server))
		return FAIL(e, USAGE,
			    "read: --hex, --raw, --client and --server go with --follow N");
	if (o->form == READ_JSON && (o->show == READ_SHOW_FOLLOW || o->show == READ_SHOW_CURL))
		return FAIL(e, USAGE, "read: --json goes with neither --follow nor --curl");
	if (o->only_client && o->only_server)
		return FAIL(e, USAGE, "read: without --client and --server both are shown");
	return 0;
}

static int parse_filter(const struct args *a, struct read_options *o, struct err *e)
{
	struct expr_fault fault;
	struct expr *x;

	o->filter = args_value(a, "filter");
	if (!o->filter)
		return 0;
	if (expr_new(bytes_str(o->filter), &x, &fault, e) < 0) {
		/* Shown below the sentence; without it the sentence says the column still. */
		if (e->code == ERR_USAGE)
			(void)!expr_caret(&o->caret, bytes_str(o->filter), &fault, NULL);
		return err_ctx(e, "read: --filter");
	}
	expr_free(x);
	return 0;
}

static bool wants_colour(const struct read_options *o)
{
	const char *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no && no[0]) && o->form != READ_JSON &&
	       o->form != READ_RAW;
}

static void look_at_terminal(struct read_options *o)
{
	time_t now = time(NULL);
	struct winsize w;
	struct tm tm;

	o->colour = wants_colour(o);
	o->width =
		isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
	o->utc_offset_s = localtime_r(&now, &tm) ? (int)tm.tm_gmtoff : 0;
}

static int parse_path(const struct args *a, struct read_options *o, struct err *e)
{
	const char *named = args_value(a, "file");

	o->path = named ? named : a->operands[0];
	if (!o->path)
		return FAIL(e, USAGE,
			    "read: which capture? oriel read FILE, or - for standard input");
	if (named && a->operand_count)
		return FAIL(e, USAGE, "read: one capture at a time: %s or %s", named,
			    a->operands[0]);
	o->tail = args_has(a, "tail");
	return 0;
}

/* One for each processor, but what comes late comes to one only. */
static int parse_lanes(const struct args *a, struct read_options *o, struct err *e)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t n = processors < 1		   ? 1
		     : processors > CREW_LANES_MAX ? CREW_LANES_MAX
						   : (uint64_t)processors;

	if (args_number(a, "threads", (struct args_bounds){ 1, CREW_LANES_MAX }, &n, e) < 0)
		return -1;
	o->lanes = (unsigned)n;
	return 0;
}

/* What is shown or written byte for byte cannot be masked. */
static int check_redact(const struct read_options *o, struct err *e)
{
	const char *whole = o->show == READ_SHOW_FOLLOW ? "follow"
			    : o->objects		? "objects"
			    : o->plain			? "plain"
							: NULL;

	if (o->redact && whole)
		return FAIL(e, USAGE,
			    "read: --%s gives bytes as they are: --redact cannot mask them", whole);
	return 0;
}

int read_options_parse(const struct args *a, struct read_options *o, struct err *e)
{
	*o = (struct read_options){ .caret = buf_init(2 * EXPR_MAX) };
	o->verbose = args_has(a, "verbose");
	o->body = args_has(a, "body");
	o->redact = args_has(a, "redact");
	o->har = args_value(a, "har");
	o->objects = args_value(a, "objects");
	o->plain = args_value(a, "plain");
	if (parse_path(a, o, e) < 0 || parse_show(a, o, e) < 0 || parse_numbers(a, o, e) < 0 ||
	    parse_form(a, o, e) < 0 || parse_filter(a, o, e) < 0 || check_redact(o, e) < 0 ||
	    parse_lanes(a, o, e) < 0)
		return -1;
	look_at_terminal(o);
	return 0;
}
