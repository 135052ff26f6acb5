#include "cmd/environment.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"

#define VALUE_MAX ((size_t)64 << 10)

enum value { PROXY, BUNDLE, ONE, JAVA };

/* clang-format off */
static const struct {
	const char *name;
	enum value value;
} variables[] = {
	{ "HTTPS_PROXY", PROXY },
	{ "https_proxy", PROXY },
	{ "HTTP_PROXY", PROXY }, /* curl takes this one in lower case only, others in upper case only */
	{ "http_proxy", PROXY },
	{ "ALL_PROXY", PROXY },
	{ "all_proxy", PROXY },
	{ "SSL_CERT_FILE", BUNDLE },	   /* OpenSSL, Go, Ruby, Python's ssl, Rust's native roots */
	{ "CURL_CA_BUNDLE", BUNDLE },
	{ "REQUESTS_CA_BUNDLE", BUNDLE },
	{ "PIP_CERT", BUNDLE },
	{ "NODE_EXTRA_CA_CERTS", BUNDLE },
	{ "NODE_USE_ENV_PROXY", ONE },	   /* Node 24 and later */
	{ "npm_config_cafile", BUNDLE },   /* a file that npm is configured with wins over Node's */
	{ "DENO_CERT", BUNDLE },
	{ "GIT_SSL_CAINFO", BUNDLE },
	{ "CARGO_HTTP_CAINFO", BUNDLE },
	{ "AWS_CA_BUNDLE", BUNDLE },
	{ "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", BUNDLE },
	{ "JAVA_TOOL_OPTIONS", JAVA },
};
/* clang-format on */

const char *proxy_url(const struct settings *s, char out[PROXY_URL_MAX])
{
	char at[ADDR_TEXT_MAX];

	snprintf(out, PROXY_URL_MAX, "http://%s", addr_text(&s->proxy, at));
	return out;
}

const char *proxy_host(const struct settings *s, char out[ADDR_TEXT_MAX])
{
	return addr_ip_text(&s->proxy, out);
}

/* A word of JAVA_TOOL_OPTIONS, which is split at blanks outside of quotes of either kind. */
static int java_quote(struct buf *out, struct bytes text, struct err *e)
{
	if (buf_add(out, bytes_str("\""), e) < 0)
		return -1;
	for (size_t i = 0; i < text.n; i++) {
		struct bytes c = bytes_slice(text, i, 1);

		if (buf_add(out, c.p[0] == '"' ? bytes_str("\"'\"'\"") : c, e) < 0)
			return -1;
	}
	return buf_add(out, bytes_str("\""), e);
}

/* Java reads none of the others: the proxy's host and port are properties, and so are the roots. */
static int java_properties(const struct settings *s, struct buf *out, struct err *e)
{
	static const char *const schemes[] = { "http", "https" };
	char host[ADDR_TEXT_MAX];

	proxy_host(s, host);
	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		if (buf_printf(out, e, "-D%s.proxyHost=%s -D%s.proxyPort=%u ", schemes[i], host,
			       schemes[i], s->proxy.port) < 0)
			return -1;
	}
	if (buf_printf(out, e, "-Djavax.net.ssl.trustStore=") < 0 ||
	    java_quote(out, bytes_str(s->p12), e) < 0)
		return -1;
	return buf_printf(out, e,
			  " -Djavax.net.ssl.trustStoreType=PKCS12 "
			  "-Djavax.net.ssl.trustStorePassword=changeit");
}

/* Behind what the variable has already; of two values of a property Java takes the last. */
static int java_options(const struct settings *s, struct buf *out, struct err *e)
{
	struct bytes before = bytes_str(getenv("JAVA_TOOL_OPTIONS"));
	AUTO(buf_fini) struct buf ours = buf_init(VALUE_MAX);

	if (java_properties(s, &ours, e) < 0 || buf_add(out, before, e) < 0)
		return -1;
	if (before.n && memmem(before.p, before.n, ours.p, ours.n))
		return 0;
	if (before.n && buf_add(out, bytes_str(" "), e) < 0)
		return -1;
	return buf_add(out, buf_bytes(&ours), e);
}

static int value_of(const struct settings *s, enum value which, struct buf *out, struct err *e)
{
	char url[PROXY_URL_MAX];

	switch (which) {
	case PROXY:
		return buf_add(out, bytes_str(proxy_url(s, url)), e);
	case BUNDLE:
		return buf_add(out, bytes_str(s->bundle), e);
	case ONE:
		return buf_add(out, bytes_str("1"), e);
	case JAVA:
		break;
	}
	return java_options(s, out, e);
}

int shell_quote(struct buf *out, struct bytes text, struct err *e)
{
	if (buf_add(out, bytes_str("'"), e) < 0)
		return -1;
	while (text.n) {
		struct bytes part = bytes_slice(text, 0, bytes_index(text, '\''));

		if (buf_add(out, part, e) < 0)
			return -1;
		if (part.n < text.n && buf_add(out, bytes_str("'\\''"), e) < 0)
			return -1;
		text = bytes_slice(text, part.n + 1, text.n);
	}
	return buf_add(out, bytes_str("'"), e);
}

int environment_print(const struct settings *s, struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf value = buf_init(VALUE_MAX);

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		buf_clear(&value);
		if (value_of(s, variables[i].value, &value, e) < 0 ||
		    buf_printf(out, e, "export %s=", variables[i].name) < 0 ||
		    shell_quote(out, buf_bytes(&value), e) < 0 ||
		    buf_add(out, bytes_str("\n"), e) < 0)
			return -1;
	}
	return 0;
}

int environment_set(const struct settings *s, struct err *e)
{
	AUTO(buf_fini) struct buf value = buf_init(VALUE_MAX);

	for (size_t i = 0; i < ARRAY_LEN(variables); i++) {
		buf_clear(&value);
		if (value_of(s, variables[i].value, &value, e) < 0 ||
		    buf_add(&value, bytes_of("", 1), e) < 0)
			return -1;
		if (setenv(variables[i].name, (const char *)value.p, 1) < 0)
			return FAIL_SYS(e, NOMEM, "the environment");
	}
	return 0;
}
