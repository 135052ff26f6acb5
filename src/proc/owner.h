/* Whose socket is it: a local TCP endpoint → the process that holds it, by the kernel's socket table
 * (sock_diag) and a search of /proc. It opens files and may take milliseconds: never on the proxy's
 * path, never in a worker; the supervisor asks. */
#ifndef PROC_OWNER_H
#define PROC_OWNER_H

#include "base/err.h"
#include "wire/addr.h"

#include <sys/types.h>

struct owner {
	uid_t uid;     /* of the socket */
	pid_t pid;     /* the lowest that holds it; 0: not known */
	char name[64]; /* its command name, through the escaper; empty: not known */
};

enum owner_result {
	OWNER_FOUND,
	OWNER_NO_SOCKET, /* no such endpoint on this machine (in this network namespace) */
	OWNER_NO_PROCESS, /* there is one (uid is set), but we may not see its process, or time ran out */
	OWNER_FAULT, /* the kernel does not answer such questions here */
};

/* Who listens where a listener on a cannot be made: the same port, the same or an overlapping address. */
enum owner_result owner_of_listener(const struct addr *a, int64_t budget_ns, struct owner *out);
/* Whose is the connection local → remote, as its own side sees it. budget_ns bounds the search; 0: 50 ms. */
enum owner_result owner_of_connection(const struct addr *local, const struct addr *remote,
				      int64_t budget_ns, struct owner *out);
/* "curl (pid 4711, user 1000)", "a process of user 0"; returns out. */
#define OWNER_TEXT_MAX 128
const char *owner_text(const struct owner *o, char out[OWNER_TEXT_MAX]);

#endif
