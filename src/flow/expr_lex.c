#include "flow/expr_lex.h"

static const struct {
	const char *text;
	enum expr_token_kind kind;
	enum expr_op op;
} signs[] = {
	/* Longer ones first. */
	{ "==", TOKEN_OP, EXPR_EQ },	 { "!=", TOKEN_OP, EXPR_NE },
	{ "<=", TOKEN_OP, EXPR_LE },	 { ">=", TOKEN_OP, EXPR_GE },
	{ "&&", TOKEN_AND, EXPR_IS },	 { "||", TOKEN_OR, EXPR_IS },
	{ "<", TOKEN_OP, EXPR_LT },	 { ">", TOKEN_OP, EXPR_GT },
	{ "~", TOKEN_OP, EXPR_MATCHES }, { "!", TOKEN_NOT, EXPR_IS },
	{ "(", TOKEN_OPEN, EXPR_IS },	 { ")", TOKEN_CLOSE, EXPR_IS },
	{ "{", TOKEN_LIST, EXPR_IS },	 { "}", TOKEN_LIST_END, EXPR_IS },
	{ ",", TOKEN_COMMA, EXPR_IS },
};

static const struct {
	const char *text;
	enum expr_token_kind kind;
	enum expr_op op;
} words[] = {
	{ "eq", TOKEN_OP, EXPR_EQ },
	{ "ne", TOKEN_OP, EXPR_NE },
	{ "lt", TOKEN_OP, EXPR_LT },
	{ "le", TOKEN_OP, EXPR_LE },
	{ "gt", TOKEN_OP, EXPR_GT },
	{ "ge", TOKEN_OP, EXPR_GE },
	{ "contains", TOKEN_OP, EXPR_CONTAINS },
	{ "matches", TOKEN_OP, EXPR_MATCHES },
	{ "in", TOKEN_OP, EXPR_IN },
	{ "and", TOKEN_AND, EXPR_IS },
	{ "or", TOKEN_OR, EXPR_IS },
	{ "not", TOKEN_NOT, EXPR_IS },
};

static bool is_space(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool is_word(uint8_t c)
{
	return !is_space(c) && c != 0 && !memchr("\"'(){},=!<>&|~", c, 14);
}

void expr_token_as_operator(struct expr_token *t)
{
	if (t->kind != TOKEN_WORD)
		return;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!bytes_equal_nocase(t->text, bytes_str(words[i].text)))
			continue;
		t->kind = words[i].kind;
		t->op = words[i].op;
		return;
	}
}

static int hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What an escape at the front of rest stands for; how many bytes it takes. \" \' \\ \n \r \t and
 * \xNN are escapes; anything else stays as it is, for regular expressions. */
static size_t unescape(struct bytes rest, uint8_t *out, size_t *n)
{
	static const char from[] = "\"'\\nrt", to[] = "\"'\\\n\r\t";
	const char *found = rest.n > 1 ? memchr(from, rest.p[1], sizeof(from) - 1) : NULL;

	*n = 1;
	if (rest.p[0] != '\\' || rest.n < 2) {
		out[0] = rest.p[0];
		return 1;
	}
	if (found) {
		out[0] = (uint8_t)to[found - from];
		return 2;
	}
	if (rest.p[1] == 'x' && rest.n > 3 && hex_digit(rest.p[2]) >= 0 &&
	    hex_digit(rest.p[3]) >= 0) {
		out[0] = (uint8_t)(hex_digit(rest.p[2]) << 4 | hex_digit(rest.p[3]));
		return 4;
	}
	memcpy(out, rest.p, 2);
	*n = 2;
	return 2;
}

static int string(struct expr_lex *l, struct expr_token *out, struct err *e)
{
	uint8_t quote = l->source.p[l->at];
	uint8_t *start = l->pool + l->used;
	size_t at = l->at + 1, n;

	while (at < l->source.n && l->source.p[at] != quote) {
		at += unescape(bytes_slice(l->source, at, l->source.n), l->pool + l->used, &n);
		l->used += n;
	}
	out->kind = TOKEN_STRING;
	out->n = l->source.n - l->at;
	out->text = bytes_of(start, (size_t)(l->pool + l->used - start));
	if (at == l->source.n)
		return FAIL(e, USAGE, "this text has no end: expected %c after it", quote);
	out->n = at + 1 - l->at;
	l->at = at + 1;
	return 0;
}

static bool sign(struct expr_lex *l, struct expr_token *out)
{
	struct bytes rest = bytes_slice(l->source, l->at, l->source.n);

	for (size_t i = 0; i < ARRAY_LEN(signs); i++) {
		if (!bytes_starts(rest, bytes_str(signs[i].text)))
			continue;
		out->kind = signs[i].kind;
		out->op = signs[i].op;
		out->n = strlen(signs[i].text);
		l->at += out->n;
		return true;
	}
	return false;
}

static int refuse(const struct expr_lex *l, struct err *e)
{
	uint8_t c = l->source.p[l->at];

	if (c == '=')
		return FAIL(e, USAGE, "= alone means nothing: expected ==");
	if (c == '&')
		return FAIL(e, USAGE, "& alone means nothing: expected && or and");
	if (c == '|')
		return FAIL(e, USAGE, "| alone means nothing: expected || or or");
	return FAIL(e, USAGE, "a byte of 0x%02x means nothing here", c);
}

int expr_lex_next(struct expr_lex *l, struct expr_token *out, struct err *e)
{
	size_t n = 0;

	while (l->at < l->source.n && is_space(l->source.p[l->at]))
		l->at++;
	*out = (struct expr_token){ .kind = TOKEN_END, .at = l->at };
	if (l->at == l->source.n)
		return 0;
	if (l->source.p[l->at] == '"' || l->source.p[l->at] == '\'')
		return string(l, out, e);
	if (sign(l, out))
		return 0;
	while (l->at + n < l->source.n && is_word(l->source.p[l->at + n]))
		n++;
	out->n = n ? n : 1;
	if (n == 0)
		return refuse(l, e);
	out->kind = TOKEN_WORD;
	out->text = bytes_slice(l->source, l->at, n);
	l->at += n;
	return 0;
}
