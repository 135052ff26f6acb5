#include "cmd/certs_input.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cmd/bump_root.h"
#include "net/loop.h"
#include "proc/file.h"
#include "wire/addr.h"
#include "wire/der.h"

#define PASSWORD_MAX 4096

static int read_stdin(struct buf *out, struct err *e)
{
	for (;;) {
		uint8_t *room;
		ssize_t n;

		if (buf_reserve(out, 65536, &room, e) < 0)
			return -1;
		n = read(STDIN_FILENO, room, 65536);
		if (n < 0)
			return FAIL_SYS(e, FILE, "it cannot be read");
		if (n == 0)
			return 0;
		buf_commit(out, (size_t)n);
	}
}

int certs_read(const char *path, const char *password, struct material *m, struct err *e)
{
	AUTO(buf_fini) struct buf content = buf_init_secret(MATERIAL_SIZE_MAX);
	size_t before = m->count;

	if (strcmp(path, "-") == 0) {
		if (read_stdin(&content, e) < 0)
			return err_ctx(e, "standard input");
	} else if (file_read(path, &content, e) < 0) {
		return -1;
	}
	if (material_read(m, buf_bytes(&content), password, e) < 0)
		return err_ctx(e, "%.200s", path);
	if (m->count == before)
		return FAIL(e, CERT, "%.200s: no certificate in it%s", path,
			    m->keys ? ", only a private key" : "");
	return 0;
}

int certs_password(const struct args *a, struct buf *out, const char **password, struct err *e)
{
	const char *path = args_value(a, "password-file");

	*password = NULL;
	if (!path)
		return 0;
	out->max = PASSWORD_MAX;
	if (file_read(path, out, e) < 0)
		return err_ctx(e, "--password-file");
	out->n = bytes_index(buf_bytes(out), '\n');
	while (out->n && out->p[out->n - 1] == '\r')
		out->n--;
	if (buf_add(out, bytes_of("", 1), e) < 0)
		return -1;
	*password = (const char *)out->p;
	return 0;
}

static int read_system_roots(struct material *m, struct err *e)
{
	AUTO(buf_fini) struct buf pem = buf_init(MATERIAL_SIZE_MAX);
	char where[PATHS_MAX];

	if (system_roots_read(&pem, where, e) < 0)
		return -1;
	if (pem.n && material_read(m, buf_bytes(&pem), NULL, e) < 0)
		return err_ctx(e, "%.200s", where);
	return 0;
}

int certs_roots(const struct args *a, struct material *m, struct err *e)
{
	size_t n = args_count(a, "ca");

	if (n == 0)
		return read_system_roots(m, e);
	for (size_t i = 0; i < n; i++) {
		if (certs_read(args_nth(a, "ca", i), NULL, m, e) < 0)
			return err_ctx(e, "--ca");
	}
	return 0;
}

static bool number(struct bytes text, size_t from, size_t digits, int *out)
{
	struct bytes part = bytes_slice(text, from, digits);
	uint64_t v;

	if (part.n != digits || !bytes_decimal(part, 9999, &v))
		return false;
	*out = (int)v;
	return true;
}

/* "2026-03-01" with or without "T12:00:00Z" */
static bool read_date(struct bytes t, int64_t *out)
{
	struct civil c = { 0 };
	struct bytes form = bytes_str("0000-00-00T00:00:00Z");
	bool good = t.n == 10 || t.n == form.n;

	for (size_t i = 0; good && i < t.n; i++)
		good = form.p[i] == '0' ? t.p[i] >= '0' && t.p[i] <= '9' : t.p[i] == form.p[i];
	good = good && number(t, 0, 4, &c.year) && number(t, 5, 2, &c.month) &&
	       number(t, 8, 2, &c.day);
	if (good && t.n > 10)
		good = number(t, 11, 2, &c.hour) && number(t, 14, 2, &c.minute) &&
		       number(t, 17, 2, &c.second);
	if (!good || c.month < 1 || c.month > 12 || c.day < 1 || c.day > 31 || c.hour > 23 ||
	    c.minute > 59 || c.second > 59)
		return false;
	*out = civil_to_unix(&c);
	return true;
}

int certs_moment(const struct args *a, int64_t *now_s, struct err *e)
{
	const char *text = args_value(a, "at");
	uint64_t seconds;

	if (!text) {
		*now_s = clock_wall_ns() / 1000000000;
		return 0;
	}
	if (read_date(bytes_str(text), now_s))
		return 0;
	if (!bytes_decimal(bytes_str(text), (uint64_t)1 << 37, &seconds))
		return FAIL(e, USAGE,
			    "certs: --at %.60s: expected 2026-03-01, 2026-03-01T12:00:00Z or UNIX "
			    "seconds",
			    text);
	*now_s = (int64_t)seconds;
	return 0;
}

int certs_target(const char *text, struct bytes *host, uint16_t *port, struct err *e)
{
	struct bytes t = bytes_str(text), digits = { 0 };
	size_t colon = t.n;
	uint64_t n = 443;
	struct addr a;

	if (addr_parse_ip(t, 443, &a)) {
		*host = t;
		*port = 443;
		return 0;
	}
	for (size_t i = 0; i < t.n; i++)
		colon = t.p[i] == ':' ? i : colon;
	*host = bytes_slice(t, 0, colon);
	if (colon < t.n) {
		digits = bytes_slice(t, colon + 1, t.n);
		if (!bytes_decimal(digits, 65535, &n) || n == 0)
			return FAIL(e, USAGE, "certs show %.100s: expected HOST:PORT, or a file",
				    text);
	}
	if (host->n > 2 && host->p[0] == '[' && host->p[host->n - 1] == ']')
		*host = bytes_slice(*host, 1, host->n - 2);
	if (host->n == 0 || (bytes_index(*host, ':') < host->n && !addr_parse_ip(*host, 0, &a)))
		return FAIL(e, USAGE, "certs show %.100s: expected a file, or HOST[:PORT]", text);
	*port = (uint16_t)n;
	return 0;
}

size_t certs_list(const struct material *m, enum material_kind kind, struct bytes *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < m->count && n < max; i++) {
		if (m->items[i].kind == kind)
			out[n++] = m->items[i].der;
	}
	return n;
}
