/* The filter language of --filter (-Y): a condition on flows, exchanges and messages, compiled once
 * and asked often.
 *
 *   tls.sni == "example.org" and http.status >= 500
 *   ip == 10.0.0.0/8 && !(port in {80, 8000..8080})
 *   http.url matches "/v[0-9]+/" or http.header.x-trace or duration > 1.5s
 *
 * Fields are named as in the JSON lines and as Wireshark names them (expr_fields, doc/fields.md).
 * Operators: == != < <= > >= (eq ne lt le gt ge), contains, matches (a regular expression of PCRE2
 * without regard to case), in {a, b, 1..5}; and or not (&& || !), parentheses; a field alone is
 * true when it is there (a yes or no field: when it is yes). A field of several values (addresses,
 * ports, headers) fits when any of them does; != is true when the field is there and none of its
 * values is equal. Whatever is compared with a field that is not there is false. */
#ifndef FLOW_EXPR_H
#define FLOW_EXPR_H

#include "base/buf.h"
#include "flow/exchange.h"

#define EXPR_MAX 4096  /* bytes of an expression */
#define EXPR_DEPTH 64  /* of parentheses and nots */
#define EXPR_TESTS 256 /* comparisons, values of lists counted */

struct expr;

/* Where and why an expression was refused. */
struct expr_fault {
	size_t column; /* of the first wrong byte, from 1 */
	size_t length; /* how many are wrong; 0: something is missing there */
};

/* Fails with ERR_USAGE: the sentence says what would be right, with the column; fault (may be NULL)
 * says where. Also ERR_NOMEM. */
int expr_new(struct bytes text, struct expr **out, struct expr_fault *fault,
	     struct err *e) MUST_CHECK;
void expr_free(struct expr *x);

/* The expression and below it a mark under what is wrong: two lines for a terminal, escaped; a long
 * expression is shown in part. */
int expr_caret(struct buf *out, struct bytes text, const struct expr_fault *fault,
	       struct err *e) MUST_CHECK;

/* Whether it is true for an exchange (message NULL), a message (exchange may be NULL), or a flow
 * (both NULL: what is asked of exchanges is then not there). Not for several threads at once. */
bool expr_matches(struct expr *x, const struct flow_info *f, const struct exchange *exchange,
		  const struct flow_message *message);

/* Some fields ask for what is in bodies: whether the tracker has to keep them for it. */
bool expr_wants_bodies(const struct expr *x);

/* All fields, their other names, and what they are: for a terminal, or the table of
 * doc/fields.md. */
enum expr_list { EXPR_LIST_TEXT, EXPR_LIST_MARKDOWN };
int expr_fields(struct buf *out, enum expr_list form, struct err *e) MUST_CHECK;

#endif
