#include "pki/bundle.h"

#include "base/escape.h"
#include "pki/cert.h"
#include "wire/base64.h"

#define BLOCK_MAX (2 * CERT_SIZE_MAX)
#define BYTES_A_LINE 48 /* 64 characters */

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

/* The lines of a block up to its END; their text, without the line ends, to base64. */
static int read_lines(struct pem *p, struct bytes label, struct buf *base64, struct err *e)
{
	size_t first = p->line - 1;
	struct bytes line, end;

	while (next_line(p, &line)) {
		if (is_mark(line, end_mark, &end)) {
			if (bytes_equal(end, label))
				return 0;
			return FAIL(e, CERT, "PEM, line %zu: END of another block", p->line - 1);
		}
		if (bytes_index(line, ':') < line.n)
			return FAIL(e, CERT, "PEM, line %zu: a block with headers is not read",
				    p->line - 1);
		if (buf_add(base64, bytes_trim(line), e) < 0)
			return err_ctx(e, "PEM, line %zu", p->line - 1);
	}
	return FAIL(e, CERT, "PEM, line %zu: a block without END", first);
}

static int read_block(struct pem *p, struct bytes label, struct buf *der, struct err *e)
{
	AUTO(buf_fini)
	struct buf base64 = der->secret ? buf_init_secret(BLOCK_MAX) : buf_init(BLOCK_MAX);
	size_t first = p->line - 1;

	if (read_lines(p, label, &base64, e) < 0)
		return -1;
	if (base64_parse(buf_bytes(&base64), der, e) < 0)
		return err_ctx(e, "PEM, block at line %zu", first);
	return 0;
}

enum pem_step pem_next(struct pem *p, struct bytes *label, struct buf *der, struct err *e)
{
	struct bytes line, found;
	struct err why = { 0 };

	buf_clear(der);
	while (next_line(p, &line)) {
		if (!is_mark(line, begin_mark, &found))
			continue;
		*label = found;
		if (read_block(p, found, der, &why) < 0) {
			if (e)
				*e = why;
			return why.code == ERR_NOMEM ? PEM_NOMEM : PEM_BAD;
		}
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

int pem_write(struct buf *out, const char *label, struct bytes der, struct err *e)
{
	size_t before = out->n;
	int done = buf_printf(out, e, "-----BEGIN %s-----\n", label);

	for (size_t i = 0; done == 0 && i < der.n; i += BYTES_A_LINE) {
		done = base64_write(bytes_slice(der, i, BYTES_A_LINE), out, e);
		if (done == 0)
			done = buf_add(out, bytes_str("\n"), e);
	}
	if (done == 0)
		done = buf_printf(out, e, "-----END %s-----\n", label);
	if (done < 0)
		out->n = before;
	return done;
}

int pem_write_cert(struct buf *out, struct bytes der, struct err *e)
{
	struct cert c;
	char name[256];

	size_t before = out->n;

	if (cert_parse(der, &c, NULL) == 0 &&
	    buf_printf(out, e, "# %s\n", name_text(c.subject, name, sizeof(name))) < 0)
		return -1;
	if (pem_write(out, "CERTIFICATE", der, e) < 0) {
		out->n = before;
		return -1;
	}
	return 0;
}
