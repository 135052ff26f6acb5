/* Role processes (worker, keeper): forked from a process that has one thread and no loop yet, and
 * gone when the process that started them is gone. */
#ifndef PROC_CHILD_H
#define PROC_CHILD_H

#include "base/err.h"

#include <sys/types.h>

/* Called first thing in main: remembers where the arguments lie, so that the title can be written there. */
void child_title_init(int argc, char **argv);
/* Names this process: "oriel: worker" in ps, "oriel-worker" (15 bytes) as its thread name. */
void child_title(const char *role);

struct child_options {
	const char *role; /* "worker" */
	/* The child's whole life; what it returns is the exit status. Its stack is all that it has:
	 * it must not return to the caller's loop. */
	int (*run)(void *ctx);
	void *ctx;
	const int *keep; /* descriptors that stay open besides 0, 1, 2; all others are closed */
	size_t keep_count;
	bool hidden; /* not to be traced, and its memory not read, by processes of the same user; no core */
};

/* Forks. The child is killed when the calling THREAD ends (PR_SET_PDEATHSIG is about threads): call
 * it from the main one. In it all signals have their default action and none is blocked.
 * Fails with ERR_SYSTEM. */
int child_start(const struct child_options *o, pid_t *pid, struct err *e) MUST_CHECK;

enum child_state { CHILD_RUNNING, CHILD_ENDED, CHILD_GONE /* no such child, or already asked */ };
/* Never waits. CHILD_ENDED: *status is for the functions below; asked once. */
enum child_state child_reap(pid_t pid, int *status);

#define CHILD_TEXT_MAX 160
/* "ended with status 3", "was killed by signal 9 (Killed)", "was ended by the sandbox: …"; returns out. */
const char *child_end_text(int status, char out[CHILD_TEXT_MAX]);
bool child_ended_well(int status);	 /* exit status 0 */
bool child_ended_by_sandbox(int status); /* SIGSYS */

#endif
