#include "http/grpc.h"

#include "base/rd.h"

bool grpc_content_type(struct bytes content_type)
{
	static const char prefix[] = "application/grpc";
	struct bytes start = bytes_slice(content_type, 0, sizeof(prefix) - 1);
	uint8_t next;

	if (!bytes_equal_nocase(start, bytes_str(prefix)))
		return false;
	if (content_type.n == start.n)
		return true;
	next = content_type.p[start.n];
	return next == '+' || next == ';' || next == ' ';
}

int grpc_status(const struct http_header *headers, size_t count)
{
	const struct bytes *value = http_find(headers, count, "grpc-status");
	uint64_t status;

	if (!value || !bytes_decimal(*value, INT32_MAX, &status))
		return -1;
	return (int)status;
}

const char *grpc_status_text(int status)
{
	static const char *const names[] = {
		"OK",
		"CANCELLED",
		"UNKNOWN",
		"INVALID_ARGUMENT",
		"DEADLINE_EXCEEDED",
		"NOT_FOUND",
		"ALREADY_EXISTS",
		"PERMISSION_DENIED",
		"RESOURCE_EXHAUSTED",
		"FAILED_PRECONDITION",
		"ABORTED",
		"OUT_OF_RANGE",
		"UNIMPLEMENTED",
		"INTERNAL",
		"UNAVAILABLE",
		"DATA_LOSS",
		"UNAUTHENTICATED",
	};

	return status >= 0 && (size_t)status < ARRAY_LEN(names) ? names[status] : NULL;
}

/* Takes what is missing of the prefix. True when it is complete. */
static bool take_prefix(struct grpc_framing *g, struct bytes *in)
{
	struct bytes part = bytes_slice(*in, 0, sizeof(g->prefix) - g->have);
	bool bad = false;
	struct rd r = rd_init(bytes_of(g->prefix + 1, 4), &bad);

	if (part.n)
		memcpy(g->prefix + g->have, part.p, part.n);
	g->have = (uint8_t)(g->have + part.n);
	*in = bytes_slice(*in, part.n, in->n);
	if (g->have < sizeof(g->prefix))
		return false;
	g->left = rd_u32(&r);
	return true;
}

bool grpc_next(struct grpc_framing *g, struct bytes *in, struct http_chunk *piece)
{
	bool begins = g->have < sizeof(g->prefix);

	if (begins && !take_prefix(g, in))
		return false;
	if (in->n == 0 && !(begins && g->left == 0))
		return false;
	piece->data = bytes_slice(*in, 0, g->left);
	*in = bytes_slice(*in, piece->data.n, in->n);
	g->left -= (uint32_t)piece->data.n;
	piece->message_end = g->left == 0;
	piece->compressed = g->prefix[0] != 0;
	if (piece->message_end)
		g->have = 0;
	return true;
}
