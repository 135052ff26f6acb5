#include "cmd/args.h"

#include <assert.h>

#include "base/escape.h"
#include "base/suggest.h"

/* The options that every verb has. */
static const struct args_option common[] = {
	{ "help", 'h', NULL, "show this text" },
	{ "version", 0, NULL, "show the version" },
	{ NULL },
};

static const struct args_option none[] = { { NULL } };

/* A walk along argv. */
struct walk {
	char **next;
	struct args *out;
	enum args_want *want;
	bool finished; /* help or version: the rest does not matter */
};

static const struct args_option *options_of(const struct args_verb *verb)
{
	return verb->options ? verb->options : none;
}

static const struct args_option *find_name(const struct args_option *o, struct bytes name)
{
	for (; o->name; o++)
		if (bytes_equal(bytes_str(o->name), name))
			return o;
	return NULL;
}

static const struct args_option *find_letter(const struct args_option *o, char letter)
{
	for (; o->name; o++)
		if (o->letter == letter)
			return o;
	return NULL;
}

static int refuse_option(const struct args_verb *verb, struct bytes name, struct err *e)
{
	struct suggest s = suggest_init(name);
	char shown[64], near[SUGGEST_MAX];

	for (const struct args_option *o = options_of(verb); o->name; o++)
		suggest_offer(&s, o->name);
	for (const struct args_option *o = common; o->name; o++)
		suggest_offer(&s, o->name);
	return FAIL(e, USAGE, "%s: there is no option --%s%s; oriel %s --help lists them",
		    verb->name, escape_to(shown, sizeof(shown), name), suggest_text(&s, "--", near),
		    verb->name);
}

static int give(struct walk *w, const struct args_option *o, const char *value, struct err *e)
{
	struct args *out = w->out;

	if (out->given_count == ARGS_MAX)
		return FAIL(e, USAGE, "%s: more than %d options", out->verb->name, ARGS_MAX);
	out->given[out->given_count].option = o;
	out->given[out->given_count].value = value;
	out->given_count++;
	return 0;
}

/* One of the common options: nothing after it matters. */
static void finish(struct walk *w, const struct args_option *o)
{
	*w->want = o == &common[0] ? ARGS_HELP : ARGS_VERSION;
	w->finished = true;
}

static bool looks_like_an_option(const char *s)
{
	return s[0] == '-' && s[1] != 0 && !(s[1] >= '0' && s[1] <= '9');
}

/* The option o needs a value: what stands in the same word, else the next word. */
static int take_value(struct walk *w, const struct args_option *o, const char *same, struct err *e)
{
	char shown[64];

	if (same)
		return give(w, o, same, e);
	if (!*w->next)
		return FAIL(e, USAGE, "%s: --%s needs %s", w->out->verb->name, o->name, o->value);
	if (looks_like_an_option(*w->next))
		return FAIL(e, USAGE,
			    "%s: --%s needs %s, but %s follows; if that is meant, write --%s=%s",
			    w->out->verb->name, o->name, o->value,
			    escape_to(shown, sizeof(shown), bytes_str(*w->next)), o->name, shown);
	return give(w, o, *w->next++, e);
}

static int parse_long(struct walk *w, const char *word, struct err *e)
{
	const struct args_verb *verb = w->out->verb;
	struct bytes text = bytes_str(word);
	struct bytes name = bytes_slice(text, 0, bytes_index(text, '='));
	const char *value = name.n < text.n ? word + name.n + 1 : NULL;
	const struct args_option *o = find_name(options_of(verb), name);
	bool ours = o != NULL;

	if (!ours)
		o = find_name(common, name);
	if (!o)
		return refuse_option(verb, name, e);
	if (o->value)
		return take_value(w, o, value, e);
	if (value)
		return FAIL(e, USAGE, "%s: --%s takes no value", verb->name, o->name);
	if (ours)
		return give(w, o, NULL, e);
	finish(w, o);
	return 0;
}

/* "-v", "-vw FILE", "-wFILE". */
static int parse_letters(struct walk *w, const char *letters, struct err *e)
{
	const struct args_verb *verb = w->out->verb;
	char shown[16];

	for (const char *p = letters; *p && !w->finished; p++) {
		const struct args_option *o = find_letter(options_of(verb), *p);

		if (o && o->value)
			return take_value(w, o, p[1] ? p + 1 : NULL, e);
		if (o) {
			if (give(w, o, NULL, e) < 0)
				return -1;
			continue;
		}
		o = find_letter(common, *p);
		if (!o)
			return FAIL(e, USAGE,
				    "%s: there is no option -%s; oriel %s --help lists them",
				    verb->name, escape_to(shown, sizeof(shown), bytes_of(p, 1)),
				    verb->name);
		finish(w, o);
	}
	return 0;
}

