#include "cmd/internal_page.h"

#include "crypt/hash.h"
#include "pki/bundle.h"
#include "pki/cert.h"

#define NAME_MAX_TEXT 200

/* clang-format off */
static const char before[] =
	"<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>oriel</title>\n"
	"<style>\n"
	":root{color-scheme:light dark}\n"
	"body{font:16px/1.5 system-ui,sans-serif;max-width:46em;margin:2.5em auto;padding:0 1em}\n"
	"h1{font-size:1.6em}h2{font-size:1.05em;margin:1.4em 0 .3em}\n"
	"code,pre{font-family:ui-monospace,monospace;font-size:.9em;background:#8882;border-radius:4px;padding:.1em .3em}\n"
	"pre{padding:.6em .8em;overflow-x:auto;margin:.3em 0}\n"
	"dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em;margin:1em 0;padding:.8em 1em;"
	"border:1px solid #8886;border-radius:6px}\n"
	"dt{opacity:.7}dd{margin:0;overflow-wrap:anywhere}p{margin:.4em 0}\n"
	"</style>\n"
	"<h1>This connection goes through oriel</h1>\n"
	"<p>oriel decrypts the TLS traffic of programs that trust the certificate below. Whoever holds its key can "
	"read what they send: trust it only on machines that are yours, and only if its fingerprint is the one that "
	"<code>oriel trust status</code> shows on the machine that oriel runs on.</p>\n";

static const char after[] =
	"<h2>On the machine that oriel runs on</h2>\n"
	"<pre>eval \"$(oriel env)\"          # this shell's programs\n"
	"oriel exec -- CMD            # one command\n"
	"oriel browser URL            # a browser with a throwaway profile\n"
	"oriel trust install          # system, browsers, Java; remove undoes it</pre>\n"
	"<h2>Debian, Ubuntu</h2>\n<pre>sudo cp ca.pem /usr/local/share/ca-certificates/oriel.crt\n"
	"sudo update-ca-certificates</pre>\n"
	"<h2>Fedora, RHEL, Arch</h2>\n<pre>sudo trust anchor ca.pem</pre>\n"
	"<h2>openSUSE</h2>\n<pre>sudo cp ca.pem /etc/pki/trust/anchors/oriel.pem\nsudo update-ca-certificates</pre>\n"
	"<h2>macOS</h2>\n<pre>sudo security add-trusted-cert -d -r trustRoot \\\n"
	"  -k /Library/Keychains/System.keychain ca.pem</pre>\n"
	"<h2>Windows</h2>\n<p>As administrator:</p>\n<pre>certutil -addstore -f Root ca.crt</pre>\n"
	"<h2>iOS, iPadOS</h2>\n<p>Open <a href=\"/ca.crt\">ca.crt</a> in Safari; install it under Settings, General, VPN "
	"&amp; Device Management; then turn it on under General, About, Certificate Trust Settings.</p>\n"
	"<h2>Android</h2>\n<p>Download <a href=\"/ca.crt\">ca.crt</a>; Settings, Security, Encryption &amp; credentials, "
	"Install a certificate, CA certificate. Apps other than browsers trust it only if they were built to.</p>\n"
	"<h2>Firefox</h2>\n<p>Settings, Privacy &amp; Security, View Certificates, Authorities, Import; tick "
	"<em>identify websites</em>.</p>\n"
	"<h2>Chromium and Chrome on Linux</h2>\n<pre>certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n oriel -i ca.pem</pre>\n"
	"<h2>Java</h2>\n<pre>keytool -importcert -cacerts -storepass changeit -alias oriel -file ca.pem</pre>\n";
/* clang-format on */

int internal_page_der(struct bytes ca_pem, struct buf *out, struct err *e)
{
	struct pem p = { .rest = ca_pem, .line = 1 };
	AUTO(buf_fini) struct buf der = buf_init(CERT_SIZE_MAX);

	if (pem_next_cert(&p, &der, e) != PEM_BLOCK)
		return FAIL(e, CERT, "the bump root cannot be read");
	return buf_add(out, buf_bytes(&der), e);
}

/* The text of a name is its owner's. */
static int put_text(struct buf *out, const char *text, struct err *e)
{
	for (; *text; text++) {
		const char *entity = *text == '<'   ? "&lt;"
				     : *text == '>' ? "&gt;"
				     : *text == '&' ? "&amp;"
						    : NULL;

		if (buf_add(out, entity ? bytes_str(entity) : bytes_of(text, 1), e) < 0)
			return -1;
	}
	return 0;
}

/* "AB:CD:…", as browsers and openssl show it. */
static int put_fingerprint(struct buf *out, struct bytes der, struct err *e)
{
	struct sha256 h;

	if (sha256_of(&der, 1, &h, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(h.b); i++) {
		if (buf_printf(out, e, "%s%02X", i ? ":" : "", h.b[i]) < 0)
			return -1;
	}
	return 0;
}

static int put_certificate(struct buf *out, struct bytes der, struct err *e)
{
	char name[NAME_MAX_TEXT], from[16], until[16];
	struct cert c;

	if (cert_parse(der, &c, e) < 0)
		return -1;
	if (buf_printf(out, e, "<dl>\n<dt>certificate</dt><dd>") < 0 ||
	    put_text(out, name_short_text(c.subject, name, sizeof(name)), e) < 0 ||
	    buf_printf(out, e,
		       "</dd>\n<dt>valid</dt><dd>%s to %s</dd>\n"
		       "<dt>SHA-256</dt><dd><code>",
		       date_text(c.not_before, from), date_text(c.not_after, until)) < 0 ||
	    put_fingerprint(out, der, e) < 0)
		return -1;
	return buf_printf(
		out, e,
		"</code></dd>\n<dt>download</dt><dd><a href=\"/ca.pem\" download>ca.pem</a> "
		"(Linux, macOS, Java), <a href=\"/ca.crt\">ca.crt</a> (Windows, "
		"phones)</dd>\n</dl>\n");
}

int internal_page_write(struct bytes ca_pem, struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf der = buf_init(CERT_SIZE_MAX);

	if (internal_page_der(ca_pem, &der, e) < 0 || buf_add(out, bytes_str(before), e) < 0 ||
	    put_certificate(out, buf_bytes(&der), e) < 0)
		return -1;
	return buf_add(out, bytes_str(after), e);
}
