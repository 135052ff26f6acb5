#include "cmd/keys_command.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/program.h"
#include "cmd/program_kind.h"
#include "net/sock.h"

static enum program_kind kind_of(int fd)
{
	static uint8_t head[PROGRAM_HEAD];
	ssize_t n = pread(fd, head, sizeof(head), 0);

	return program_kind(bytes_of(head, n < 0 ? 0 : (size_t)n));
}

/* NULL: there is nothing to say. */
static const char *reason(int fd)
{
	struct stat st;

	if (fstat(fd, &st) == 0 && (st.st_mode & (S_ISUID | S_ISGID)) && geteuid() != 0)
		return "runs with rights of its own (set-user-ID), so the loader preloads nothing: "
		       "no keys";
	switch (kind_of(fd)) {
	case PROGRAM_STATIC:
		return "is linked statically, so nothing can be preloaded: only keys that it logs "
		       "by itself for SSLKEYLOGFILE";
	case PROGRAM_GO:
		return "is written in Go, which has TLS of its own and honours no variable: no "
		       "keys";
	case PROGRAM_FOREIGN:
		return "is of another architecture, so the library cannot be loaded: only keys "
		       "that "
		       "it logs by itself for SSLKEYLOGFILE";
	case PROGRAM_DYNAMIC:
	case PROGRAM_OTHER:
		break;
	}
	return NULL;
}

void keys_command_warn(const char *name)
{
	AUTO(sock_close) int fd = -1;
	char path[PATHS_MAX], shown[256];
	const char *why;

	if (!program_find(name, path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	why = fd < 0 ? NULL : reason(fd);
	if (why)
		fprintf(stderr, "oriel: %s %s\n", escape_to(shown, sizeof(shown), bytes_str(path)),
			why);
}

int keys_command_run(char **command)
{
	char shown[256];
	int why;

	execvp(command[0], command);
	why = errno;
	fprintf(stderr, "oriel: %s: %s\n", escape_to(shown, sizeof(shown), bytes_str(command[0])),
		strerror(why));
	return why == ENOENT ? KEYS_NOT_FOUND : KEYS_CANNOT_RUN;
}
