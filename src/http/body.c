#include "http/body.h"

#include <brotli/decode.h>
#include <zstd.h>

#include "http/zmem.h"

#define CODINGS_MAX 2
#define PIECE_MAX 16384
/* RFC 9659: a decoder must know windows of 8 MiB, and none beyond. */
#define ZSTD_WINDOW_LOG 23

enum coding { CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD };

struct stage {
	enum coding coding;
	bool begun;    /* an input byte came */
	bool done;     /* the end of the coding was seen */
	bool closed;   /* gzip: no other member follows */
	bool zlibbed;  /* z is in use */
	uint8_t first; /* deflate: the first byte, until the second tells the form */
	bool have_first;
	uint64_t out; /* bytes that came out */
	z_stream z;
	BrotliDecoderState *br;
	ZSTD_DStream *zstd;
};

struct body {
	struct body_options options;
	enum body_status status;
	size_t count;
	struct stage stages[CODINGS_MAX]; /* the one to undo first is first */
};

static const struct {
	const char *name;
	enum coding coding;
} names[] = {
	{ "gzip", CODING_GZIP }, { "x-gzip", CODING_GZIP }, { "deflate", CODING_DEFLATE },
	{ "br", CODING_BR },	 { "zstd", CODING_ZSTD },
};

static int add_coding(struct body *b, struct bytes name, struct err *e)
{
	if (name.n == 0 || bytes_equal_nocase(name, bytes_str("identity")))
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (!bytes_equal_nocase(name, bytes_str(names[i].name)))
			continue;
		if (b->count == CODINGS_MAX)
			return FAIL(e, UNSUPPORTED, "more than %d content codings", CODINGS_MAX);
		/* They were applied in the order given: the last one is undone first. */
		b->stages[1] = b->stages[0];
		b->stages[0] = (struct stage){ .coding = names[i].coding };
		b->count++;
		return 0;
	}
	return FAIL(e, UNSUPPORTED, "a content coding that is not gzip, deflate, br or zstd");
}

static void *brotli_alloc(void *opaque, size_t n)
{
	(void)opaque;
	return mem_new(n);
}

static void heap_free(void *opaque, void *p)
{
	(void)opaque;
	mem_free(p);
}

static int start_zlib(struct stage *s, int bits)
{
	zmem_init(&s->z);
	s->zlibbed = inflateInit2(&s->z, bits) == Z_OK;
	return s->zlibbed ? 0 : -1;
}

static int start_zstd(struct stage *s)
{
	s->zstd = ZSTD_createDStream();
	if (!s->zstd)
		return -1;
	return ZSTD_isError(ZSTD_DCtx_setParameter(s->zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG))
		       ? -1
		       : 0;
}

static int start_stage(struct stage *s)
{
	switch (s->coding) {
	case CODING_GZIP:
		return start_zlib(s, 16 + 15);
	case CODING_BR:
		s->br = BrotliDecoderCreateInstance(brotli_alloc, heap_free, NULL);
		return s->br ? 0 : -1;
	case CODING_ZSTD:
		return start_zstd(s);
	case CODING_DEFLATE: /* its form is not known before the first bytes */
		return 0;
	}
	return -1;
}

int body_new(const struct body_options *options, struct body **out, struct err *e)
{
	struct body *b = mem_new(sizeof(*b));
	struct bytes list = options->encoding;

	if (!b)
		return FAIL(e, NOMEM, "a body decoder");
	b->options = *options;
	b->options.encoding = bytes_of(NULL, 0);
	while (list.n) {
		size_t comma = bytes_index(list, ',');

		if (add_coding(b, bytes_trim(bytes_slice(list, 0, comma)), e) < 0)
			goto fail;
		list = bytes_slice(list, comma + 1, list.n);
	}
	for (size_t i = 0; i < b->count; i++) {
		if (start_stage(&b->stages[i]) < 0) {
			FAIL(e, NOMEM, "a body decoder");
			goto fail;
		}
	}
	*out = b;
	return 0;
fail:
	body_free(b);
	return -1;
}

