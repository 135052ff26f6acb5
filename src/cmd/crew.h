/* The supervisor's crew: keeper and worker, how they are started, joined to each other and ended. */
#ifndef CMD_CREW_H
#define CMD_CREW_H

#include <sys/types.h>

#include "cmd/supervisor_config.h"

#define LANES_MAX 64

struct role {
	const char *name;
	pid_t pid; /* 0: not running */
	struct channel *channel;
	int64_t started_ns;
	int64_t restart_ns; /* when it is to be started again; 0: it runs */
	int64_t delay_ns;
};

struct crew {
	struct plan *plan; /* what is in force */
	struct role keeper, worker;
	size_t lanes;	   /* of a worker */
	bool worker_ready; /* it has lanes to be joined to the keeper */
};

/* Each starts one that does not run. Fail with ERR_SYSTEM, ERR_NOMEM. */
int crew_start_keeper(struct crew *c, struct err *e) MUST_CHECK;
int crew_start_worker(struct crew *c, struct err *e) MUST_CHECK;
/* Gives the worker a plan: its sockets and all that its files hold. */
int crew_deliver(struct crew *c, const struct plan *p, struct err *e) MUST_CHECK;
/* New lines between keeper and worker, once the worker is ready. */
void crew_rejoin(struct crew *c);

void role_hang_up(struct role *r); /* closes the channel, which tells the child to end */
void role_end(struct role *r);	   /* and waits for it; one that does not end is killed */

#endif
