/* Values of certyaml's dialect: YAML 1.1 as Go's library reads it, Go's durations, RFC 3339. Each fails
 * with ERR_CONFIG at the node, *out then untouched. A node that is nothing is the caller's matter. */
#ifndef CMD_CERTS_VALUE_H
#define CMD_CERTS_VALUE_H

#include "base/arena.h"
#include "cmd/config_tree.h"
#include "pki/cert.h"

/* yes, on, true, y and their opposites, unquoted. */
int certs_value_bool(const struct config_node *n, bool *out, struct err *e) MUST_CHECK;
/* Decimal, 0x, 0o, 0b, a leading 0 for octal, _ between digits; unquoted; 0 to 2^63 - 1. */
int certs_value_number(const struct config_node *n, uint64_t *out, struct err *e) MUST_CHECK;
/* "8760h", "1h30m", "1.5h": whole seconds, at least 0. */
int certs_value_duration(const struct config_node *n, int64_t *seconds, struct err *e) MUST_CHECK;
/* The same from the command line, where also days are known ("30d"). Fails with ERR_USAGE. */
int certs_duration_parse(const char *option, const char *text, int64_t *seconds,
			 struct err *e) MUST_CHECK;
/* "2025-01-02T03:04:05Z", or a day. UNIX seconds. */
int certs_value_time(const struct config_node *n, int64_t *out, struct err *e) MUST_CHECK;
/* Text without NUL or other control characters, NUL-terminated, borrowed from the node. */
int certs_value_text(const struct config_node *n, const char **out, struct err *e) MUST_CHECK;
/* "DNS:a.example", "IP:::1", "URI:...", "email:...". With tree set, of name constraints: IP:10.0.0.0/8,
 * DNS:.example is DNS:example. */
int certs_value_name(struct arena *a, const struct config_node *n, bool tree, struct san *out,
		     struct err *e) MUST_CHECK;

#endif
