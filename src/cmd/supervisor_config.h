/* What a configuration means on this machine: the file read, the files it names read, its sockets
 * bound. Made anew for each reload; sockets that stay are taken over. */
#ifndef CMD_SUPERVISOR_CONFIG_H
#define CMD_SUPERVISOR_CONFIG_H

#include "cmd/bump_root.h"
#include "cmd/delivery.h"
#include "cmd/supervisor.h"

struct plan {
	struct proxy_config *config;
	struct buf text; /* canonical: parses to config */
	struct buf assets[DELIVERY_ASSETS_MAX];
	struct bump_root root;
	struct buf system_roots;
	char roots_from[PATHS_MAX];
	int listeners[DELIVERY_ADDRS_MAX]; /* by index of config->listeners; -1: not open */
	struct addr bound[DELIVERY_ADDRS_MAX];
	int admin_unix, admin_tcp;
	char admin_path[PATHS_MAX];
	int keylog, keylog_env, har;
	const char *keylog_env_path; /* SSLKEYLOGFILE, or NULL */
	struct buf settings;	     /* the admin interface's page of them */
};

/* before: the plan in force, whose sockets are taken over where they serve; NULL at the start. On
 * failure *out is nothing and before is untouched. */
int plan_new(const struct supervisor_options *o, struct plan *before, struct plan **out,
	     struct err *e) MUST_CHECK;
void plan_free(struct plan *p); /* closes the sockets that are still its own; also NULL */
/* Reads and checks the configuration and the files it names, and no more. */
int plan_config(const struct supervisor_options *o, struct plan **out, struct err *e) MUST_CHECK;
/* Fills a delivery that borrows from the plan. */
int plan_delivery(const struct plan *p, struct buf *hosts_file, struct delivery *d,
		  struct err *e) MUST_CHECK;

#endif
