#include "flow/resume.h"

#include "base/rd.h"
#include "wire/sniff.h"

/* "HTTP/1.1 200" */
static bool is_status_line(struct bytes line)
{
	struct bytes begin = bytes_str("HTTP/1.");
	uint64_t status;

	return bytes_starts(line, begin) && line.n >= 12 && line.p[8] == ' ' &&
	       bytes_decimal(bytes_slice(line, 9, 3), 599, &status) && status >= 100;
}

/* "GET / HTTP/1.1" */
static bool is_request_line(struct bytes line)
{
	size_t end = line.n;

	if (end && line.p[end - 1] == '\r')
		end--;
	return end > 9 && bytes_starts(bytes_slice(line, end - 9, 9), bytes_str(" HTTP/1.")) &&
	       sniff_first(line) == SNIFF_HTTP;
}

size_t resume_http1(bool request, struct bytes in)
{
	for (size_t at = 0; at < in.n;) {
		struct bytes line = bytes_slice(in, at, in.n);

		line.n = bytes_index(line, '\n');
		if (at + line.n == in.n)
			return in.n;
		if (request ? is_request_line(line) : is_status_line(line))
			return at;
		at += line.n + 1;
	}
	return in.n;
}

/* What a frame's header may say (RFC 9113, 6): its flags, and whether it belongs to a stream. */
static const struct {
	uint8_t flags;
	bool on_stream, on_connection;
} frames[] = {
	{ 0x09, true, false }, /* DATA */
	{ 0x2d, true, false }, /* HEADERS */
	{ 0x00, true, false }, /* PRIORITY */
	{ 0x00, true, false }, /* RST_STREAM */
	{ 0x01, false, true }, /* SETTINGS */
	{ 0x0c, true, false }, /* PUSH_PROMISE */
	{ 0x01, false, true }, /* PING */
	{ 0x00, false, true }, /* GOAWAY */
	{ 0x00, true, true },  /* WINDOW_UPDATE */
};

enum { FRAME_HEADER = 9, FRAME_MAX = 16384, STREAM_HIGH = 1 << 24 };

/* The frame's length with its header; 0: it is none. A header that is cut off may be one. */
static size_t frame_size(struct bytes in)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	size_t length = rd_u24(&r);
	uint8_t type = rd_u8(&r), flags = rd_u8(&r);
	uint32_t stream = rd_u32(&r);

	if (bad)
		return in.n;
	if (length > FRAME_MAX || type >= ARRAY_LEN(frames) || flags & ~frames[type].flags)
		return 0;
	if (stream >= STREAM_HIGH ||
	    !(stream ? frames[type].on_stream : frames[type].on_connection))
		return 0;
	return FRAME_HEADER + length;
}

size_t resume_http2(struct bytes in)
{
	struct bytes rest = in;

	if (in.n < FRAME_HEADER)
		return in.n;
	while (rest.n) {
		size_t size = frame_size(rest);

		if (size == 0)
			return in.n;
		rest = bytes_slice(rest, size, rest.n);
	}
	return 0;
}
