#include "pcap/unpack.h"

#include <assert.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"

#define PIECE ((size_t)128 << 10)
#define GZIP_BITS (16 + 15) /* zlib's word for gzip, with the largest window */

enum member {
	MEMBER_INSIDE,
	MEMBER_AFTER,	/* one has ended; another may begin */
	MEMBER_PERHAPS, /* the first byte of the mark was there */
	MEMBER_NONE,	/* something else stands there: ignored to the end */
};

static const uint8_t gzip_mark[] = { 0x1f, 0x8b };

struct unpack {
	enum unpack_coding coding;
	enum member member; /* of gzip */
	bool zlibbed;
	z_stream z;
	ZSTD_DStream *zstd;
	bool between; /* of zstd: frames, or nothing came yet */
	uint64_t ignored;
};

enum unpack_coding unpack_sniff(struct bytes first)
{
	static const uint8_t zstd[] = { 0x28, 0xb5, 0x2f, 0xfd };
	static const uint8_t skippable[] = { 0x2a, 0x4d, 0x18 }; /* the first is 0x50 to 0x5f */

	if (first.n < UNPACK_FIRST)
		return UNPACK_UNKNOWN;
	if (bytes_starts(first, bytes_of(gzip_mark, sizeof(gzip_mark))))
		return UNPACK_GZIP;
	if (bytes_starts(first, bytes_of(zstd, sizeof(zstd))))
		return UNPACK_ZSTD;
	if ((first.p[0] & 0xf0) == 0x50 &&
	    bytes_starts(bytes_slice(first, 1, 3), bytes_of(skippable, sizeof(skippable))))
		return UNPACK_ZSTD;
	return UNPACK_NONE;
}

const char *unpack_coding_text(enum unpack_coding coding)
{
	static const char *const names[] = { [UNPACK_UNKNOWN] = "unknown",
					     [UNPACK_NONE] = "not packed",
					     [UNPACK_GZIP] = "gzip",
					     [UNPACK_ZSTD] = "zstd" };

	return names[coding];
}

static voidpf heap_new(voidpf opaque, uInt items, uInt size)
{
	(void)opaque;
	return mem_new_array(items, size);
}

static void heap_free(voidpf opaque, voidpf p)
{
	(void)opaque;
	mem_free(p);
}

static int start(struct unpack *u)
{
	if (u->coding == UNPACK_GZIP) {
		u->z = (z_stream){ .zalloc = heap_new, .zfree = heap_free };
		u->zlibbed = inflateInit2(&u->z, GZIP_BITS) == Z_OK;
		return u->zlibbed ? 0 : -1;
	}
	u->between = true;
	u->zstd = ZSTD_createDStream();
	if (!u->zstd)
		return -1;
	return ZSTD_isError(ZSTD_DCtx_setParameter(u->zstd, ZSTD_d_windowLogMax, UNPACK_WINDOW_LOG))
		       ? -1
		       : 0;
}

int unpack_new(enum unpack_coding coding, struct unpack **out, struct err *e)
{
	struct unpack *u = mem_new(sizeof(*u));

	assert(coding == UNPACK_GZIP || coding == UNPACK_ZSTD);
	if (u)
		u->coding = coding;
	if (!u || start(u) < 0) {
		unpack_free(u);
		return FAIL(e, NOMEM, "unpacking %s", unpack_coding_text(coding));
	}
	*out = u;
	return 0;
}

void unpack_free(struct unpack *u)
{
	if (!u)
		return;
	if (u->zlibbed)
		(void)inflateEnd(&u->z);
	ZSTD_freeDStream(u->zstd);
	mem_free(u);
}

