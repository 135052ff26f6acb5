#include "flow/expr.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/mem.h"
#include "flow/expr_lex.h"
#include "flow/put.h"
#include "flow/regex.h"

/* What an expression becomes: a program for a machine with one truth value. */
enum step_what {
	STEP_TEST,
	STEP_NOT,
	STEP_UNLESS, /* goes to arg when false */
	STEP_IF,     /* goes to arg when true */
};

struct step {
	enum step_what what;
	size_t arg;
};

struct test {
	const struct expr_field *field;
	struct bytes arg;
	enum expr_op op;
	size_t first, count; /* its literals */
	struct regex *regex; /* of EXPR_MATCHES */
};

#define STEPS_MAX (EXPR_MAX + 2 * EXPR_TESTS)

struct expr {
	struct step steps[STEPS_MAX];
	struct test tests[EXPR_TESTS];
	struct expr_literal literals[EXPR_TESTS];
	size_t step_count, test_count, literal_count;
	uint8_t source[EXPR_MAX], pool[EXPR_MAX];
	struct buf room;
	bool bodies;
};

struct parser {
	struct expr *x;
	struct expr_lex lex;
	struct expr_token now;
	size_t depth;
	struct expr_fault *fault;
	struct err *e;
};

static int fault_at(struct parser *p, const struct expr_token *t)
{
	char what[sizeof(p->e->sentence)];

	*p->fault = (struct expr_fault){ .column = t->at + 1, .length = t->n };
	if (!p->e || p->e->code != ERR_USAGE)
		return -1;
	snprintf(what, sizeof(what), "%s", p->e->sentence);
	return FAIL(p->e, USAGE, "column %zu: %s", t->at + 1, what);
}

static PRINTF_LIKE(2, 3) int expected(struct parser *p, const char *fmt, ...)
{
	char what[300];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	(void)FAIL(p->e, USAGE, "%s", what);
	return fault_at(p, &p->now);
}

static int advance(struct parser *p)
{
	if (expr_lex_next(&p->lex, &p->now, p->e) < 0)
		return fault_at(p, &p->now);
	return 0;
}

static size_t add_step(struct expr *x, enum step_what what, size_t arg)
{
	x->steps[x->step_count] = (struct step){ what, arg };
	return x->step_count++;
}

/* For a person: the token, safe to print. */
#define SHOWN_MAX 64
static const char *shown(const struct parser *p, char room[SHOWN_MAX])
{
	if (p->now.kind == TOKEN_END)
		return "the end";
	return escape_to(room, SHOWN_MAX, bytes_slice(p->lex.source, p->now.at, p->now.n));
}

/* One value, and steps over it. */
static int parse_literal(struct parser *p, struct test *t)
{
	const struct expr_token *now = &p->now;
	struct expr *x = p->x;
	char room[SHOWN_MAX];

	if (now->kind != TOKEN_WORD && now->kind != TOKEN_STRING)
		return expected(p, "expected a value for %s, not %s", t->field->name,
				shown(p, room));
	if (x->literal_count == EXPR_TESTS)
		return expected(p, "more than %d values", EXPR_TESTS);
	if (expr_literal_parse(t->field, t->op, now->text, &x->literals[x->literal_count], p->e) <
	    0)
		return fault_at(p, now);
	if (t->op == EXPR_MATCHES && regex_new(now->text, &t->regex, p->e) < 0)
		return fault_at(p, now);
	x->literal_count++;
	t->count++;
	return advance(p);
}

static int parse_list(struct parser *p, struct test *t)
{
	char room[SHOWN_MAX];

	if (p->now.kind != TOKEN_LIST)
		return expected(p, "expected { after in, as in {80, 8000..8080}, not %s",
				shown(p, room));
	if (advance(p) < 0)
		return -1;
	while (p->now.kind != TOKEN_LIST_END) {
		if (p->now.kind == TOKEN_END)
			return expected(p, "expected } at the end of the list");
		if (parse_literal(p, t) < 0)
			return -1;
		if (p->now.kind == TOKEN_COMMA && advance(p) < 0)
			return -1;
	}
	if (t->count == 0)
		return expected(p, "expected a value in the list");
	return advance(p);
}

/* A field, and what is asked of it. */
static int parse_test(struct parser *p)
{
	struct expr *x = p->x;
	struct test *t = &x->tests[x->test_count];
	char hint[EXPR_HINT_MAX], room[SHOWN_MAX];
	const char *fault;

	if (x->test_count == EXPR_TESTS)
		return expected(p, "more than %d tests", EXPR_TESTS);
	*t = (struct test){ .first = x->literal_count };
	t->field = expr_field_find(p->now.text, &t->arg);
	if (!t->field)
		return expected(p, "no field is called %s%s", shown(p, room),
				expr_field_hint(p->now.text, hint));
	x->bodies |= t->field->bodies;
	x->test_count++;
	add_step(x, STEP_TEST, x->test_count - 1);
	if (advance(p) < 0)
		return -1;
	expr_token_as_operator(&p->now);
	if (p->now.kind != TOKEN_OP)
		return 0;
	t->op = p->now.op;
	fault = expr_op_fault(t->op, t->field->type);
	if (fault)
		return expected(p, "%s is %s: expected %s", t->field->name,
				expr_type_text(t->field->type), fault);
	if (advance(p) < 0)
		return -1;
	return t->op == EXPR_IN ? parse_list(p, t) : parse_literal(p, t);
}

static int parse_or(struct parser *p);

