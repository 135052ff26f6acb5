/* The fields of the filter language: names, types, and how their values are had. Only for expr.c
 * and its parts. */
#ifndef FLOW_EXPR_FIELD_H
#define FLOW_EXPR_FIELD_H

#include "base/buf.h"
#include "flow/exchange.h"

enum expr_type {
	EXPR_YES, /* yes or no */
	EXPR_NUMBER,
	EXPR_FLOW,     /* a number, or u1 for a flow of UDP */
	EXPR_DURATION, /* nanoseconds */
	EXPR_TIME,     /* nanoseconds since 1970 */
	EXPR_CODE,     /* a number that has a name */
	EXPR_ADDR,
	EXPR_WORD, /* text without regard to case */
	EXPR_TEXT,
};

/* What is asked about, and room for values that are put together. */
struct expr_subject {
	const struct flow_info *flow;
	const struct exchange *exchange;    /* or NULL */
	const struct flow_message *message; /* or NULL */
	struct buf *room;		    /* all its memory is there from the start */
};
#define EXPR_ROOM_MAX (68 * 1024)

/* Which of its members means something is the field's type. */
struct expr_value {
	int64_t n; /* numbers, codes, times; 1 for yes */
	struct bytes text;
	const struct addr *addr;
};

enum expr_base { IN_NOTHING, IN_FLOW, IN_EXCHANGE, IN_MESSAGE };

struct expr_place {
	enum expr_base base;
	size_t at, size;
};

#define EXPR_OTHERS 3

struct expr_field {
	const char *name;
	const char *others[EXPR_OTHERS]; /* its other names */
	enum expr_type type;
	const char *what; /* one line for a person */
	/* Either where its values lie (what is zero or empty is not there), … */
	struct expr_place place[2];
	/* … or the i-th value, false when there is none. arg: the end of the name, where the
	 * field's name ends with a point. */
	bool (*get)(struct expr_subject *s, struct bytes arg, size_t i, struct expr_value *v);
	const char *(*name_of)(uint64_t code); /* of EXPR_CODE */
	uint64_t code_max;
	const char *example; /* of EXPR_CODE: a name */
	int64_t unit;	     /* of EXPR_DURATION: ns of a number without a unit */
	bool zero;	     /* a number of zero is one, if what it lies in is there */
	bool bodies;	     /* of what is kept of bodies */
};

extern const struct expr_field expr_field_table[];
extern const size_t expr_field_count;

/* name: as written; *arg is its end where the field takes one, or the name of a header that the
 * name stands for. NULL when there is none. */
const struct expr_field *expr_field_find(struct bytes name, struct bytes *arg);
/* The i-th value of the field, from 0; false: no more. Borrowed until the next call. */
bool expr_field_value(const struct expr_field *f, struct expr_subject *s, struct bytes arg,
		      size_t i, struct expr_value *v);
/* " (did you mean tls.sni?)" or "" into out. */
#define EXPR_HINT_MAX 96
const char *expr_field_hint(struct bytes name, char out[EXPR_HINT_MAX]);
const char *expr_type_text(enum expr_type type); /* "a number", "text" */

/* Values that are put together or looked up (expr_get.c). */
#define EXPR_GET(name)                                                                             \
	bool name(struct expr_subject *s, struct bytes arg, size_t i, struct expr_value *v)
EXPR_GET(expr_get_time);
EXPR_GET(expr_get_duration);
EXPR_GET(expr_get_way);
EXPR_GET(expr_get_action);
EXPR_GET(expr_get_proto);
EXPR_GET(expr_get_state);
EXPR_GET(expr_get_sight);
EXPR_GET(expr_get_tcp);
EXPR_GET(expr_get_udp);
EXPR_GET(expr_get_decrypted);
EXPR_GET(expr_get_dark_why);
EXPR_GET(expr_get_failure);
EXPR_GET(expr_get_bytes);
EXPR_GET(expr_get_tls);
EXPR_GET(expr_get_verdict);
EXPR_GET(expr_get_alert);
EXPR_GET(expr_get_handshake_type);
EXPR_GET(expr_get_http);
EXPR_GET(expr_get_http2);
EXPR_GET(expr_get_grpc);
EXPR_GET(expr_get_websocket);
EXPR_GET(expr_get_id);
EXPR_GET(expr_get_http_version);
EXPR_GET(expr_get_path);
EXPR_GET(expr_get_query);
EXPR_GET(expr_get_url);
EXPR_GET(expr_get_host);
EXPR_GET(expr_get_header);
EXPR_GET(expr_get_request_header);
EXPR_GET(expr_get_response_header);
EXPR_GET(expr_get_cut);
EXPR_GET(expr_get_grpc_status);
EXPR_GET(expr_get_first_byte);
EXPR_GET(expr_get_http2_stream);
EXPR_GET(expr_get_message);
EXPR_GET(expr_get_direction);

#endif
