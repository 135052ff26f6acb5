#include "cmd/verbs.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

int verb_fail(const struct err *e)
{
	fprintf(stderr, "oriel: %s\n", e->sentence);
	return err_exit_status(e);
}

int verb_print(struct bytes text)
{
	struct err e = { 0 };

	while (text.n) {
		ssize_t n = write(STDOUT_FILENO, text.p, text.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			(void)FAIL_SYS(&e, FILE, "standard output");
			return verb_fail(&e);
		}
		text = bytes_slice(text, (size_t)n, text.n);
	}
	return EXIT_OK;
}
