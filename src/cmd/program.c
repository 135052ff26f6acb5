#include "cmd/program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/escape.h"
#include "net/sock.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define SYSTEM_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static bool find_along(struct bytes folders, const char *name, char out[PATHS_MAX])
{
	while (folders.n) {
		struct bytes dir = bytes_slice(folders, 0, bytes_index(folders, ':'));
		char text[PATHS_MAX];

		folders = bytes_slice(folders, dir.n + 1, folders.n);
		if (dir.n == 0 || dir.p[0] != '/' || dir.n >= sizeof(text))
			continue;
		memcpy(text, dir.p, dir.n);
		text[dir.n] = 0;
		if (paths_join(out, text, name, NULL) == 0 && is_program(out))
			return true;
	}
	return false;
}

bool program_find(const char *name, char out[PATHS_MAX])
{
	const char *path = paths_env("PATH", true);

	if (strchr(name, '/'))
		return paths_join(out, name, "", NULL) == 0 && is_program(out);
	return find_along(bytes_str(path), name, out) ||
	       find_along(bytes_str(SYSTEM_PATH), name, out);
}

/* The child's part: never returns. */
static void become(const char *path, const char *const *argv, int output)
{
	union {
		const char *const *given;
		char *const *wanted; /* execv changes nothing of it */
	} words = { .given = argv };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(output, STDERR_FILENO) < 0)
		_exit(127);
	setenv("LC_ALL", "C", 1);
	setenv("PATH", SYSTEM_PATH, 0);
	unsetenv("JAVA_TOOL_OPTIONS"); /* it would be told of, and used */
	execv(path, words.wanted);
	_exit(127);
}

/* Reads until all writers are gone; what does not fit is read and dropped. */
static void collect(int fd, struct buf *out)
{
	uint8_t room[4096];
	ssize_t n;

	while ((n = read(fd, room, sizeof(room))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0 && buf_add(out, bytes_of(room, (size_t)n), NULL) < 0)
			continue;
	}
}

static int wait_for(pid_t pid, int *status, struct err *e)
{
	int raw;

	while (waitpid(pid, &raw, 0) < 0) {
		if (errno != EINTR)
			return FAIL_SYS(e, SYSTEM, "waiting for a program");
	}
	*status = WIFEXITED(raw) ? WEXITSTATUS(raw) : 128 + WTERMSIG(raw);
	return 0;
}

int program_run(const char *const *argv, struct program_result *r, struct err *e)
{
	char path[PATHS_MAX];
	int ends[2];
	pid_t pid;

	*r = (struct program_result){ .output = buf_init(OUTPUT_MAX) };
	if (!program_find(argv[0], path))
		return FAIL(e, FILE, "there is no program %s here", argv[0]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return FAIL_SYS(e, SYSTEM, "a pipe");
	pid = fork();
	if (pid == 0)
		become(path, argv, ends[1]);
	sock_close(&ends[1]);
	if (pid > 0)
		collect(ends[0], &r->output);
	sock_close(&ends[0]);
	return pid < 0 ? FAIL_SYS(e, SYSTEM, "%s", path) : wait_for(pid, &r->status, e);
}

/* The last line that says something. */
static struct bytes last_words(struct bytes text)
{
	struct bytes last = { 0 };

	while (text.n) {
		struct bytes line = bytes_slice(text, 0, bytes_index(text, '\n'));

		if (bytes_trim(line).n)
			last = bytes_trim(line);
		text = bytes_slice(text, line.n + 1, text.n);
	}
	return last;
}

int program_must(const char *const *argv, struct err *e)
{
	struct program_result r;
	char said[300];
	int done = program_run(argv, &r, e);

	if (done == 0 && r.status != 0) {
		escape_to(said, sizeof(said), last_words(buf_bytes(&r.output)));
		done = FAIL(e, SYSTEM, "%s ended with status %d: %s", argv[0], r.status, said);
	}
	buf_fini(&r.output);
	return done;
}