void body_free(struct body *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->count; i++) {
		struct stage *s = &b->stages[i];

		if (s->zlibbed)
			inflateEnd(&s->z);
		if (s->br)
			BrotliDecoderDestroyInstance(s->br);
		if (s->zstd)
			ZSTD_freeDStream(s->zstd);
	}
	mem_free(b);
}

/* The end of the chain: what the caller gets, never more than the cap. */
static void hand_over(struct body *b, struct bytes data)
{
	uint64_t sent = b->count ? b->stages[b->count - 1].out : 0;
	uint64_t room = b->options.cap > sent ? b->options.cap - sent : 0;

	if (data.n > room) {
		b->status = BODY_CUT;
		data.n = (size_t)room;
	}
	if (data.n)
		b->options.on_data(b->options.ctx, data);
}

static void run_stage(struct body *b, size_t at, struct bytes in);

static void stage_output(struct body *b, size_t at, struct bytes data)
{
	struct stage *s = &b->stages[at];

	if (data.n == 0)
		return;
	if (at + 1 == b->count) {
		hand_over(b, data);
	} else {
		run_stage(b, at + 1, data);
		/* Between two codings there is nobody who reads: what goes on and on in there
		 * without an end is cut by the same cap, with room for what does not compress. */
		if (b->status == BODY_MORE &&
		    s->out + data.n > b->options.cap + b->options.cap / 8 + PIECE_MAX)
			b->status = BODY_CUT;
	}
	s->out += data.n;
}

/* RFC 1952, 2.2: members follow each other. When the byte behind one does not begin another, it and
 * all that follows are ignored. */
static bool next_member(struct stage *s, struct bytes in)
{
	if (s->coding != CODING_GZIP || in.n == 0 || s->closed)
		return false;
	s->closed = in.p[0] != 0x1f;
	return !s->closed && inflateReset(&s->z) == Z_OK;
}

static void run_zlib(struct body *b, size_t at, struct bytes in)
{
	struct stage *s = &b->stages[at];
	uint8_t out[PIECE_MAX];

	zmem_input(&s->z, in);
	do {
		int status;

		s->z.next_out = out;
		s->z.avail_out = sizeof(out);
		status = inflate(&s->z, Z_NO_FLUSH);
		stage_output(b, at, bytes_of(out, sizeof(out) - s->z.avail_out));
		if (status == Z_STREAM_END &&
		    !next_member(s, bytes_of(s->z.next_in, s->z.avail_in))) {
			s->done = true;
			return;
		}
		if (status != Z_OK && status != Z_BUF_ERROR && status != Z_STREAM_END) {
			b->status = b->status == BODY_MORE ? BODY_BAD : b->status;
			return;
		}
	} while (b->status == BODY_MORE && (s->z.avail_in || s->z.avail_out == 0));
}

/* "deflate" is zlib's form by the RFC, and raw by some servers: the first two bytes tell (RFC 1950,
 * 2.2: the method and a check of the two modulo 31). */
static void run_deflate(struct body *b, size_t at, struct bytes in)
{
	struct stage *s = &b->stages[at];
	uint8_t pair[2];
	bool zlib;

	if (!s->zlibbed) {
		if (!s->have_first && in.n) {
			s->have_first = true;
			s->first = in.p[0];
			in = bytes_slice(in, 1, in.n);
		}
		if (in.n == 0)
			return;
		pair[0] = s->first;
		pair[1] = in.p[0];
		in = bytes_slice(in, 1, in.n);
		zlib = (pair[0] & 15) == 8 && (pair[0] >> 4) <= 7 &&
		       (pair[0] << 8 | pair[1]) % 31 == 0;
		if (start_zlib(s, zlib ? 15 : -15) < 0) {
			b->status = BODY_BAD;
			return;
		}
		run_zlib(b, at, bytes_of(pair, 2));
	}
	if (in.n && b->status == BODY_MORE && !s->done)
		run_zlib(b, at, in);
}

