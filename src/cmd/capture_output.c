#include "cmd/capture_output.h"

#include <errno.h>
#include <unistd.h>

#define ENOUGH ((size_t)256 << 10)
#define SECTION 0x0a0d0d0au
#define SECTION_LENGTH 16 /* where it stands in a section header */

int capture_output_open(const char *path, struct capture_output *o, struct err *e)
{
	*o = (struct capture_output){ .draft = { .fd = -1 } };
	o->b = buf_init_secret(4 * CAPTURE_BLOCK_MAX);
	o->standard_output = strcmp(path, "-") == 0;
	if (!o->standard_output)
		return file_draft_open(path, 0600, &o->draft, e);
	if (isatty(STDOUT_FILENO))
		return FAIL(e, USAGE,
			    "standard output is a terminal, and a capture is no text: "
			    "send it to a file, or give --output a name");
	return 0;
}

static int write_out(struct capture_output *o, struct bytes b, struct err *e)
{
	if (!o->standard_output)
		return file_draft_write(&o->draft, b, e);
	return file_put(STDOUT_FILENO, b) < 0 ? FAIL_SYS(e, FILE, "standard output") : 0;
}

static int write_all(struct capture_output *o, struct err *e)
{
	if (write_out(o, buf_bytes(&o->b), e) < 0)
		return -1;
	buf_clear(&o->b);
	return 0;
}

int capture_output_flush(struct capture_output *o, struct err *e)
{
	return o->b.n < ENOUGH ? 0 : write_all(o, e);
}

int capture_output_copy(struct capture_output *o, const struct capture_item *item, struct err *e)
{
	if (buf_add(&o->b, item->raw, e) < 0)
		return -1;
	if (item->block_type == SECTION && item->raw.n)
		memset(o->b.p + o->b.n - item->raw.n + SECTION_LENGTH, 0xff, sizeof(uint64_t));
	return capture_output_flush(o, e);
}

int capture_output_commit(struct capture_output *o, struct err *e)
{
	if (write_all(o, e) < 0)
		return -1;
	return o->standard_output ? 0 : file_draft_commit(&o->draft, e);
}

void capture_output_fini(struct capture_output *o)
{
	buf_fini(&o->b);
	file_draft_discard(&o->draft);
}
