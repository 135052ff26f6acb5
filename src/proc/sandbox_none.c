#include "proc/sandbox.h"

/* Built with -Dsandbox=false. */

bool sandbox_available(void)
{
	return false;
}

int sandbox_enter(enum sandbox_role role, struct err *e)
{
	(void)role;
	(void)e;
	return 0;
}

int sandbox_confine(const char *dir, bool *confined, struct err *e)
{
	(void)dir;
	(void)e;
	*confined = false;
	return 0;
}
