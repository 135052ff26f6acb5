#include "cmd/read_files.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/rd.h"
#include "base/wr.h"
#include "cmd/read_objects.h"
#include "cmd/read_plain.h"
#include "proc/file.h"

#define ENTRY_MAX ((size_t)64 << 20)

int read_files_frame(struct buf *out, struct bytes entry, struct err *e)
{
	struct wr w = wr_init(out);

	wr_u32(&w, (uint32_t)entry.n);
	wr_bytes(&w, entry);
	return wr_end(&w, e);
}

static int make(const char *path, int *fd, struct err *e)
{
	*fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return *fd < 0 ? FAIL_SYS(e, FILE, "%s cannot be written", path) : 0;
}

static int put_at(int fd, struct bytes b, uint64_t at, struct err *e)
{
	while (b.n) {
		ssize_t n = pwrite(fd, b.p, b.n, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return FAIL_SYS(e, FILE, "the HAR file");
		at += (uint64_t)n;
		b = bytes_slice(b, (size_t)n, b.n);
	}
	return 0;
}

static int open_har(const struct read_options *o, struct read_files *f, struct err *e)
{
	struct har_options options = { .version = ORIEL_VERSION, .mask = o->redact };

	if (!o->har)
		return 0;
	if (make(o->har, &f->har_fd, e) < 0 || har_begin(&f->har, &options, &f->entry, e) < 0)
		return -1;
	return put_at(f->har_fd, buf_bytes(&f->entry), 0, e);
}

static int open_plain(const struct read_options *o, struct read_files *f, struct err *e)
{
	if (!o->plain)
		return 0;
	buf_clear(&f->entry);
	if (make(o->plain, &f->plain_fd, e) < 0 || read_plain_begin(&f->entry, e) < 0)
		return -1;
	return read_files_plain(f, buf_bytes(&f->entry), e);
}

int read_files_open(const struct read_options *o, struct read_files *f, struct err *e)
{
	*f = (struct read_files){ .har_fd = -1, .plain_fd = -1, .entry = buf_init(ENTRY_MAX) };
	if (open_har(o, f, e) < 0 || open_plain(o, f, e) < 0)
		return -1;
	return o->objects ? read_objects_folder(o->objects, e) : 0;
}

void read_files_close(struct read_files *f)
{
	if (f->har_fd >= 0)
		close(f->har_fd);
	if (f->plain_fd >= 0)
		close(f->plain_fd);
	buf_fini(&f->entry);
}

int read_files_har(void *files, struct bytes entries, struct err *e)
{
	struct read_files *f = files;
	bool bad = false;
	struct rd r = rd_init(entries, &bad);

	while (r.n && !bad) {
		struct bytes entry = rd_take(&r, rd_u32(&r));
		uint64_t at = f->har.at;

		buf_clear(&f->entry);
		if (har_add(&f->har, &f->entry, entry, e) < 0 ||
		    put_at(f->har_fd, buf_bytes(&f->entry), at, e) < 0)
			return -1;
	}
	return 0;
}

int read_files_plain(void *files, struct bytes packets, struct err *e)
{
	const struct read_files *f = files;

	return file_put(f->plain_fd, packets) < 0 ? FAIL_SYS(e, FILE, "the file of plaintext") : 0;
}
