#include "cmd/explain.h"

#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "cmd/environment.h"

/* What follows a program's name; lines after the first are indented below it. */
/* clang-format off */
static const struct {
	const char *program, *text;
} programs[] = {
	{ "curl", "works" },
	{ "wget", "goes through the proxy; Debian's, built with GnuTLS, reads no variable for roots:\n"
		  "wget --ca-certificate=\"$SSL_CERT_FILE\" URL, or ca_certificate = FILE in ~/.wgetrc" },
	{ "Python", "urllib, requests and pip work; aiohttp needs ClientSession(trust_env=True)" },
	{ "Node before 24", "trusts the bundle, but ignores HTTPS_PROXY: it goes around the proxy.\n"
			    "Use Node 24, or give the program an agent for proxies (undici's EnvHttpProxyAgent)" },
	{ "Node from 24", "works: NODE_USE_ENV_PROXY=1 makes fetch and https read HTTPS_PROXY" },
	{ "npm", "works with any Node: it reads HTTPS_PROXY itself" },
	{ "Go", "works; for localhost and loopback addresses it goes around any proxy: use a name" },
	{ "Java", "reads none of the common variables and wants its own properties, which JAVA_TOOL_OPTIONS\n"
		  "gives it (each start says \"Picked up JAVA_TOOL_OPTIONS\"). It goes around the proxy for\n"
		  "localhost and 127.*. A program that opens a trust store or a socket of its own needs\n"
		  "more: `oriel trust install --store java`" },
	{ "git", "works over https; over ssh there is nothing to see" },
	{ "Ruby", "Net::HTTP and open-uri work" },
	{ "Rust", "cargo works; programs with OpenSSL or rustls-native-certs trust the bundle; those with\n"
		  "built-in roots (webpki-roots) trust nothing else: splice their hosts" },
	{ "Deno", "works" },
	{ "gRPC", "the C core and what is built on it (Python, Ruby, PHP) works; Go and Java as above" },
	{ "browsers", "read none of these variables: `oriel browser URL` starts one with a profile of its own;\n"
		      "for your own, set the proxy by hand and `oriel trust install --store nss`" },
	{ "Docker", "pulls are the daemon's, which has an environment of its own: \"proxies\" in\n"
		    "/etc/docker/daemon.json, and `oriel trust install --store system`. Containers have their own,\n"
		    "too: docker run -e HTTPS_PROXY=... -e SSL_CERT_FILE=/ca.pem -v \"$SSL_CERT_FILE\":/ca.pem:ro,\n"
		    "with a proxy address that the container reaches (--listen)" },
	{ "sudo, services", "drop the environment: sudo -E, Environment= in the unit" },
};
/* clang-format on */

enum { COLUMN = 16 };

static int put(struct buf *out, const char *program, const char *text, struct err *e)
{
	struct bytes rest = bytes_str(text);

	for (const char *left = program; rest.n; left = "") {
		struct bytes line = bytes_slice(rest, 0, bytes_index(rest, '\n'));

		if (buf_printf(out, e, "%-*s%.*s\n", COLUMN, left, BYTES_FMT(line)) < 0)
			return -1;
		rest = bytes_slice(rest, line.n + 1, rest.n);
	}
	return 0;
}

/* What the user excluded goes around the proxy, whatever program it is. */
static int put_exclusions(struct buf *out, struct err *e)
{
	static const char *const names[] = { "NO_PROXY", "no_proxy" };
	char shown[512];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *value = getenv(names[i]);

		if (value && value[0] &&
		    buf_printf(
			    out, e,
			    "%s is set, and left as it is: programs go around the proxy for %s\n",
			    names[i], escape_to(shown, sizeof(shown), bytes_str(value))) < 0)
			return -1;
	}
	return 0;
}

int explain_print(const struct settings *s, struct buf *out, struct err *e)
{
	char url[PROXY_URL_MAX];

	if (buf_printf(out, e,
		       "With the lines of `oriel env` programs go through %s and trust\n%s,\n"
		       "which is the system's roots and oriel's own: hosts that are not decrypted "
		       "still "
		       "verify.\n",
		       proxy_url(s, url), s->bundle) < 0)
		return -1;
	if (s->asks_password &&
	    buf_printf(
		    out, e,
		    "This listener asks for a name and a password: put USER:PASSWORD@ before the "
		    "address.\n") < 0)
		return -1;
	if (put_exclusions(out, e) < 0 || buf_printf(out, e, "\n") < 0)
		return -1;
	for (size_t i = 0; i < ARRAY_LEN(programs); i++) {
		if (put(out, programs[i].program, programs[i].text, e) < 0)
			return -1;
	}
	return buf_printf(
		out, e, "\nPrograms that pin certificates accept no other: splice their hosts.\n");
}
