#include "proc/sandbox.h"

#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* All rights of the first version: what is named here and not granted below is refused. */
#define ALL_RIGHTS ((LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1)
#define GRANTED                                                                                    \
	(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |                            \
	 LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |                            \
	 LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR)

int sandbox_confine(const char *dir, bool *confined, struct err *e)
{
	struct landlock_ruleset_attr all = { .handled_access_fs = ALL_RIGHTS };
	struct landlock_path_beneath_attr below = { .allowed_access = GRANTED };
	AUTO(sock_close)
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	AUTO(sock_close) int folder = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	*confined = false;
	if (folder < 0)
		return FAIL_SYS(e, SYSTEM, "confining this process to %s", dir);
	if (rules < 0) /* ENOSYS, EOPNOTSUPP: not in this kernel; EPERM: a container forbids it */
		return 0;
	below.parent_fd = folder;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		return FAIL_SYS(e, SYSTEM, "confining this process to %s", dir);
	*confined = true;
	return 0;
}
