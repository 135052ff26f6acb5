#include "http/frame2.h"

#include "base/rd.h"

/* Where the reader is in a frame. */
enum place { PLACE_HEADER, PLACE_FIXED, PLACE_PAYLOAD, PLACE_PADDING, PLACE_END };

static const struct {
	const char *name;
	uint32_t shortest, longest;    /* of the payload; 0: no limit */
	bool on_stream, on_connection; /* where it may be */
} types[] = {
	[FRAME2_DATA] = { "DATA", 0, 0, true, false },
	[FRAME2_HEADERS] = { "HEADERS", 0, 0, true, false },
	[FRAME2_PRIORITY] = { "PRIORITY", 5, 5, true, false },
	[FRAME2_RST_STREAM] = { "RST_STREAM", 4, 4, true, false },
	[FRAME2_SETTINGS] = { "SETTINGS", 0, 0, false, true },
	[FRAME2_PUSH_PROMISE] = { "PUSH_PROMISE", 4, 0, true, false },
	[FRAME2_PING] = { "PING", 8, 8, false, true },
	[FRAME2_GOAWAY] = { "GOAWAY", 8, 0, false, true },
	[FRAME2_WINDOW_UPDATE] = { "WINDOW_UPDATE", 4, 4, true, true },
	[FRAME2_CONTINUATION] = { "CONTINUATION", 0, 0, true, false },
};

void frame2_init(struct frame2 *f)
{
	*f = (struct frame2){ .max = FRAME2_SIZE_DEFAULT };
}

static bool is_padded(const struct frame2 *f)
{
	return f->flags & FRAME2_PADDED && (f->type == FRAME2_DATA || f->type == FRAME2_HEADERS ||
					    f->type == FRAME2_PUSH_PROMISE);
}

/* Bytes before the payload that are read as a whole. */
static uint8_t fixed_size(const struct frame2 *f)
{
	uint8_t n = is_padded(f) ? 1 : 0;

	if (f->type == FRAME2_HEADERS && f->flags & FRAME2_HAS_PRIORITY)
		n = (uint8_t)(n + 5);
	if (f->type == FRAME2_PUSH_PROMISE)
		n = (uint8_t)(n + 4);
	return n;
}

static int check_header(const struct frame2 *f, struct err *e)
{
	bool settings_ack = f->type == FRAME2_SETTINGS && f->flags & FRAME2_ACK;

	if (f->left > f->max)
		return FAIL(e, HTTP_DECODE, "HTTP/2: a frame of %u bytes where %u are allowed",
			    f->left, f->max);
	if (f->type >= ARRAY_LEN(types))
		return 0;
	if (f->left < types[f->type].shortest ||
	    (types[f->type].longest && f->left > types[f->type].longest) ||
	    f->left < f->fixed_need ||
	    (f->type == FRAME2_SETTINGS && (f->left % 6 || (settings_ack && f->left))))
		return FAIL(e, HTTP_DECODE, "HTTP/2: %s with %u bytes", types[f->type].name,
			    f->left);
	if (f->stream ? !types[f->type].on_stream : !types[f->type].on_connection)
		return FAIL(e, HTTP_DECODE, "HTTP/2: %s on stream %u", types[f->type].name,
			    f->stream);
	return 0;
}

static int take_header(struct frame2 *f, struct bytes *in, struct err *e)
{
	struct bytes part = bytes_slice(*in, 0, sizeof(f->header) - f->have);
	bool bad = false;
	struct rd r = rd_init(bytes_of(f->header, sizeof(f->header)), &bad);

	memcpy(f->header + f->have, part.p, part.n);
	f->have = (uint8_t)(f->have + part.n);
	*in = bytes_slice(*in, part.n, in->n);
	if (f->have < sizeof(f->header))
		return 0;
	f->left = rd_u24(&r);
	f->type = rd_u8(&r);
	f->flags = rd_u8(&r);
	f->stream = rd_u32(&r) & 0x7fffffff;
	f->pad = 0;
	f->fixed_have = 0;
	f->fixed_need = fixed_size(f);
	return check_header(f, e);
}

static void take_fixed(struct frame2 *f, struct bytes *in)
{
	struct bytes part = bytes_slice(*in, 0, (size_t)(f->fixed_need - f->fixed_have));

	memcpy(f->fixed + f->fixed_have, part.p, part.n);
	f->fixed_have = (uint8_t)(f->fixed_have + part.n);
	f->left -= (uint32_t)part.n;
	*in = bytes_slice(*in, part.n, in->n);
}

/* The fixed part is complete. */
static enum frame2_event begin(struct frame2 *f, struct err *e)
{
	if (is_padded(f)) {
		f->pad = f->fixed[0];
		if (f->pad > f->left) {
			FAIL(e, HTTP_DECODE, "HTTP/2: %s with more padding than bytes",
			     types[f->type].name);
			return FRAME2_BAD;
		}
		f->left -= f->pad;
	}
	return FRAME2_BEGIN;
}

/* The next setting, of 6 bytes each. */
static enum frame2_event next_setting(struct frame2 *f, struct bytes *in)
{
	if (f->fixed_need == 0 || f->fixed_have == f->fixed_need) {
		f->fixed_need = 6;
		f->fixed_have = 0;
	}
	take_fixed(f, in);
	return f->fixed_have == f->fixed_need ? FRAME2_SETTING : FRAME2_MORE;
}

static enum place place_of(const struct frame2 *f)
{
	if (f->have < sizeof(f->header))
		return PLACE_HEADER;
	if (f->type != FRAME2_SETTINGS && f->fixed_have < f->fixed_need)
		return PLACE_FIXED;
	if (f->left)
		return PLACE_PAYLOAD;
	return f->pad ? PLACE_PADDING : PLACE_END;
}

static enum frame2_event take_payload(struct frame2 *f, struct bytes *in, struct bytes *payload)
{
	if (f->type == FRAME2_SETTINGS)
		return next_setting(f, in);
	*payload = bytes_slice(*in, 0, f->left);
	*in = bytes_slice(*in, payload->n, in->n);
	f->left -= (uint32_t)payload->n;
	return FRAME2_PAYLOAD;
}

enum frame2_event frame2_next(struct frame2 *f, struct bytes *in, struct bytes *payload,
			      struct err *e)
{
	for (;;) {
		enum place place = place_of(f);
		struct bytes skipped;

		if (place == PLACE_END) {
			f->have = 0;
			return FRAME2_END;
		}
		if (in->n == 0)
			return FRAME2_MORE;
		switch (place) {
		case PLACE_HEADER:
			if (take_header(f, in, e) < 0)
				return FRAME2_BAD;
			if (f->have == sizeof(f->header) && f->fixed_need == 0)
				return begin(f, e);
			break;
		case PLACE_FIXED:
			take_fixed(f, in);
			if (f->fixed_have == f->fixed_need)
				return begin(f, e);
			break;
		case PLACE_PADDING:
			skipped = bytes_slice(*in, 0, f->pad);
			f->pad -= (uint32_t)skipped.n;
			*in = bytes_slice(*in, skipped.n, in->n);
			break;
		default:
			return take_payload(f, in, payload);
		}
	}
}

struct bytes frame2_fixed(const struct frame2 *f)
{
	size_t pad_length = is_padded(f) ? 1 : 0;

	return bytes_slice(bytes_of(f->fixed, f->fixed_have), pad_length, sizeof(f->fixed));
}
