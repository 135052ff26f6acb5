#include "proxy/via.h"

#include "wire/base64.h"

#define ANSWER_MAX ((size_t)16 << 10)

bool via_is_wanted(const struct flow *f)
{
	return f->config->upstream_proxy.host != NULL;
}

static int authorize(const struct flow *f, struct buf *out, struct err *e)
{
	const struct config_upstream_proxy *p = &f->config->upstream_proxy;
	AUTO(buf_fini) struct buf login = buf_init_secret(2048);
	struct bytes password = { 0 };

	if (!p->user)
		return 0;
	if (p->password != CONFIG_NO_ASSET)
		password = f->setup->secrets[p->password];
	if (buf_printf(&login, e, "%s:", p->user) < 0 || buf_add(&login, password, e) < 0 ||
	    buf_add(out, bytes_str("Proxy-Authorization: Basic "), e) < 0 ||
	    base64_write(buf_bytes(&login), out, e) < 0)
		return -1;
	return buf_add(out, bytes_str("\r\n"), e);
}

int via_request(const struct flow *f, struct buf *out, struct err *e)
{
	char target[HOST_TEXT_MAX];

	host_text(&f->target, target);
	if (buf_printf(out, e, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", target, target) < 0 ||
	    authorize(f, out, e) < 0)
		return -1;
	return buf_add(out, bytes_str("\r\n"), e);
}

/* The length of the head with its empty line, or 0. */
static size_t head_length(struct bytes in)
{
	for (size_t i = 0; i + 4 <= in.n; i++) {
		if (memcmp(in.p + i, "\r\n\r\n", 4) == 0)
			return i + 4;
	}
	return 0;
}

enum via_outcome via_answer(struct bytes in, size_t *used, struct err *e)
{
	struct bytes line = bytes_slice(in, 0, bytes_index(in, '\r'));
	size_t n = head_length(in);
	uint64_t status;

	if (n == 0 && in.n < ANSWER_MAX)
		return VIA_MORE;
	if (n == 0 || !bytes_starts(line, bytes_str("HTTP/1.")) ||
	    !bytes_decimal(bytes_slice(line, 9, 3), 999, &status)) {
		(void)FAIL(e, HTTP_DECODE, "the upstream proxy does not answer in HTTP");
		return VIA_REFUSED;
	}
	if (status / 100 != 2) {
		(void)FAIL(e, REFUSED, "the upstream proxy answers %u", (unsigned)status);
		return VIA_REFUSED;
	}
	*used = n;
	return VIA_OPEN;
}