/* One call of zlib; *in moves on. */
static int inflate_some(struct unpack *u, struct bytes *in, struct buf *out, struct err *e)
{
	size_t room = buf_room(out) < PIECE ? buf_room(out) : PIECE;
	size_t given = in->n < PIECE ? in->n : PIECE;
	uint8_t *to;
	int r;

	if (buf_reserve(out, room, &to, e) < 0)
		return -1;
	u->z.next_in = (z_const Bytef *)in->p;
	u->z.avail_in = (uInt)given;
	u->z.next_out = to;
	u->z.avail_out = (uInt)room;
	r = inflate(&u->z, Z_NO_FLUSH);
	*in = bytes_slice(*in, given - u->z.avail_in, in->n);
	buf_commit(out, room - u->z.avail_out);
	if (r == Z_STREAM_END)
		u->member = MEMBER_AFTER;
	if (r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR)
		return 0;
	if (r == Z_MEM_ERROR)
		return FAIL(e, NOMEM, "unpacking gzip");
	return FAIL(e, WIRE_DECODE, "damaged gzip data: %s",
		    u->z.msg ? u->z.msg : "no reason given");
}

/* Behind a member: another one, or something that is ignored. */
static int after_member(struct unpack *u, struct bytes *in, struct buf *out, struct err *e)
{
	struct bytes mark = bytes_of(gzip_mark, sizeof(gzip_mark));
	uint8_t first = in->p[0];
	bool second = u->member == MEMBER_PERHAPS;

	if (first != gzip_mark[second]) {
		u->member = MEMBER_NONE;
		u->ignored += second; /* the byte that looked like a mark */
		return 0;
	}
	*in = bytes_slice(*in, 1, in->n);
	u->member = MEMBER_PERHAPS;
	if (!second)
		return 0;
	u->member = MEMBER_INSIDE;
	if (inflateReset(&u->z) != Z_OK)
		return FAIL(e, WIRE_DECODE, "damaged gzip data");
	return inflate_some(u, &mark, out, e);
}

static void ignore(struct unpack *u, struct bytes *in)
{
	for (size_t i = 0; i < in->n; i++)
		u->ignored += in->p[i] != 0;
	*in = bytes_slice(*in, in->n, 0);
}

static int feed_gzip(struct unpack *u, struct bytes *in, struct buf *out, struct err *e)
{
	for (;;) {
		size_t before = out->n, left = in->n;
		enum member member = u->member;

		if (u->member == MEMBER_NONE) {
			ignore(u, in);
		} else if (u->member != MEMBER_INSIDE && in->n) {
			if (after_member(u, in, out, e) < 0)
				return -1;
		} else if (u->member == MEMBER_INSIDE && buf_room(out)) {
			if (inflate_some(u, in, out, e) < 0)
				return -1;
		}
		if (out->n == before && in->n == left && u->member == member)
			return 0;
	}
}

static int feed_zstd(struct unpack *u, struct bytes *in, struct buf *out, struct err *e)
{
	while (buf_room(out)) {
		size_t room = buf_room(out) < PIECE ? buf_room(out) : PIECE;
		ZSTD_inBuffer from = { .src = in->p, .size = in->n };
		ZSTD_outBuffer to = { .size = room };
		uint8_t *place;
		size_t r;

		if (u->between && in->n == 0)
			return 0;
		if (buf_reserve(out, room, &place, e) < 0)
			return -1;
		to.dst = place;
		r = ZSTD_decompressStream(u->zstd, &to, &from);
		*in = bytes_slice(*in, from.pos, in->n);
		buf_commit(out, to.pos);
		if (ZSTD_isError(r))
			return FAIL(e, WIRE_DECODE, "damaged zstd data: %s", ZSTD_getErrorName(r));
		u->between = r == 0;
		if (from.pos == 0 && to.pos == 0)
			return 0;
	}
	return 0;
}

int unpack_feed(struct unpack *u, struct bytes in, size_t *used, struct buf *out, struct err *e)
{
	struct bytes left = in;
	int r = u->coding == UNPACK_GZIP ? feed_gzip(u, &left, out, e)
					 : feed_zstd(u, &left, out, e);

	*used = in.n - left.n;
	return r;
}

int unpack_end(const struct unpack *u, struct err *e)
{
	bool inside = u->coding == UNPACK_GZIP ? u->member == MEMBER_INSIDE : !u->between;

	if (inside)
		return FAIL(e, WIRE_DECODE, "the %s data ends in the middle",
			    unpack_coding_text(u->coding));
	return 0;
}

uint64_t unpack_ignored(const struct unpack *u)
{
	return u->ignored;
}
