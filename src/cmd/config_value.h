/* What the readers of single values share. */
#ifndef CMD_CONFIG_VALUE_H
#define CMD_CONFIG_VALUE_H

#include "cmd/config_schema.h"

/* The longest path of a Unix socket (sun_path), without its NUL. */
#define CONFIG_SOCKET_PATH_MAX 107

/* Reads n, the value of k, into the field. Fails with ERR_CONFIG, ERR_NOMEM. */
typedef int config_value_fn(struct config_reader *r, const struct config_key *k,
			    const struct config_node *n, void *field, struct err *e);
config_value_fn config_text_read;
config_value_fn config_headers_read;
config_value_fn config_hosts_read;
config_value_fn config_socket_read;
config_value_fn config_proxy_read;

/* "10s", "256KiB", "443": in the largest unit that leaves no rest. */
#define CONFIG_NUMBER_MAX 32
void config_number_text(const struct config_key *k, uint64_t value, char out[CONFIG_NUMBER_MAX]);

/* "KEY: why". Yields -1. */
int config_value_refuse_because(const struct config_key *k, const struct config_node *n,
				const struct err *why, struct err *e);
bool config_node_is_text(const struct config_node *n); /* and not nothing */
/* Takes one character of UTF-8 from the front. False: it is none. */
bool config_rune_take(struct bytes *text, uint32_t *rune);

#endif