static void run_brotli(struct body *b, size_t at, struct bytes in)
{
	struct stage *s = &b->stages[at];
	uint8_t out[PIECE_MAX];
	BrotliDecoderResult result;

	do {
		size_t room = sizeof(out);
		uint8_t *next = out;

		result = BrotliDecoderDecompressStream(s->br, &in.n, &in.p, &room, &next, NULL);
		stage_output(b, at, bytes_of(out, sizeof(out) - room));
		if (result == BROTLI_DECODER_RESULT_ERROR && b->status == BODY_MORE)
			b->status = BODY_BAD;
	} while (b->status == BODY_MORE && result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
	s->done = result == BROTLI_DECODER_RESULT_SUCCESS;
}

/* Frames may follow each other (RFC 8878, 3): it is done between two of them, and goes on. */
static void run_zstd(struct body *b, size_t at, struct bytes in)
{
	struct stage *s = &b->stages[at];
	uint8_t out[PIECE_MAX];
	ZSTD_inBuffer input = { in.p, in.n, 0 };

	for (;;) {
		ZSTD_outBuffer output = { out, sizeof(out), 0 };
		size_t left = ZSTD_decompressStream(s->zstd, &output, &input);

		if (ZSTD_isError(left)) {
			b->status = BODY_BAD;
			return;
		}
		stage_output(b, at, bytes_of(out, output.pos));
		s->done = left == 0;
		if (b->status != BODY_MORE || (input.pos == input.size && output.pos < output.size))
			return;
	}
}

static void run_stage(struct body *b, size_t at, struct bytes in)
{
	struct stage *s = &b->stages[at];

	if (in.n == 0 || (s->done && s->coding != CODING_ZSTD && s->coding != CODING_GZIP))
		return;
	s->begun = true;
	switch (s->coding) {
	case CODING_GZIP:
		if (s->done && !next_member(s, in))
			return;
		s->done = false;
		run_zlib(b, at, in);
		break;
	case CODING_DEFLATE:
		run_deflate(b, at, in);
		break;
	case CODING_BR:
		run_brotli(b, at, in);
		break;
	case CODING_ZSTD:
		run_zstd(b, at, in);
		break;
	}
}

static bool all_done(const struct body *b)
{
	for (size_t i = 0; i < b->count; i++)
		if (!b->stages[i].done)
			return false;
	return true;
}

enum body_status body_feed(struct body *b, struct bytes in)
{
	if (b->status == BODY_CUT || b->status == BODY_BAD)
		return b->status;
	b->status = BODY_MORE;
	if (b->count == 0) {
		/* Identity has no end of its own. stages[0] counts, unused otherwise. */
		uint64_t room = b->options.cap - b->stages[0].out;

		if (in.n > room) {
			b->status = BODY_CUT;
			in.n = (size_t)room;
		}
		b->stages[0].out += in.n;
		if (in.n)
			b->options.on_data(b->options.ctx, in);
		return b->status;
	}
	run_stage(b, 0, in);
	if (b->status == BODY_MORE && all_done(b))
		b->status = BODY_DONE;
	return b->status;
}

enum body_status body_finish(struct body *b)
{
	/* A body of no bytes at all is complete in any coding: the answer to HEAD, or 304. */
	if (b->status == BODY_MORE)
		b->status = b->count == 0 || !b->stages[0].begun ? BODY_DONE : BODY_BAD;
	return b->status;
}

const char *body_status_text(enum body_status s)
{
	static const char *const texts[] = {
		[BODY_MORE] = "incomplete",
		[BODY_DONE] = "complete",
		[BODY_CUT] = "cut off at the limit",
		[BODY_BAD] = "malformed",
	};

	return texts[s];
}

static void add_to_buf(void *ctx, struct bytes data)
{
	struct buf *out = ctx;

	/* The cap is the room of out, so only memory can be missing; the status then is BODY_CUT. */
	(void)!buf_add(out, data, NULL);
}

int body_decode(struct bytes encoding, struct bytes in, struct buf *out, enum body_status *status,
		struct err *e)
{
	struct body_options options = {
		.encoding = encoding,
		.cap = buf_room(out),
		.on_data = add_to_buf,
		.ctx = out,
	};
	size_t before = out->n;
	struct body *b;
	uint64_t produced;

	if (body_new(&options, &b, e) < 0)
		return -1;
	(void)body_feed(b, in);
	*status = body_finish(b);
	produced = b->stages[b->count ? b->count - 1 : 0].out;
	if (*status != BODY_CUT && out->n - before != produced)
		*status = BODY_CUT;
	body_free(b);
	return 0;
}
