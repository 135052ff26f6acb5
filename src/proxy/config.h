/* The configuration of `oriel run` as plain data: immutable once shared, counted, freed as a whole.
 * Who makes one fills it before anybody else sees it; from then on everybody only reads. All
 * pointers lead into memory that the configuration owns; all texts end with NUL. Files that it
 * names are not in it: it lists them as assets, whose bytes the one who may open files supplies. */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include <stdatomic.h>

#include "base/arena.h"
#include "net/dial.h"
#include "wire/addr.h"

/* A file to be read before the configuration can be used. */
enum config_asset_kind {
	CONFIG_ASSET_UPSTREAM_CA, /* certificates in PEM, public */
	CONFIG_ASSET_PASSWORD,	  /* one line, secret */
	CONFIG_ASSET_TOKEN,	  /* one line, secret: the bearer token of the admin interface */
	CONFIG_ASSET_BUMP_CERT,	  /* PEM, public */
	CONFIG_ASSET_BUMP_KEY,	  /* PEM, secret: for the keeper alone */
};

struct config_asset {
	enum config_asset_kind kind;
	const char
		*path; /* as written; a relative one counts from the configuration file's folder */
	unsigned line, column; /* where the configuration names it; 0: it does not */
};

#define CONFIG_NO_ASSET (-1)
#define CONFIG_ASSETS_MAX 256
#define CONFIG_LISTENERS_MAX 128

/* The files of one key. A file that two keys name for the same purpose is one asset. */
struct config_assets {
	const int *index; /* into proxy_config.assets */
	size_t count;
};

enum config_action { CONFIG_NO_ACTION, CONFIG_BUMP, CONFIG_SPLICE, CONFIG_BLOCK };
const char *config_action_text(enum config_action a); /* "bump" */

/* What the client gets when the server's certificate does not verify. */
enum config_invalid { CONFIG_INVALID_MIRROR, CONFIG_INVALID_BLOCK, CONFIG_INVALID_ALLOW };

enum config_pattern_kind {
	CONFIG_PATTERN_ANY,    /* "*": every name, every address, and no name */
	CONFIG_PATTERN_NAME,   /* "www.example.com" */
	CONFIG_PATTERN_SUFFIX, /* "*.example.com": one label or more before it, not the name itself */
	CONFIG_PATTERN_RANGE, /* "10.0.0.0/8" or one address; never in an sni list */
};

struct config_pattern {
	enum config_pattern_kind kind;
	struct bytes
		name; /* lower case, no trailing dot; of a SUFFIX ".example.com", with the dot */
	struct addr_range range;
	uint16_t port;	  /* 0: every port; always 0 in an sni list */
	const char *text; /* as written */
};

struct config_patterns {
	const struct config_pattern *list;
	size_t count; /* 0: the condition was not written */
};

struct config_ranges {
	const struct addr_range *list;
	size_t count; /* 0: the condition was not written */
};

struct config_match {
	struct config_patterns target; /* what oriel dials */
	struct config_patterns sni;
	struct config_ranges client;
};

/* Kinds of destination that need a word from a rule (a bit each). */
enum config_destination {
	CONFIG_TO_LOOPBACK = 1,
	CONFIG_TO_LINK_LOCAL = 2,
	CONFIG_TO_METADATA = 4, /* metadata services at addresses that are not link-local */
	CONFIG_TO_UNSPECIFIED = 8,
	CONFIG_TO_MULTICAST = 16,
	CONFIG_TO_OWN = 32, /* the machine's own addresses */
};

struct config_allow {
	unsigned kinds; /* bits of enum config_destination */
	struct config_ranges ranges;
};

struct config_header {
	const char *name, *value;
};

struct config_rule {
	unsigned line; /* where it is written; 0: it is not */
	struct config_match match;
	enum config_action action;
	/* The rest belongs to bump. */
	enum config_invalid invalid_upstream;
	struct config_assets upstream_ca; /* count 0: the configuration's own */
	uint16_t upstream_min_version;	  /* 0x0303 or 0x0304 */
	const struct config_header
		*set_headers; /* set in each HTTP/1.1 request; any: mode rewrite */
	size_t set_header_count;
	/* To splice, too. */
	struct config_allow allow;
};

static inline bool config_rule_rewrites(const struct config_rule *r)
{
	return r->set_header_count > 0;
}

enum config_transparent { CONFIG_NOT_TRANSPARENT, CONFIG_REDIRECT, CONFIG_TPROXY };
enum config_mode { CONFIG_EGRESS };

