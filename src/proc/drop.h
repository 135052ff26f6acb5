/* Giving rights up for good, and who asked for this run. */
#ifndef PROC_DROP_H
#define PROC_DROP_H

#include "base/err.h"

#include <sys/types.h>

/* Who called sudo: SUDO_UID and SUDO_GID, believed only when we run as root and not under AT_SECURE. */
struct invoker {
	bool sudo;
	uid_t uid; /* ours when !sudo */
	gid_t gid;
};
struct invoker invoker_get(void);
/* Gives an open file to the invoker; does nothing when !sudo. Fails with ERR_FILE. */
int invoker_own(int fd, struct err *e) MUST_CHECK;

struct drop_user {
	uid_t uid;
	gid_t gid;
};
/* By name or number, from the user database. Fails with ERR_SYSTEM: no such user. */
int drop_user_find(const char *name, struct drop_user *out, struct err *e) MUST_CHECK;

enum { DROP_KEEP_NONE = 0, DROP_KEEP_NET_ADMIN = 1 };
/* Becomes user (NULL: stays who we are) without supplementary groups, with no capability but those in
 * keep, none of which an exec would pass on; checks that there is no way back. Sets PR_SET_PDEATHSIG
 * again, which a change of user clears. One thread only. Fails with ERR_SYSTEM; the process must then
 * not go on. */
int drop_privileges(const struct drop_user *user, unsigned keep, struct err *e) MUST_CHECK;
/* We are root, and may become somebody else (in some containers root may not). */
bool drop_may_change_user(void);
/* CAP_NET_ADMIN is in the effective set. */
bool drop_has_net_admin(void);

#endif
