#include "cmd/keylog_source.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/mem.h"

#define CHUNK 65536

int keylog_sources_add(struct keylog_sources *s, const char *path, struct err *e)
{
	struct keylog_source *f = &s->file[s->count];

	if (s->count == KEYLOG_SOURCES_MAX)
		return FAIL(e, LIMIT, "more than %d key logs", KEYLOG_SOURCES_MAX);
	*f = (struct keylog_source){ .path = path, .fd = open(path, O_RDONLY | O_CLOEXEC) };
	if (f->fd < 0)
		return FAIL_SYS(e, FILE, "the key log %s cannot be opened", path);
	s->count++;
	return 0;
}

void keylog_sources_fini(struct keylog_sources *s)
{
	for (size_t i = 0; i < s->count; i++)
		close(s->file[i].fd);
	s->count = 0;
}

/* Goes back to the beginning of a line that is not whole yet; how many bytes are good. */
static size_t keep_whole(const struct keylog_source *f, struct bytes chunk)
{
	size_t n = chunk.n;

	while (n && chunk.p[n - 1] != '\n')
		n--;
	/* A line longer than a chunk is none; a pipe cannot be read again. */
	if (n == 0 && chunk.n == CHUNK)
		return chunk.n;
	return n == chunk.n || lseek(f->fd, -(off_t)(chunk.n - n), SEEK_CUR) >= 0 ? n : chunk.n;
}

static int read_one(const struct keylog_source *f, bool whole, const struct keylog_sink *sink,
		    struct err *e)
{
	uint8_t chunk[CHUNK];
	size_t good = 1;
	int failed = 0;

	while (failed == 0 && good) {
		ssize_t n = read(f->fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			failed = FAIL_SYS(e, FILE, "the key log %s cannot be read", f->path);
			break;
		}
		good = whole ? keep_whole(f, bytes_of(chunk, (size_t)n)) : (size_t)n;
		if (good)
			failed = sink->text(sink->ctx, bytes_of(chunk, good), e);
	}
	mem_wipe(chunk, sizeof(chunk));
	return failed;
}

int keylog_sources_read(struct keylog_sources *s, bool whole, const struct keylog_sink *sink,
			struct err *e)
{
	for (size_t i = 0; i < s->count; i++)
		if (read_one(&s->file[i], whole, sink, e) < 0)
			return -1;
	return 0;
}
