/* Packed bytes, undone in two ways that must agree: whole, and in pieces into a small room. */
#include <assert.h>

#include "pcap/unpack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALL_MAX ((size_t)1 << 20) /* what packs much better is cut off */

static int unpack_all(struct bytes in, size_t step, size_t room_n, struct buf *all)
{
	struct buf room = buf_init(room_n);
	struct unpack *u;
	int r = 0;

	if (unpack_new(unpack_sniff(in), &u, NULL) < 0)
		return -1;
	while (r == 0 && all->n < ALL_MAX) {
		struct err e = { 0 };
		size_t used = 0, came;

		r = unpack_feed(u, bytes_slice(in, 0, step), &used, &room, &e);
		assert(r == 0 || e.sentence[0]);
		in = bytes_slice(in, used, in.n);
		came = room.n;
		if (buf_add(all, bytes_slice(buf_bytes(&room), 0, buf_room(all)), NULL) < 0)
			break;
		buf_clear(&room);
		if (in.n == 0 && came == 0)
			break;
		assert(used || came || r < 0);
	}
	if (r == 0 && all->n < ALL_MAX)
		r = unpack_end(u, NULL);
	unpack_free(u);
	buf_fini(&room);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct buf whole = buf_init(ALL_MAX), pieces = buf_init(ALL_MAX);
	enum unpack_coding coding = unpack_sniff(in);
	int a, b;

	if (coding != UNPACK_GZIP && coding != UNPACK_ZSTD)
		return 0;
	a = unpack_all(in, SIZE_MAX / 2, 65536, &whole);
	b = unpack_all(in, 1 + size % 31, 1 + size % 4093, &pieces);
	if (whole.n < ALL_MAX && pieces.n < ALL_MAX)
		assert(a == b);
	if (a == 0 && b == 0)
		assert(bytes_equal(buf_bytes(&whole), buf_bytes(&pieces)));
	buf_fini(&whole);
	buf_fini(&pieces);
	return 0;
}
