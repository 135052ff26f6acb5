#include "cmd/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "proc/file.h"

int verb_fail(const struct err *e)
{
	fprintf(stderr, "oriel: %s\n", e->sentence);
	return err_exit_status(e);
}

int verb_print(struct bytes text)
{
	struct err e = { 0 };

	if (file_put(STDOUT_FILENO, text) == 0)
		return EXIT_OK;
	(void)FAIL_SYS(&e, FILE, "standard output");
	return verb_fail(&e);
}