/* All in nanoseconds, all above zero. */
struct config_timeouts {
	int64_t hello;	   /* for a whole request to connect and ClientHello */
	int64_t dial;	   /* for resolving and connecting */
	int64_t handshake; /* for each of the two handshakes */
	int64_t idle;	   /* no byte in either direction */
	int64_t silent_client; /* transparent: then it is taken for a protocol in which the server speaks first */
	int64_t half_close; /* one direction ended, the other silent */
	int64_t drain;	    /* from SIGTERM to the end of what is open */
};

struct config_user {
	const char *name;
	int password; /* index of an asset */
};

struct config_listener {
	unsigned line;
	struct addr bind;
	enum config_mode mode;
	enum config_transparent transparent;
	uint16_t port; /* dialled for TLS that comes without CONNECT or SOCKS */
	const struct config_rule *rules;
	size_t rule_count;
	struct config_rule
		otherwise; /* without a match; action NONE only when a rule matches everything */
	struct config_ranges clients;	 /* who may connect; count 0: everybody */
	const struct config_user *users; /* any: proxy authentication is asked for */
	size_t user_count;
	struct config_timeouts timeouts;
};

enum config_admin_socket { CONFIG_ADMIN_DEFAULT, CONFIG_ADMIN_AT, CONFIG_ADMIN_OFF };

struct config_admin {
	enum config_admin_socket socket; /* DEFAULT: where the environment says */
	const char *path;		 /* AT */
	struct addr tcp;		 /* family ADDR_NONE: no TCP */
	int token; /* an asset or CONFIG_NO_ASSET: flows and changes over TCP need it */
};

struct config_keylog {
	const char *path; /* NULL: none */
	struct config_ranges local, remote;
};

enum config_log { CONFIG_LOG_TEXT, CONFIG_LOG_JSON, CONFIG_LOG_OFF };

struct config_observe {
	struct config_keylog keylog;
	enum config_log log; /* the live lines */
	bool headers;	     /* lines show headers */
	bool bodies;	     /* lines show bodies */
	const char *har;     /* path or NULL */
	bool redact;	     /* also in what was asked for by name */
	unsigned store;	     /* how many exchanges are kept for `oriel flows` */
	size_t body_max;     /* bytes kept and shown of each body */
};

struct config_limits {
	unsigned connections;		 /* of clients, at once */
	unsigned connections_per_client; /* from one address */
	size_t buffer;			 /* bytes waiting in each direction of a flow */
	unsigned certificates;		 /* minted ones kept */
	unsigned sessions;		 /* of servers, kept for resumption */
};

struct config_upstream_proxy {
	const char *host; /* NULL: none. A name or a literal address without brackets */
	uint16_t port;
	const char *user; /* NULL: no authentication */
	int password;	  /* an asset or CONFIG_NO_ASSET */
};

struct proxy_config {
	const struct config_listener *listeners;
	size_t listener_count;
	struct config_admin admin;
	struct config_observe observe;
	const struct host_entry *hosts; /* as net/dial wants them: a name once for each address */
	size_t host_count;
	struct config_upstream_proxy upstream_proxy;
	struct config_assets upstream_ca; /* in place of the system's roots; count 0: those */
	int bump_cert, bump_key; /* both assets, or both CONFIG_NO_ASSET: the state folder's */
	unsigned threads;	 /* 0: one for each processor */
	struct config_limits limits;
	struct config_timeouts timeouts; /* which the listeners inherit */

	const struct config_asset *assets;
	size_t asset_count;

	struct arena arena; /* the memory of all the above; only its maker takes from it */
	atomic_uint refs;
};

/* What holds where the configuration says nothing. */
extern const struct config_timeouts config_timeouts_default;
extern const struct config_limits config_limits_default;
extern const struct config_observe config_observe_default;
extern const struct config_admin config_admin_default;
extern const struct config_upstream_proxy config_upstream_proxy_default;
extern const struct config_rule config_rule_default;
extern const struct config_listener config_listener_default;

/* All of them, with count 1 and no listener. Fails with ERR_NOMEM. */
int proxy_config_new(struct proxy_config **out, struct err *e) MUST_CHECK;
/* What `oriel run` does without a file: one egress on 127.0.0.1:8080 that bumps everything. */
int proxy_config_defaults(struct proxy_config **out, struct err *e) MUST_CHECK;
struct proxy_config *proxy_config_ref(struct proxy_config *c); /* from any thread */
void proxy_config_free(struct proxy_config *c);		       /* drops one count; NULL is fine */
void proxy_config_freep(struct proxy_config **c);	       /* for AUTO */

#endif