static int parse_inner(struct parser *p)
{
	char room[SHOWN_MAX];

	if (advance(p) < 0 || parse_or(p) < 0)
		return -1;
	if (p->now.kind != TOKEN_CLOSE)
		return expected(p, "expected ), and or or, not %s", shown(p, room));
	return advance(p);
}

static int parse_one(struct parser *p)
{
	char room[SHOWN_MAX];
	int done;

	if (p->depth == EXPR_DEPTH)
		return expected(p, "more than %d nots and parentheses deep", EXPR_DEPTH);
	/* No field is called and, or, not. */
	expr_token_as_operator(&p->now);
	p->depth++;
	if (p->now.kind == TOKEN_NOT) {
		done = advance(p) < 0 ? -1 : parse_one(p);
		if (done == 0)
			add_step(p->x, STEP_NOT, 0);
	} else if (p->now.kind == TOKEN_OPEN) {
		done = parse_inner(p);
	} else if (p->now.kind == TOKEN_WORD) {
		done = parse_test(p);
	} else {
		done = expected(p, "expected the name of a field, not %s", shown(p, room));
	}
	p->depth--;
	return done;
}

/* One or more of what lower reads, with the given token between them; what follows a value that
 * decides is not asked. */
static int parse_chain(struct parser *p, int (*lower)(struct parser *p),
		       enum expr_token_kind between, enum step_what decides)
{
	size_t jump;

	if (lower(p) < 0)
		return -1;
	expr_token_as_operator(&p->now);
	while (p->now.kind == between) {
		jump = add_step(p->x, decides, 0);
		if (advance(p) < 0 || lower(p) < 0)
			return -1;
		p->x->steps[jump].arg = p->x->step_count;
		expr_token_as_operator(&p->now);
	}
	return 0;
}

static int parse_and(struct parser *p)
{
	return parse_chain(p, parse_one, TOKEN_AND, STEP_UNLESS);
}

static int parse_or(struct parser *p)
{
	return parse_chain(p, parse_and, TOKEN_OR, STEP_IF);
}

static int parse_all(struct parser *p)
{
	char room[SHOWN_MAX];

	if (advance(p) < 0)
		return -1;
	if (p->now.kind == TOKEN_END)
		return expected(p, "the filter is empty");
	if (parse_or(p) < 0)
		return -1;
	if (p->now.kind != TOKEN_END)
		return expected(p, "expected and, or, or the end, not %s", shown(p, room));
	return 0;
}

static int compile(struct expr *x, struct bytes text, struct expr_fault *fault, struct err *e)
{
	struct parser p = { .x = x, .fault = fault, .e = e };
	uint8_t *room;

	x->room = buf_init(EXPR_ROOM_MAX);
	if (buf_reserve(&x->room, EXPR_ROOM_MAX, &room, e) < 0)
		return -1;
	if (text.n)
		memcpy(x->source, text.p, text.n);
	p.lex = (struct expr_lex){ .source = bytes_of(x->source, text.n), .pool = x->pool };
	return parse_all(&p);
}

int expr_new(struct bytes text, struct expr **out, struct expr_fault *fault, struct err *e)
{
	struct expr_fault own_fault = { 0 };
	struct err own_err = { 0 };
	struct expr *x;

	fault = fault ? fault : &own_fault;
	e = e ? e : &own_err;
	*fault = (struct expr_fault){ 0 };
	if (text.n > EXPR_MAX) {
		fault->column = EXPR_MAX + 1;
		return FAIL(e, USAGE, "a filter has at most %d characters", EXPR_MAX);
	}
	x = mem_new(sizeof(*x));
	if (!x)
		return FAIL(e, NOMEM, "a filter");
	if (compile(x, text, fault, e) < 0) {
		expr_free(x);
		return -1;
	}
	*out = x;
	return 0;
}

void expr_free(struct expr *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->test_count; i++)
		regex_free(x->tests[i].regex);
	buf_fini(&x->room);
	mem_free(x);
}

bool expr_wants_bodies(const struct expr *x)
{
	return x->bodies;
}

static bool one_fits(const struct expr *x, const struct test *t, const struct expr_value *v)
{
	enum expr_op op = t->op == EXPR_NE ? EXPR_EQ : t->op;

	if (op == EXPR_MATCHES)
		return regex_matches(t->regex, expr_value_text(t->field, v));
	for (size_t i = 0; i < t->count; i++)
		if (expr_value_fits(t->field, op, v, &x->literals[t->first + i]))
			return true;
	return false;
}

static bool is_true(const struct expr *x, const struct test *t, struct expr_subject *s)
{
	struct expr_value v = { 0 };
	size_t i;

	for (i = 0; expr_field_value(t->field, s, t->arg, i, &v); i++) {
		if (t->op == EXPR_IS)
			return t->field->type != EXPR_YES || v.n;
		if (one_fits(x, t, &v))
			return t->op != EXPR_NE;
	}
	return t->op == EXPR_NE && i > 0;
}

bool expr_matches(struct expr *x, const struct flow_info *f, const struct exchange *exchange,
		  const struct flow_message *message)
{
	struct expr_subject s = {
		.flow = f, .exchange = exchange, .message = message, .room = &x->room
	};
	bool truth = false;
	size_t at = 0;

	while (at < x->step_count) {
		const struct step *step = &x->steps[at++];

		if (step->what == STEP_TEST)
			truth = is_true(x, &x->tests[step->arg], &s);
		else if (step->what == STEP_NOT)
			truth = !truth;
		else if (truth == (step->what == STEP_IF))
			at = step->arg;
	}
	return truth;
}
