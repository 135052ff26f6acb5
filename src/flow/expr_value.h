/* What fields of the filter language are compared with, and how. Only for expr.c. */
#ifndef FLOW_EXPR_VALUE_H
#define FLOW_EXPR_VALUE_H

#include "flow/expr_field.h"

enum expr_op {
	EXPR_IS, /* it is there; yes */
	EXPR_EQ,
	EXPR_NE,
	EXPR_LT,
	EXPR_LE,
	EXPR_GT,
	EXPR_GE,
	EXPR_CONTAINS,
	EXPR_MATCHES,
	EXPR_IN,
};

struct expr_literal {
	int64_t low, high; /* equal but for ranges */
	struct bytes text; /* borrowed from what was parsed */
	struct addr_range range;
};

/* NULL when a field of that type can be asked so, else what it can be asked, for a sentence. */
const char *expr_op_fault(enum expr_op op, enum expr_type type);
/* word: without quotes; of EXPR_IN "a..b" may be a range. Fails with ERR_USAGE: what was
 * expected. */
int expr_literal_parse(const struct expr_field *f, enum expr_op op, struct bytes word,
		       struct expr_literal *out, struct err *e) MUST_CHECK;
/* One value against one literal; op is none of EXPR_IS, EXPR_MATCHES, EXPR_NE. */
bool expr_value_fits(const struct expr_field *f, enum expr_op op, const struct expr_value *v,
		     const struct expr_literal *l);
/* The text of a value that is text or has a name. */
struct bytes expr_value_text(const struct expr_field *f, const struct expr_value *v);

#endif
