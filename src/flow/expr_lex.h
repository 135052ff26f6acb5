/* The words of the filter language. Only for expr.c. */
#ifndef FLOW_EXPR_LEX_H
#define FLOW_EXPR_LEX_H

#include "base/err.h"
#include "flow/expr_value.h"

enum expr_token_kind {
	TOKEN_END,
	TOKEN_WORD,   /* a name, number or address; of and, or, not, in … the parser decides */
	TOKEN_STRING, /* text is what it stands for */
	TOKEN_OP,     /* op says which */
	TOKEN_AND,
	TOKEN_OR,
	TOKEN_NOT,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_LIST,	/* { */
	TOKEN_LIST_END, /* } */
	TOKEN_COMMA,
};

struct expr_token {
	enum expr_token_kind kind;
	enum expr_op op;
	size_t at, n; /* where it stands in the expression */
	struct bytes text;
};

struct expr_lex {
	struct bytes source;
	size_t at;
	uint8_t *pool; /* room for what strings stand for: as many bytes as the source has */
	size_t used;
};

/* The next token. Fails with ERR_USAGE, out->at and out->n say where. */
int expr_lex_next(struct expr_lex *l, struct expr_token *out, struct err *e) MUST_CHECK;
/* What a word is where an operator may stand: and, or, not, eq, in, contains …; else a word. */
void expr_token_as_operator(struct expr_token *t);

#endif