static int parse_word(struct walk *w, const char *word, struct err *e)
{
	struct args *out = w->out;

	if (word[0] == '-' && word[1] == '-')
		return parse_long(w, word + 2, e);
	if (word[0] == '-' && word[1])
		return parse_letters(w, word + 1, e);
	if (out->operand_count == ARGS_MAX)
		return FAIL(e, USAGE, "%s: more than %d operands", out->verb->name, ARGS_MAX);
	out->operands[out->operand_count++] = word;
	return 0;
}

static int check_action(const struct args *a, struct err *e)
{
	struct bytes word = bytes_str(a->operands[0]);
	struct suggest s = suggest_init(word);
	char shown[64], near[SUGGEST_MAX];

	for (const char *const *action = a->verb->actions; *action; action++) {
		if (bytes_equal(bytes_str(*action), word))
			return 0;
		suggest_offer(&s, *action);
	}
	return FAIL(e, USAGE, "%s: there is no %s%s; it takes %s", a->verb->name,
		    escape_to(shown, sizeof(shown), word), suggest_text(&s, "", near),
		    a->verb->operands);
}

/* What the table says about operands and command. */
static int check_shape(const struct args *a, struct err *e)
{
	const struct args_verb *v = a->verb;
	const char *operands = v->operands ? v->operands : "nothing";
	char shown[64];

	if (a->operand_count < v->min)
		return FAIL(e, USAGE, "%s: it needs %s; oriel %s --help tells more", v->name,
			    operands, v->name);
	if (a->operand_count > 0 && v->actions && !v->actions_only_offered &&
	    check_action(a, e) < 0)
		return -1;
	if (a->operand_count > v->max)
		return FAIL(e, USAGE, "%s: %s is one too many; it takes %s%s", v->name,
			    escape_to(shown, sizeof(shown), bytes_str(a->operands[v->max])),
			    operands, v->command ? ", and a command only after --" : "");
	if (a->command && !v->command)
		return FAIL(e, USAGE, "%s: it takes no command after --", v->name);
	if (a->command ? !a->command[0] : v->command && v->command_needed)
		return FAIL(e, USAGE, "%s: a command is needed: oriel %s -- %s", v->name, v->name,
			    v->command);
	return 0;
}

/* A verb that takes no command takes what follows -- as operands, as everywhere. */
static int parse_rest(struct walk *w, struct err *e)
{
	struct args *out = w->out;

	if (out->verb->command) {
		out->command = w->next;
		return 0;
	}
	for (; *w->next; w->next++) {
		if (out->operand_count == ARGS_MAX)
			return FAIL(e, USAGE, "%s: more than %d operands", out->verb->name,
				    ARGS_MAX);
		out->operands[out->operand_count++] = *w->next;
	}
	return 0;
}

static const struct args_verb *find_verb(const struct args_verb *verbs, const char *name)
{
	for (; verbs->name; verbs++)
		if (strcmp(verbs->name, name) == 0)
			return verbs;
	return NULL;
}

static int get_verb(const struct args_verb *verbs, const char *name, const struct args_verb **out,
		    struct err *e)
{
	struct suggest s = suggest_init(bytes_str(name));
	char shown[64], near[SUGGEST_MAX];

	*out = find_verb(verbs, name);
	if (*out)
		return 0;
	for (; verbs->name; verbs++)
		suggest_offer(&s, verbs->name);
	return FAIL(e, USAGE, "there is no verb %s%s; oriel --help lists what there is",
		    escape_to(shown, sizeof(shown), bytes_str(name)), suggest_text(&s, "", near));
}

/* Before the verb: what asks for help or the version, or nothing at all. */
static int parse_first(const struct args_verb *verbs, char **argv, struct args *out,
		       enum args_want *want, struct err *e)
{
	const char *word = argv[0];

	if (!word)
		return FAIL(e, USAGE, "say what to do; oriel --help lists what there is");
	if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
		*want = ARGS_VERSION;
		return 0;
	}
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
		*want = ARGS_HELP;
		return argv[1] ? get_verb(verbs, argv[1], &out->verb, e) : 0;
	}
	return get_verb(verbs, word, &out->verb, e);
}

int args_parse(const struct args_verb *verbs, char **argv, struct args *out, enum args_want *want,
	       struct err *e)
{
	struct walk w = { .out = out, .want = want };

	*out = (struct args){ 0 };
	*want = ARGS_RUN;
	w.next = argv[0] ? argv + 1 : argv;
	if (parse_first(verbs, w.next, out, want, e) < 0)
		return -1;
	if (*want != ARGS_RUN)
		return 0;
	for (w.next++; *w.next && !w.finished;) {
		const char *word = *w.next++;

		if (strcmp(word, "--") == 0) {
			if (parse_rest(&w, e) < 0)
				return -1;
			break;
		}
		if (parse_word(&w, word, e) < 0)
			return -1;
	}
	return w.finished ? 0 : check_shape(out, e);
}

