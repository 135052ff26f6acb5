/* Content codings: a byte that chooses which, then the body. However it is cut, the same must come
 * out, and never more than the cap. */
#include <stdlib.h>

#include "base/buf.h"
#include "http/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CAP 200000

static const char *const codings[] = { "gzip",	   "deflate",	    "br",	"zstd",
				       "br, gzip", "zstd, deflate", "identity", "gzip, gzip" };

static void add(void *ctx, struct bytes data)
{
	if (buf_add(ctx, data, NULL) < 0)
		abort();
}

static enum body_status decode(const char *coding, struct bytes in, size_t step, struct buf *out)
{
	struct body_options options = { bytes_str(coding), CAP, add, out };
	enum body_status status;
	struct body *b;

	*out = buf_init(CAP);
	if (body_new(&options, &b, NULL) < 0)
		abort();
	for (size_t at = 0; at < in.n; at += step)
		(void)body_feed(b, bytes_slice(in, at, step));
	status = body_finish(b);
	body_free(b);
	return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	enum body_status status;
	struct bytes in = bytes_of(data, size);
	const char *coding;

	if (size == 0)
		return 0;
	coding = codings[data[0] % ARRAY_LEN(codings)];
	in = bytes_slice(in, 1, in.n);
	status = decode(coding, in, SIZE_MAX / 2, &whole);
	if (status == BODY_MORE)
		abort();
	if (status != decode(coding, in, 1 + size % 7, &cut) && status != BODY_CUT)
		abort();
	/* What came before the bad part may have been waiting in a window when it was found. */
	if (status == BODY_DONE && !bytes_equal(buf_bytes(&whole), buf_bytes(&cut)))
		abort();
	buf_fini(&whole);
	buf_fini(&cut);
	return 0;
}
