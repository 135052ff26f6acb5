/* The environment variables with which programs go through the proxy and trust the bump root: what
 * `oriel env` prints and `oriel exec` sets. NO_PROXY is left as it is. */
#ifndef CMD_ENVIRONMENT_H
#define CMD_ENVIRONMENT_H

#include "cmd/settings.h"

/* "http://127.0.0.1:8080" */
#define PROXY_URL_MAX (ADDR_TEXT_MAX + 16)
const char *proxy_url(const struct settings *s, char out[PROXY_URL_MAX]);
/* The address without port or brackets. */
const char *proxy_host(const struct settings *s, char out[ADDR_TEXT_MAX]);

/* Lines "export NAME='value'" for a POSIX shell. Fails with ERR_LIMIT, ERR_NOMEM. */
int environment_print(const struct settings *s, struct buf *out, struct err *e) MUST_CHECK;
/* Sets them in this process. */
int environment_set(const struct settings *s, struct err *e) MUST_CHECK;
/* The text in single quotes for a POSIX shell. */
int shell_quote(struct buf *out, struct bytes text, struct err *e) MUST_CHECK;

#endif