static const struct args_option *get_option(const struct args *a, const char *name)
{
	const struct args_option *o = find_name(options_of(a->verb), bytes_str(name));

	assert(o);
	return o;
}

size_t args_count(const struct args *a, const char *name)
{
	const struct args_option *o = get_option(a, name);
	size_t n = 0;

	for (size_t i = 0; i < a->given_count; i++)
		n += a->given[i].option == o;
	return n;
}

bool args_has(const struct args *a, const char *name)
{
	return args_count(a, name) > 0;
}

const char *args_nth(const struct args *a, const char *name, size_t n)
{
	const struct args_option *o = get_option(a, name);

	for (size_t i = 0; i < a->given_count; i++)
		if (a->given[i].option == o && n-- == 0)
			return a->given[i].value;
	return NULL;
}

const char *args_value(const struct args *a, const char *name)
{
	size_t n = args_count(a, name);

	return n ? args_nth(a, name, n - 1) : NULL;
}

int args_number(const struct args *a, const char *name, struct args_bounds bounds, uint64_t *out,
		struct err *e)
{
	const char *value = args_value(a, name);
	char shown[64];
	uint64_t n;

	if (!value)
		return 0;
	if (!bytes_decimal(bytes_str(value), bounds.max, &n) || n < bounds.min)
		return FAIL(e, USAGE, "%s: --%s %s: expected a number from %llu to %llu",
			    a->verb->name, name, escape_to(shown, sizeof(shown), bytes_str(value)),
			    (unsigned long long)bounds.min, (unsigned long long)bounds.max);
	*out = n;
	return 0;
}

/* Usage texts. */
enum { HELP_COLUMN_MAX = 30 };

/* "-w, --write FILE"; without a letter the name keeps its column. */
static int option_left(const struct args_option *o, struct buf *out, struct err *e)
{
	char letter[] = { '-', o->letter, ',', ' ', 0 };

	return buf_printf(out, e, "  %s--%s%s%s", o->letter ? letter : "    ", o->name,
			  o->value ? " " : "", o->value ? o->value : "");
}

static size_t left_width(const struct args_option *o)
{
	return 2 + 4 + 2 + strlen(o->name) + (o->value ? 1 + strlen(o->value) : 0);
}

static size_t help_column(const struct args_option *o, size_t column)
{
	for (; o->name; o++) {
		size_t n = left_width(o) + 2;

		if (n > column && n <= HELP_COLUMN_MAX)
			column = n;
	}
	return column;
}

static int usage_options(const struct args_option *o, size_t column, struct buf *out, struct err *e)
{
	for (; o->name; o++) {
		size_t n = left_width(o);
		bool fits = n + 2 <= column;

		if (option_left(o, out, e) < 0)
			return -1;
		if (buf_printf(out, e, "%s%*s%s\n", fits ? "" : "\n",
			       (int)(fits ? column - n : column), "", o->help) < 0)
			return -1;
	}
	return 0;
}

static int usage_of_verb(const struct args_verb *v, struct buf *out, struct err *e)
{
	size_t column = help_column(common, help_column(options_of(v), 0));

	if (buf_printf(out, e, "Usage: oriel %s [OPTION]...", v->name) < 0)
		return -1;
	if (v->operands && buf_printf(out, e, " %s", v->operands) < 0)
		return -1;
	if (v->command &&
	    buf_printf(out, e, v->command_needed ? " -- %s" : " [-- %s]", v->command) < 0)
		return -1;
	if (buf_printf(out, e, "\n\n%s.\n\n", v->help) < 0)
		return -1;
	if (usage_options(options_of(v), column, out, e) < 0)
		return -1;
	return usage_options(common, column, out, e);
}

static int usage_of_all(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	size_t width = 0;

	for (const struct args_verb *v = verbs; v->name; v++)
		width = strlen(v->name) > width ? strlen(v->name) : width;
	if (buf_printf(out, e, "Usage: oriel VERB [OPTION]... [OPERAND]...\n\n") < 0)
		return -1;
	for (const struct args_verb *v = verbs; v->name; v++)
		if (buf_printf(out, e, "  oriel %-*s  %s\n", (int)width, v->name, v->help) < 0)
			return -1;
	return buf_printf(out, e, "\noriel help VERB tells more about one.\n");
}

int args_usage(const struct args_verb *verbs, const struct args_verb *verb, struct buf *out,
	       struct err *e)
{
	return verb ? usage_of_verb(verb, out, e) : usage_of_all(verbs, out, e);
}
