#include "http/block2.h"

#include "base/mem.h"
#include "base/rd.h"
#include "base/wr.h"
#include "http/http2.h"

#define TABLE_DEFAULT 4096 /* RFC 9113, 6.5.2 */
/* Late, the table is filled with as many entries that stand for unknown ones. It is as large as may
 * be, so that none goes which the encoder still has: what it adds pushes these on, and its indices
 * count from the newest. */
#define UNKNOWN_ENTRIES 512
#define TEXT_MAX (HTTP_HEAD_MAX + HTTP_HEADERS_MAX * 8)

static void *heap_new(size_t n, void *ctx)
{
	(void)ctx;
	return mem_resize(NULL, n);
}

static void heap_free(void *p, void *ctx)
{
	(void)ctx;
	mem_free(p);
}

static void *heap_new_array(size_t count, size_t n, void *ctx)
{
	(void)ctx;
	return mem_new_array(count, n);
}

static void *heap_resize(void *p, size_t n, void *ctx)
{
	(void)ctx;
	return mem_resize(p, n);
}

void block2_init(struct block2 *b)
{
	*b = (struct block2){
		.table = TABLE_DEFAULT,
		.table_applied = TABLE_DEFAULT,
		.text = buf_init(TEXT_MAX),
	};
}

void block2_fini(struct block2 *b)
{
	if (b->inflater)
		nghttp2_hd_inflate_del(b->inflater);
	b->inflater = NULL;
	buf_fini(&b->text);
}

static int apply_limit(struct block2 *b, struct err *e)
{
	if (b->table == b->table_applied || b->late)
		return 0;
	if (nghttp2_hd_inflate_change_table_size(b->inflater, b->table) != 0)
		return FAIL(e, NOMEM, "an HPACK table of %zu bytes", b->table);
	b->table_applied = b->table;
	return 0;
}

void block2_limit(struct block2 *b, size_t table)
{
	b->table = table < HTTP2_TABLE_MAX ? table : HTTP2_TABLE_MAX;
	/* Every change is told at once where that is allowed: an encoder must have gone down to the
	 * smallest one (RFC 7541, 4.2). On failure block2_begin tries again, and says so. */
	if (b->inflater && !b->open)
		(void)!apply_limit(b, NULL);
}

static int prime(struct block2 *b, struct err *e)
{
	/* The size of the table: 2^18. Then a literal to be put into it, with a new name. */
	static const uint8_t size[] = { 0x3f, 0xe1, 0xff, 0x0f },
			     entry[] = { 0x40, 1, '?', 1, '?' };
	uint8_t block[sizeof(size) + UNKNOWN_ENTRIES * sizeof(entry)], *at = block + sizeof(size);
	struct bytes in = bytes_of(block, sizeof(block));

	memcpy(block, size, sizeof(size));
	for (int i = 0; i < UNKNOWN_ENTRIES; i++, at += sizeof(entry))
		memcpy(at, entry, sizeof(entry));
	if (nghttp2_hd_inflate_change_table_size(b->inflater, HTTP2_TABLE_MAX) != 0)
		return FAIL(e, NOMEM, "an HPACK table of %d bytes", HTTP2_TABLE_MAX);
	while (in.n) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(b->inflater, &nv, &flags, in.p, in.n, true);

		if (n < 0)
			return FAIL(e, NOMEM, "an HPACK table of %d entries", UNKNOWN_ENTRIES);
		in = bytes_slice(in, (size_t)n, in.n);
	}
	nghttp2_hd_inflate_end_headers(b->inflater);
	return 0;
}

static int make_inflater(struct block2 *b, struct err *e)
{
	/* The inflater keeps a pointer to it, against what the manual says. */
	static nghttp2_mem mem = { NULL, heap_new, heap_free, heap_new_array, heap_resize };

	if (nghttp2_hd_inflate_new2(&b->inflater, &mem) != 0) {
		b->inflater = NULL;
		return FAIL(e, NOMEM, "an HPACK decoder");
	}
	return b->late ? prime(b, e) : 0;
}

int block2_begin(struct block2 *b, struct err *e)
{
	if (!b->inflater && make_inflater(b, e) < 0)
		return -1;
	if (apply_limit(b, e) < 0)
		return -1;
	b->lost = false;
	b->open = true;
	return 0;
}

