#include "pki/bundle.h"

#include "base/escape.h"
#include "pki/cert.h"

static const char begin_mark[] = "-----BEGIN ";
static const char end_mark[] = "-----END ";
static const char dashes[] = "-----";

static bool next_line(struct pem *p, struct bytes *line)
{
	size_t n = bytes_index(p->rest, '\n');

	if (p->rest.n == 0)
		return false;
	*line = bytes_slice(p->rest, 0, n);
	p->rest = bytes_slice(p->rest, n + 1, p->rest.n);
	p->line++;
	while (line->n && (line->p[line->n - 1] == '\r' || line->p[line->n - 1] == ' ' ||
			   line->p[line->n - 1] == '\t'))
		line->n--;
	return true;
}

/* "-----BEGIN label-----" */
static bool is_mark(struct bytes line, const char *mark, struct bytes *label)
{
	struct bytes m = bytes_str(mark), d = bytes_str(dashes);

	if (line.n < m.n + d.n || !bytes_starts(line, m) || !bytes_ends_nocase(line, d))
		return false;
	*label = bytes_slice(line, m.n, line.n - m.n - d.n);
	return true;
}

/* Base64 (RFC 4648) fed in pieces. */
struct base64 {
	uint32_t bits;
	unsigned count;	  /* characters in bits, 0 to 3 */
	unsigned padding; /* '=' seen */
};

static int digit_of(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes one line into room for at least 3/4 of it and 3 bytes; how many, or -1. */
static int decode_line(struct base64 *b, struct bytes line, uint8_t *out)
{
	int n = 0;

	for (size_t i = 0; i < line.n; i++) {
		int d = digit_of(line.p[i]);

		if (line.p[i] == '=' && b->count + b->padding >= 2 && b->padding < 2) {
			b->padding++;
			continue;
		}
		if (d < 0 || b->padding)
			return -1;
		b->bits = b->bits << 6 | (uint32_t)d;
		if (++b->count < 4)
			continue;
		out[n++] = (uint8_t)(b->bits >> 16);
		out[n++] = (uint8_t)(b->bits >> 8);
		out[n++] = (uint8_t)b->bits;
		b->count = 0;
	}
	return n;
}

/* What is left at the end: how many bytes, or -1. */
static int decode_end(const struct base64 *b, uint8_t out[2])
{
	if (b->count == 0)
		return b->padding ? -1 : 0;
	if (b->count == 1 || b->count + b->padding != 4)
		return -1;
	out[0] = (uint8_t)(b->bits >> (b->count == 2 ? 4 : 10));
	out[1] = (uint8_t)(b->bits >> 2);
	return (int)b->count - 1;
}

static int add_line(struct base64 *b, struct bytes line, size_t number, struct buf *der,
		    struct err *e)
{
	uint8_t *room;
	int n;

	if (buf_reserve(der, line.n + 3, &room, e) < 0)
		return err_ctx(e, "PEM, line %zu", number);
	n = decode_line(b, line, room);
	if (n < 0)
		return FAIL(e, CERT, "PEM, line %zu: not base64", number);
	buf_commit(der, (size_t)n);
	return 0;
}

/* The lines of a block up to its END. */
static int read_block(struct pem *p, struct bytes label, struct buf *der, struct err *e)
{
	struct base64 b = { 0 };
	size_t first = p->line - 1;
	struct bytes line, end;
	uint8_t tail[2];
	int n;

	while (next_line(p, &line)) {
		if (is_mark(line, end_mark, &end)) {
			n = decode_end(&b, tail);
			if (!bytes_equal(end, label))
				return FAIL(e, CERT, "PEM, line %zu: END of another block",
					    p->line - 1);
			if (n < 0)
				return FAIL(e, CERT, "PEM, line %zu: base64 ends in the middle",
					    p->line - 1);
			return buf_add(der, bytes_of(tail, (size_t)n), e);
		}
		if (bytes_index(line, ':') < line.n)
			return FAIL(e, CERT, "PEM, line %zu: an encrypted block is not read",
				    p->line - 1);
		if (add_line(&b, bytes_trim(line), p->line - 1, der, e) < 0)
			return -1;
	}
	return FAIL(e, CERT, "PEM, line %zu: a block without END", first);
}

enum pem_step pem_next(struct pem *p, struct bytes *label, struct buf *der, struct err *e)
{
	struct bytes line, found;
	struct err why = { 0 };

	buf_clear(der);
	while (next_line(p, &line)) {
		if (!is_mark(line, begin_mark, &found))
			continue;
		if (read_block(p, found, der, &why) < 0) {
			if (e)
				*e = why;
			return why.code == ERR_NOMEM ? PEM_NOMEM : PEM_BAD;
		}
		*label = found;
		return PEM_BLOCK;
	}
	return PEM_END;
}

enum pem_step pem_next_cert(struct pem *p, struct buf *der, struct err *e)
{
	enum pem_step step;
	struct bytes label;

	do {
		step = pem_next(p, &label, der, e);
	} while (step == PEM_BLOCK && !bytes_equal(label, bytes_str("CERTIFICATE")) &&
		 !bytes_equal(label, bytes_str("X509 CERTIFICATE")));
	return step;
}

static size_t encode_line(struct bytes in, uint8_t out[65])
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0;

	for (size_t i = 0; i < in.n; i += 3) {
		size_t have = in.n - i < 3 ? in.n - i : 3;
		uint32_t v = (uint32_t)in.p[i] << 16;

		v |= have > 1 ? (uint32_t)in.p[i + 1] << 8 : 0;
		v |= have > 2 ? in.p[i + 2] : 0;
		for (size_t k = 0; k < 4; k++)
			out[n++] = (uint8_t)(k <= have ? digit[v >> (18 - 6 * k) & 63] : '=');
	}
	out[n++] = '\n';
	return n;
}

int pem_write(struct buf *out, const char *label, struct bytes der, struct err *e)
{
	uint8_t line[65];

	if (buf_printf(out, e, "-----BEGIN %s-----\n", label) < 0)
		return -1;
	for (size_t i = 0; i < der.n; i += 48) {
		size_t n = encode_line(bytes_slice(der, i, 48), line);

		if (buf_add(out, bytes_of(line, n), e) < 0)
			return -1;
	}
	return buf_printf(out, e, "-----END %s-----\n", label);
}

int pem_write_cert(struct buf *out, struct bytes der, struct err *e)
{
	struct cert c;
	char name[256];

	if (cert_parse(der, &c, NULL) == 0 &&
	    buf_printf(out, e, "# %s\n", name_text(c.subject, name, sizeof(name))) < 0)
		return -1;
	return pem_write(out, "CERTIFICATE", der, e);
}
