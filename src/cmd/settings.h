/* What a running oriel tells of itself on its admin socket (GET /settings), and only there: where it
 * listens and where its files are. Both sides of that page: the supervisor writes it, the verbs env,
 * exec, browser and trust ask for it. */
#ifndef CMD_SETTINGS_H
#define CMD_SETTINGS_H

#include "base/buf.h"
#include "proc/paths.h"
#include "wire/addr.h"

#define SETTINGS_MAX ((size_t)64 << 10)

struct plan;

struct settings {
	struct addr proxy;  /* where clients of this machine reach it; ADDR_NONE: only redirected */
	bool asks_password; /* it wants proxy authentication */
	char ca[PATHS_MAX]; /* the bump root's certificate, PEM */
	char bundle[PATHS_MAX]; /* system roots and bump root, PEM */
	char p12[PATHS_MAX];	/* the same as PKCS#12 */
};

/* The JSON of the page. Fails with ERR_FILE when a path is not UTF-8; ERR_LIMIT, ERR_NOMEM. */
int settings_write(const struct plan *p, struct buf *out, struct err *e) MUST_CHECK;
/* The JSON of the page. Fails with ERR_WIRE_DECODE. */
int settings_parse(struct bytes text, struct settings *out, struct err *e) MUST_CHECK;
/* Asks the oriel behind the admin socket (NULL: the usual one) and waits, for some seconds at most,
 * until the files that it names are there. Fails with ERR_CONNECT when nobody answers. */
int settings_ask(const char *admin, struct settings *out, struct err *e) MUST_CHECK;
/* The same, and fails with ERR_UNSUPPORTED when there is no listener that takes requests. */
int settings_ask_proxy(const char *admin, struct settings *out, struct err *e) MUST_CHECK;

#endif
