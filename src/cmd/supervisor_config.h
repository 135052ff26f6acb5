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
	struct plan_place { /* of the key that names it, in the file as people wrote it */
		unsigned line, column;
	} places[DELIVERY_ASSETS_MAX];
	struct bump_root root;
	struct buf system_roots;
	char roots_from[PATHS_MAX];
	int listeners[DELIVERY_ADDRS_MAX]; /* by index of config->listeners; -1: not open */
	struct addr bound[DELIVERY_ADDRS_MAX];
	int admin_unix, admin_tcp;
	bool admin_unix_kept, admin_tcp_kept; /* the sockets of the plan before */
	char admin_path[PATHS_MAX];
	int keylog, keylog_env, har;
	const char *keylog_env_path; /* SSLKEYLOGFILE, or NULL */
	struct buf settings;	     /* the admin interface's page of them */
};

/* Reads and checks the configuration and the files it names, and no more. */
int plan_config(const struct supervisor_options *o, struct plan **out, struct err *e) MUST_CHECK;
/* Then the root, and the sockets and files that the plan opens. before: the plan in force, whose
 * sockets are taken over where they serve; NULL at the start. On failure p is only to be freed. */
int plan_open(struct plan *p, const struct supervisor_options *o, struct plan *before,
	      struct err *e) MUST_CHECK;
/* Both. On failure *out is nothing and before is untouched. */
int plan_new(const struct supervisor_options *o, struct plan *before, struct plan **out,
	     struct err *e) MUST_CHECK;
void plan_free(struct plan *p);		  /* closes the sockets that are still its own; also NULL */
void plan_stop_listening(struct plan *p); /* closes those of the listeners; also NULL */
#define PLAN_LATE_MAX 300
/* The keys in which the plans differ and that a running worker and keeper do not take over, as a
 * list for people. False: there are none. */
bool plan_changed_late(const struct plan *before, const struct plan *now, char out[PLAN_LATE_MAX]);
/* Fills a delivery that borrows from the plan. */
int plan_delivery(const struct plan *p, struct buf *hosts_file, struct delivery *d,
		  struct err *e) MUST_CHECK;

#endif
