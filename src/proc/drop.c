#include "proc/drop.h"

#include "proc/paths.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <unistd.h>

#define ID_MAX (UINT32_MAX - 1) /* the last one means "no change" */

static bool parse_id(const char *text, uint32_t *out)
{
	uint64_t v;

	if (!text || !bytes_decimal(bytes_str(text), ID_MAX, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

struct invoker invoker_get(void)
{
	struct invoker by = { .uid = geteuid(), .gid = getegid() };
	uint32_t uid, gid;

	if (by.uid != 0 || getauxval(AT_SECURE))
		return by;
	if (!parse_id(getenv("SUDO_UID"), &uid) || !parse_id(getenv("SUDO_GID"), &gid))
		return by;
	return (struct invoker){ .sudo = true, .uid = uid, .gid = gid };
}

int invoker_own(int fd, struct err *e)
{
	struct invoker by = invoker_get();

	if (by.sudo && fchown(fd, by.uid, by.gid) < 0)
		return FAIL_SYS(e, FILE, "giving it to user %u, who called sudo", by.uid);
	return 0;
}

int drop_user_find(const char *name, struct drop_user *out, struct err *e)
{
	const struct passwd *user = getpwnam(name);
	uint32_t uid;

	if (!user && parse_id(name, &uid))
		user = getpwuid(uid);
	if (!user)
		return FAIL(e, SYSTEM, "there is no user \"%s\"", name);
	*out = (struct drop_user){ .uid = user->pw_uid, .gid = user->pw_gid };
	return 0;
}

/* The bounding set limits what an exec could gain; emptying it needs CAP_SETPCAP, which an ordinary
 * user has not, who therefore has nothing to gain by a file's capabilities under NO_NEW_PRIVS. */
static int apply(const struct drop_user *user, unsigned keep)
{
	bool bounded = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_ALL);
	if (keep & DROP_KEEP_NET_ADMIN &&
	    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_NET_ADMIN) < 0)
		return -1;
	if (!user)
		return capng_apply(bounded ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	return capng_change_id((int)user->uid, (int)user->gid,
			       CAPNG_DROP_SUPP_GRP | (bounded ? CAPNG_CLEAR_BOUNDING : 0));
}

/* Trust, but look. */
static bool is_dropped(const struct drop_user *user, unsigned keep)
{
	uid_t r, eff, s;

	if (user && (getresuid(&r, &eff, &s) < 0 || r != user->uid || eff != user->uid ||
		     s != user->uid || getgid() != user->gid || getegid() != user->gid))
		return false;
	if (user && user->uid && (setuid(0) == 0 || getgroups(0, NULL) > 0))
		return false;
	if (capng_get_caps_process() < 0)
		return false;
	for (unsigned c = 0; c <= CAP_LAST_CAP; c++) {
		bool kept = c == CAP_NET_ADMIN && keep & DROP_KEEP_NET_ADMIN;

		if (capng_have_capability(CAPNG_PERMITTED, c) && !kept)
			return false;
	}
	return true;
}

int drop_privileges(const struct drop_user *user, unsigned keep, struct err *e)
{
	pid_t parent = getppid();
	int signum = 0;

	(void)prctl(PR_GET_PDEATHSIG, &signum);
	if (capng_get_caps_process() < 0)
		return FAIL_SYS(e, SYSTEM, "the capabilities of this process");
	if (keep & DROP_KEEP_NET_ADMIN && !capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN))
		keep &= ~(unsigned)DROP_KEEP_NET_ADMIN; /* nothing is there to be kept */
	if (user && user->uid == geteuid() && geteuid() != 0)
		user = NULL;
	if (user && geteuid() != 0)
		return FAIL(e, SYSTEM, "only root can become user %u", user->uid);
	if (apply(user, keep) < 0)
		return FAIL_SYS(e, SYSTEM, "giving up privileges");
	if (!is_dropped(user, keep))
		return FAIL(e, SYSTEM, "privileges could not be given up for good");
	/* The kernel forgets it when the user changes; the parent may have ended meanwhile. */
	if (signum && (prctl(PR_SET_PDEATHSIG, signum) < 0 || getppid() != parent))
		return FAIL(e, SYSTEM, "the process that started this one has ended");
	return 0;
}

bool drop_may_change_user(void)
{
	return geteuid() == 0 && capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETUID) &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_SETGID);
}

bool drop_has_net_admin(void)
{
	return capng_get_caps_process() == 0 &&
	       capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN);
}
