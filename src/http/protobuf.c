#include "http/protobuf.h"

#include "base/rd.h"

#define NESTED_MAX 16

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

struct field {
	uint32_t number;
	enum wire_type type;
	uint64_t value;	    /* of numbers */
	struct bytes bytes; /* of WIRE_BYTES */
};

static uint64_t read_varint(struct rd *r)
{
	uint64_t v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t b = rd_u8(r);

		v |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80))
			return v;
	}
	*r->bad = true;
	return 0;
}

static uint64_t read_little(struct rd *r, size_t size)
{
	struct bytes b = rd_take(r, size);
	uint64_t v = 0;

	for (size_t i = b.n; i > 0; i--)
		v = v << 8 | b.p[i - 1];
	return v;
}

static struct field read_field(struct rd *r)
{
	uint64_t tag = read_varint(r);
	struct field f = { .number = (uint32_t)(tag >> 3), .type = (enum wire_type)(tag & 7) };

	/* Numbers go from 1 to 2^29 - 1. Groups (3, 4) are so old that they speak against it. */
	if (tag >> 3 == 0 || tag >> 32)
		*r->bad = true;
	switch (f.type) {
	case WIRE_VARINT:
		f.value = read_varint(r);
		break;
	case WIRE_FIXED64:
		f.value = read_little(r, 8);
		break;
	case WIRE_FIXED32:
		f.value = read_little(r, 4);
		break;
	case WIRE_BYTES:
		f.bytes = rd_take(r, (size_t)read_varint(r));
		break;
	default:
		*r->bad = true;
	}
	return f;
}

static bool is_message(struct bytes msg)
{
	bool bad = false;
	struct rd r = rd_init(msg, &bad);

	while (r.n && !bad)
		(void)read_field(&r);
	return !bad;
}

/* UTF-8 without control characters but tab and line ends (RFC 3629). */
static bool is_text(struct bytes b)
{
	size_t more = 0;

	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = b.p[i];

		if (more) {
			if ((c & 0xc0) != 0x80)
				return false;
			more--;
		} else if (c >= 0xc2 && c <= 0xf4) {
			more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
		} else if (c >= 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r')) {
			return false;
		}
	}
	return more == 0;
}

/* One level of nesting that is being explained. */
struct level {
	struct rd r;
};

static int add_indent(struct buf *out, size_t depth)
{
	for (size_t i = 0; i < depth; i++)
		if (buf_add(out, bytes_str("  "), NULL) < 0)
			return -1;
	return 0;
}

/* Quoted; a quote, a backslash and line ends are escaped. */
static int add_text(struct buf *out, struct bytes text)
{
	if (buf_add(out, bytes_str("\""), NULL) < 0)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		const char *special = c == '\n'	  ? "\\n"
				      : c == '\r' ? "\\r"
				      : c == '\t' ? "\\t"
						  : NULL;
		char quoted[3] = { '\\', (char)c, 0 };

		if (!special && (c == '"' || c == '\\'))
			special = quoted;
		if (buf_add(out, special ? bytes_str(special) : bytes_of(&c, 1), NULL) < 0)
			return -1;
	}
	return buf_add(out, bytes_str("\"\n"), NULL);
}

static int add_hex(struct buf *out, struct bytes b)
{
	if (buf_add(out, bytes_str("<"), NULL) < 0)
		return -1;
	for (size_t i = 0; i < b.n; i++)
		if (buf_printf(out, NULL, "%02x", b.p[i]) < 0)
			return -1;
	return buf_add(out, bytes_str(">\n"), NULL);
}

/* Text of one character could as well be a message of one byte that is none: an even chance. Short
 * text that happens to read as a message is told apart by being printable. */
static bool prefer_message(struct bytes b)
{
	return b.n && is_message(b) && !is_text(b);
}

static int add_plain_field(struct buf *out, const struct field *f)
{
	unsigned long long value = f->value;

	switch (f->type) {
	case WIRE_VARINT:
		return buf_printf(out, NULL, "%u: %llu\n", f->number, value);
	case WIRE_FIXED64:
		return buf_printf(out, NULL, "%u: 0x%016llx\n", f->number, value);
	case WIRE_FIXED32:
		return buf_printf(out, NULL, "%u: 0x%08llx\n", f->number, value);
	case WIRE_BYTES:
		break;
	}
	if (buf_printf(out, NULL, "%u: ", f->number) < 0)
		return -1;
	return is_text(f->bytes) ? add_text(out, f->bytes) : add_hex(out, f->bytes);
}

static int close_level(struct buf *out, size_t depth)
{
	if (add_indent(out, depth) < 0)
		return -1;
	return buf_add(out, bytes_str("}\n"), NULL);
}

bool protobuf_explain(struct bytes msg, struct buf *out)
{
	struct level levels[NESTED_MAX];
	bool bad = false;
	size_t depth = 0;

	if (!is_message(msg))
		return false;
	levels[0].r = rd_init(msg, &bad);
	for (;;) {
		struct field f;

		if (levels[depth].r.n == 0) {
			if (depth == 0 || close_level(out, --depth) < 0)
				return true;
			continue;
		}
		f = read_field(&levels[depth].r);
		if (add_indent(out, depth) < 0)
			return true;
		if (f.type == WIRE_BYTES && depth + 1 < NESTED_MAX && prefer_message(f.bytes)) {
			if (buf_printf(out, NULL, "%u {\n", f.number) < 0)
				return true;
			levels[++depth].r = rd_init(f.bytes, &bad);
		} else if (add_plain_field(out, &f) < 0) {
			return true;
		}
	}
}