static int keep(struct block2 *b, const nghttp2_nv *nv, struct err *e)
{
	struct wr w = wr_init(&b->text);

	if (b->count == HTTP_HEADERS_MAX || nv->namelen > HTTP_HEAD_MAX ||
	    nv->valuelen > HTTP_HEAD_MAX || nv->namelen + nv->valuelen + 8 > buf_room(&b->text)) {
		b->cut = true;
		return 0;
	}
	wr_u32(&w, (uint32_t)nv->namelen);
	wr_u32(&w, (uint32_t)nv->valuelen);
	wr_bytes(&w, bytes_of(nv->name, nv->namelen));
	wr_bytes(&w, bytes_of(nv->value, nv->valuelen));
	b->count++;
	return wr_end(&w, e);
}

static int inflate(struct block2 *b, struct bytes in, bool last, struct err *e)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(b->inflater, &nv, &flags, in.p, in.n, last);

		if (n == NGHTTP2_ERR_NOMEM)
			return FAIL(e, NOMEM, "HPACK");
		if (n < 0)
			return FAIL(e, HTTP_DECODE, "HTTP/2: a header block that is no HPACK");
		in = bytes_slice(in, (size_t)n, in.n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT && keep(b, &nv, e) < 0)
			return -1;
		if (flags & NGHTTP2_HD_INFLATE_FINAL ||
		    (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !in.n))
			return 0;
	}
}

static int lose(struct block2 *b)
{
	nghttp2_hd_inflate_del(b->inflater);
	b->inflater = NULL;
	b->lost = true;
	buf_clear(&b->text);
	b->count = 0;
	return 0;
}

int block2_feed(struct block2 *b, struct bytes fragment, struct err *e)
{
	struct err own;

	if (b->lost)
		return 0;
	b->compressed += fragment.n;
	if (b->compressed > HTTP2_BLOCK_MAX)
		return b->late ? lose(b)
			       : FAIL(e, LIMIT, "HTTP/2: a header block of more than %d bytes",
				      HTTP2_BLOCK_MAX);
	if (inflate(b, fragment, false, e ? e : &own) == 0)
		return 0;
	return b->late && (e ? e : &own)->code != ERR_NOMEM ? lose(b) : -1;
}

int block2_finish(struct block2 *b, struct err *e)
{
	static const uint8_t nothing;

	b->open = false;
	if (b->lost)
		return 0;
	if (inflate(b, bytes_of(&nothing, 0), true, e) < 0)
		return b->late ? lose(b) : -1;
	nghttp2_hd_inflate_end_headers(b->inflater);
	return 0;
}

static int read_status(struct bytes value, unsigned *status, struct err *e)
{
	uint64_t n;

	if (value.n != 3 || !bytes_decimal(value, 999, &n) || n < 100)
		return FAIL(e, HTTP_DECODE, "HTTP/2: a :status that is none");
	*status = (unsigned)n;
	return 0;
}

static int read_pseudo(const struct http_header *h, struct http_head *head, struct err *e)
{
	static const struct {
		const char *name;
		size_t at;
	} fields[] = {
		{ ":method", offsetof(struct http_head, method) },
		{ ":scheme", offsetof(struct http_head, scheme) },
		{ ":authority", offsetof(struct http_head, authority) },
		{ ":path", offsetof(struct http_head, path) },
		{ ":protocol", offsetof(struct http_head, protocol) },
	};

	if (bytes_equal(h->name, bytes_str(":status")))
		return read_status(h->value, &head->status, e);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (bytes_equal(h->name, bytes_str(fields[i].name))) {
			memcpy((char *)head + fields[i].at, &h->value, sizeof(h->value));
			return 0;
		}
	}
	return FAIL(e, HTTP_DECODE, "HTTP/2: an unknown pseudo header");
}

int block2_read(const struct block2 *b, struct http_head *head, struct http_header *headers,
		struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(buf_bytes(&b->text), &bad);

	head->headers = headers;
	head->header_count = 0;
	head->cut = b->cut;
	head->unknown = b->lost;
	while (r.n) {
		size_t name = rd_u32(&r), value = rd_u32(&r);
		struct http_header h;

		h.name = rd_take(&r, name);
		h.value = rd_take(&r, value);
		head->unknown |= b->late && (bytes_equal(h.name, bytes_str(BLOCK2_UNKNOWN)) ||
					     bytes_equal(h.value, bytes_str(BLOCK2_UNKNOWN)));
		if (h.name.n == 0 || h.name.p[0] != ':')
			headers[head->header_count++] = h;
		else if (read_pseudo(&h, head, e) < 0 && !b->late)
			return -1;
	}
	return 0;
}

void block2_clear(struct block2 *b)
{
	buf_fini(&b->text);
	b->compressed = b->count = 0;
	b->cut = false;
}
