#include "wire/proxyproto.h"

#include "base/rd.h"

static const uint8_t signature2[12] = "\r\n\r\n\0\r\nQUIT\n";

#define LINE_MAX_BYTES 107 /* of version 1, with CRLF */

enum { FAMILY_TCP4 = 0x11, FAMILY_TCP6 = 0x21 };

/* Do in and whole agree as far as both go? */
static bool agree(struct bytes in, struct bytes whole)
{
	return bytes_starts(whole, bytes_slice(in, 0, whole.n));
}

static int fail1(const char *what, struct err *e)
{
	return FAIL(e, WIRE_DECODE, "PROXY protocol version 1: %s", what);
}

/* Takes the word before the next space. */
static struct bytes take_word(struct bytes *line)
{
	size_t space = bytes_index(*line, ' ');
	struct bytes word = bytes_slice(*line, 0, space);

	*line = bytes_slice(*line, space + 1, line->n);
	return word;
}

static bool word_port(struct bytes word, uint16_t *port)
{
	uint64_t v;

	if (!bytes_decimal(word, 65535, &v) || (word.n > 1 && word.p[0] == '0'))
		return false;
	*port = (uint16_t)v;
	return true;
}

static int parse_line(struct bytes line, struct proxyproto *out, struct err *e)
{
	struct bytes family = take_word(&line);

	out->version = 1;
	if (bytes_equal(family, bytes_str("UNKNOWN"))) {
		out->local = true;
		return 0;
	}
	if (!bytes_equal(family, bytes_str("TCP4")) && !bytes_equal(family, bytes_str("TCP6")))
		return fail1("a family that is not TCP4, TCP6 or UNKNOWN", e);
	if (!addr_parse_ip(take_word(&line), 0, &out->source) ||
	    !addr_parse_ip(take_word(&line), 0, &out->destination))
		return fail1("an address that is none", e);
	if (!word_port(take_word(&line), &out->source.port) ||
	    !word_port(take_word(&line), &out->destination.port) || line.n)
		return fail1("a port that is none", e);
	return 0;
}

static enum proxyproto_outcome parse1(struct bytes in, struct proxyproto *out, size_t *used,
				      struct err *e)
{
	struct bytes prefix = bytes_str("PROXY ");
	struct bytes window = bytes_slice(in, 0, LINE_MAX_BYTES);
	size_t lf = bytes_index(window, '\n');
	struct proxyproto p = { 0 };

	if (lf == window.n && window.n < LINE_MAX_BYTES)
		return PROXYPROTO_MORE;
	if (lf == window.n || in.p[lf - 1] != '\r') {
		fail1("no line end in its first 107 bytes", e);
		return PROXYPROTO_BAD;
	}
	if (parse_line(bytes_slice(window, prefix.n, lf - 1 - prefix.n), &p, e) < 0)
		return PROXYPROTO_BAD;
	*used = lf + 1;
	*out = p;
	return PROXYPROTO_DONE;
}

static void take_addr(struct rd *r, enum addr_family family, struct addr *out)
{
	struct bytes ip = rd_take(r, family == ADDR_IP4 ? 4 : 16);
	struct addr a = { .family = family };
	char text[ADDR_TEXT_MAX];

	if (ip.n)
		memcpy(a.ip, ip.p, ip.n);
	/* By way of its text, IPv4 mapped into IPv6 becomes IPv4. */
	if (!addr_parse_ip(bytes_str(addr_ip_text(&a, text)), 0, out))
		*r->bad = true;
}

static int parse_body(uint8_t family, struct rd *r, struct proxyproto *p, struct err *e)
{
	enum addr_family kind = family == FAMILY_TCP4 ? ADDR_IP4 : ADDR_IP6;

	if (family == FAMILY_TCP4 || family == FAMILY_TCP6) {
		take_addr(r, kind, &p->source);
		take_addr(r, kind, &p->destination);
		p->source.port = rd_u16(r);
		p->destination.port = rd_u16(r);
		p->tlvs = rd_rest(r);
	} else {
		p->local = true;
	}
	if (*r->bad)
		return FAIL(e, WIRE_DECODE,
			    "PROXY protocol version 2: too short for its addresses");
	return 0;
}

static enum proxyproto_outcome parse2(struct bytes in, struct proxyproto *out, size_t *used,
				      struct err *e)
{
	bool more = false, bad = false;
	struct rd r = rd_init(in, &more);
	struct proxyproto p = { .version = 2 };
	uint8_t command, family;

	rd_skip(&r, sizeof(signature2));
	command = rd_u8(&r);
	family = rd_u8(&r);
	if (in.n > sizeof(signature2) && command != 0x20 && command != 0x21) {
		FAIL(e, WIRE_DECODE, "PROXY protocol version %u, command %u", command >> 4,
		     command & 15);
		return PROXYPROTO_BAD;
	}
	struct rd body = rd_vec16(&r);
	if (more)
		return PROXYPROTO_MORE;
	body.bad = &bad;
	p.local = command == 0x20;
	if (!p.local && parse_body(family, &body, &p, e) < 0)
		return PROXYPROTO_BAD;
	*used = in.n - r.n;
	*out = p;
	return PROXYPROTO_DONE;
}

enum proxyproto_outcome proxyproto_parse(struct bytes in, struct proxyproto *out, size_t *used,
					 struct err *e)
{
	struct bytes two = bytes_of(signature2, sizeof(signature2)), one = bytes_str("PROXY ");

	if (agree(in, two))
		return in.n < two.n ? PROXYPROTO_MORE : parse2(in, out, used, e);
	if (agree(in, one))
		return in.n < one.n ? PROXYPROTO_MORE : parse1(in, out, used, e);
	return PROXYPROTO_NONE;
}
