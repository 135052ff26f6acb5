/* What else a connection may begin with: SOCKS5 and the PROXY protocol. A parser that says "done"
 * says "more" of everything shorter, and says how much it used. */
#include <assert.h>

#include "wire/proxyproto.h"
#include "wire/sniff.h"
#include "wire/socks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0 more, 1 done, 2 bad or none. */
typedef int parser(struct bytes in, size_t *used);

static int greeting(struct bytes in, size_t *used)
{
	struct socks_greeting g;

	return (int)socks_greeting_parse(in, &g, used, NULL);
}

static int password(struct bytes in, size_t *used)
{
	struct socks_password p;
	enum socks_outcome outcome = socks_password_parse(in, &p, used, NULL);

	if (outcome == SOCKS_DONE)
		assert(p.user.n + p.password.n + 3 == *used);
	return (int)outcome;
}

static int request(struct bytes in, size_t *used)
{
	struct socks_request r;
	enum socks_reply reply = SOCKS_SUCCEEDED;
	enum socks_outcome outcome = socks_request_parse(in, &r, used, &reply, NULL);
	char text[HOST_TEXT_MAX];

	if (outcome == SOCKS_BAD)
		assert(reply != SOCKS_SUCCEEDED);
	if (outcome == SOCKS_DONE)
		assert(r.host.kind != HOST_NONE && host_text(&r.host, text)[0]);
	return (int)outcome;
}

static int proxy(struct bytes in, size_t *used)
{
	struct proxyproto p;
	enum proxyproto_outcome outcome = proxyproto_parse(in, &p, used, NULL);
	char text[ADDR_TEXT_MAX];

	if (outcome == PROXYPROTO_DONE) {
		assert(p.local == (p.source.family == ADDR_NONE));
		(void)addr_text(&p.source, text);
	}
	return outcome < PROXYPROTO_NONE ? (int)outcome : 2;
}

static void check(struct bytes in, parser *parse)
{
	size_t used = 0, ignored;
	int outcome = parse(in, &used);

	if (outcome == 2)
		return;
	if (outcome == 0)
		used = in.n;
	assert(used <= in.n && (outcome == 0 || used > 0));
	for (size_t n = 0; n < used && n < 600; n++)
		assert(parse(bytes_slice(in, 0, n), &ignored) == 0);
	if (outcome == 1)
		assert(parse(bytes_slice(in, 0, used), &ignored) == 1);
}

/* Once it is there, the answer stays. */
static void check_sniff(struct bytes in)
{
	enum sniff whole = sniff_first(in);

	for (size_t n = 0; n < in.n && n <= SNIFF_MAX; n++) {
		enum sniff part = sniff_first(bytes_slice(in, 0, n));

		assert(part == SNIFF_MORE || part == whole);
	}
	assert(whole != SNIFF_MORE || in.n < SNIFF_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);

	check(in, greeting);
	check(in, password);
	check(in, request);
	check(in, proxy);
	check_sniff(in);
	return 0;
}
