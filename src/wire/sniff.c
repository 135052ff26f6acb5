#include "wire/sniff.h"

#include "base/rd.h"

/* Methods that no other protocol opens with. */
static const char *const methods[] = {
	"GET ",	    "HEAD ",  "POST ",	"PUT ",	 "DELETE ",    "CONNECT ",
	"OPTIONS ", "TRACE ", "PATCH ", "PRI ",	 "PROPFIND ",  "REPORT ",
	"MKCOL ",   "COPY ",  "MOVE ",	"LOCK ", "PROPPATCH ", "SEARCH ",
};

static bool is_tchar(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* Is text the beginning of whole, or the other way round? */
static bool agree(struct bytes text, const char *whole)
{
	struct bytes w = bytes_str(whole);

	return bytes_starts(w, bytes_slice(text, 0, w.n));
}

/* Any other token counts as a method when what follows can only be a request target. */
static enum sniff sniff_target(struct bytes target)
{
	if (target.n == 0)
		return SNIFF_MORE;
	if (target.p[0] == '/' || (agree(target, "* HTTP/") && target.n >= 7))
		return SNIFF_HTTP;
	if (agree(target, "http://") || agree(target, "* HTTP/"))
		return target.n >= 7 ? SNIFF_HTTP : SNIFF_MORE;
	return SNIFF_OTHER;
}

static enum sniff sniff_http(struct bytes first)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (bytes_starts(first, bytes_str(methods[i])))
			return SNIFF_HTTP;
	}
	while (n < first.n && is_tchar(first.p[n]))
		n++;
	if (n == first.n)
		return n <= 20 ? SNIFF_MORE : SNIFF_OTHER;
	if (n == 0 || n > 20 || first.p[n] != ' ')
		return SNIFF_OTHER;
	return sniff_target(bytes_slice(first, n + 1, first.n));
}

/* A record with a two byte length, then type CLIENT-HELLO and a version of 2.0 or 3.x. */
static enum sniff sniff_sslv2(struct bytes first)
{
	bool bad = false;
	struct rd r = rd_init(first, &bad);
	uint16_t length = rd_u16(&r) & 0x7fff;
	uint8_t type = rd_u8(&r), major, minor;

	if (!bad && (type != 1 || length < 9))
		return SNIFF_OTHER;
	major = rd_u8(&r);
	minor = rd_u8(&r);
	if (bad)
		return SNIFF_MORE;
	return (major == 0 && minor == 2) || (major == 3 && minor <= 4) ? SNIFF_SSLV2_HELLO
									: SNIFF_OTHER;
}

/* A handshake record; the high byte of its length cannot be above 2^14. */
static enum sniff sniff_tls(struct bytes first)
{
	if (first.n >= 2 && first.p[1] != 3)
		return SNIFF_OTHER;
	if (first.n >= 4 && first.p[3] > 0x40)
		return SNIFF_OTHER;
	return first.n >= 4 ? SNIFF_TLS : SNIFF_MORE;
}

enum sniff sniff_first(struct bytes first)
{
	if (first.n == 0)
		return SNIFF_MORE;
	if (first.p[0] == 0x16)
		return sniff_tls(first);
	if (first.p[0] == 0x05)
		return SNIFF_SOCKS5;
	if (first.p[0] == 0x04) {
		if (first.n < 2)
			return SNIFF_MORE;
		return first.p[1] == 1 || first.p[1] == 2 ? SNIFF_SOCKS4 : SNIFF_OTHER;
	}
	if (first.p[0] & 0x80)
		return sniff_sslv2(first);
	return sniff_http(first);
}

const char *sniff_text(enum sniff s)
{
	static const char *const texts[] = {
		[SNIFF_MORE] = "too little to tell",
		[SNIFF_TLS] = "TLS",
		[SNIFF_HTTP] = "HTTP",
		[SNIFF_SOCKS5] = "SOCKS5",
		[SNIFF_SOCKS4] = "SOCKS4",
		[SNIFF_SSLV2_HELLO] = "an SSLv2 ClientHello",
		[SNIFF_OTHER] = "an unknown protocol",
	};

	return texts[s];
}
