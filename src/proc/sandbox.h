/* What a role process may ask of the kernel, from the moment it has all it needs (seccomp filters by
 * libseccomp). A call that only an intruder makes ends the process at once (SIGSYS); one that is not
 * listed fails with ENOSYS. Irreversible, for all threads of the process, also those to come. */
#ifndef PROC_SANDBOX_H
#define PROC_SANDBOX_H

#include "base/err.h"

/* False when built with -Dsandbox=false (sanitized builds: LeakSanitizer traces its own process):
 * the functions below then succeed and do nothing. */
bool sandbox_available(void);

enum sandbox_role {
	/* The proxy's threads: sockets of IPv4 and IPv6, the descriptors that it has, memory, time.
	 * No open, no exec, no new process, no look at others. All files, resolver configuration and
	 * trust stores are loaded and all threads but short-lived ones are made before. */
	SANDBOX_WORKER,
	/* The holder of the CA key: files, memory, time, the sockets that it has. No network, no exec,
	 * no new process. */
	SANDBOX_KEEPER,
	/* Who reads what strangers wrote (a capture): the descriptors that it has, memory, threads. No
	 * network, no open, no exec, no new process. */
	SANDBOX_READER,
	/* The same, but it opens and makes files. */
	SANDBOX_READER_FILES,
};

/* Sets NO_NEW_PRIVS and the filter. Fails with ERR_SYSTEM, ERR_NOMEM; the process must then not go
 * on. */
int sandbox_enter(enum sandbox_role role, struct err *e) MUST_CHECK;

/* From now on this thread, and those it makes, open, make and remove files only below dir (Landlock);
 * what is open stays so. Before sandbox_enter, in a process with one thread. *confined is false where
 * the kernel cannot (before 5.13, or without it): the filter is then all there is. Fails with ERR_SYSTEM. */
int sandbox_confine(const char *dir, bool *confined, struct err *e) MUST_CHECK;

#endif
