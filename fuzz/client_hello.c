/* The bytes are a connection's first ones, and once more a message. However they come in, the
 * answers agree; what was parsed can be walked; what one parser finds the other has found. */
#include <assert.h>

#include "wire/hello.h"
#include "wire/ja.h"
#include "wire/name.h"
#include "wire/names.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* No hash, but it reads every byte. */
static int sum(struct bytes text, uint8_t out[32], struct err *e)
{
	(void)e;
	memset(out, 0, 32);
	for (size_t i = 0; i < text.n; i++)
		out[i % 32] ^= text.p[i];
	return 0;
}

static void walk_lists(const struct client_hello *h)
{
	struct bytes list = h->alpn, value;
	uint16_t codes[64], group;
	size_t n = 0;

	while (alpn_next(&list, &value))
		n += value.n + 1;
	assert(n == h->alpn.n);
	n = 0;
	list = h->key_shares;
	while (key_share_next(&list, &group, &value))
		n += value.n + 4;
	assert(n == h->key_shares.n);
	n = codes_copy(h->cipher_suites, codes, ARRAY_LEN(codes));
	assert(n <= codes_count(h->cipher_suites));
	for (size_t i = 0; i < n; i++)
		assert(codes_have(h->cipher_suites, codes[i]));
	(void)client_hello_share_groups(h, codes, ARRAY_LEN(codes));
}

static void fingerprint(const struct client_hello *h)
{
	AUTO(buf_fini) struct buf text = buf_init(1 << 16);
	char ja4[JA4_TEXT_MAX];
	struct err e;

	if (ja4_write(h, 't', sum, ja4, &e) == 0)
		assert(strlen(ja4) == JA4_TEXT_MAX - 1);
	else
		assert(e.code == ERR_LIMIT);
	(void)!ja3_write(h, &text, &e);
	buf_clear(&text);
	(void)!ja4_write_raw(h, 't', &text, &e);
}

static void parse(struct bytes message)
{
	struct client_hello h;
	struct extension ext;
	enum alert alert = ALERT_CLOSE_NOTIFY;
	struct bytes list;
	struct name name;
	struct err e = { 0 };
	size_t count = 0;

	if (client_hello_parse(message, &h, &alert, &e) < 0) {
		assert(e.code == ERR_TLS_DECODE && e.sentence[0] && alert != ALERT_CLOSE_NOTIFY);
		return;
	}
	assert(h.raw.p == message.p && h.raw.n == message.n);
	list = h.extensions;
	while (extension_next(&list, &ext)) {
		(void)extension_name(ext.type);
		count++;
	}
	assert(count == h.extension_count);
	walk_lists(&h);
	fingerprint(&h);
	(void)!name_parse(h.server_name, &name, &e);
}

/* In steps of the given size; the outcome, and the hello as it then stands. */
static enum hello_outcome run(struct bytes raw, size_t step, struct hello *h, enum alert *alert)
{
	enum hello_outcome outcome = HELLO_MORE;

	*h = hello_init();
	for (size_t n = 0; n < raw.n && outcome == HELLO_MORE;) {
		n = raw.n - n < step ? raw.n : n + step;
		outcome = hello_run(h, bytes_slice(raw, 0, n), alert, NULL);
	}
	return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(buf_fini) struct buf joined = buf_init(HELLO_MESSAGE_MAX);
	struct bytes raw = bytes_of(data, size), message;
	enum alert alert, other;
	struct hello h, in_steps;
	enum hello_outcome outcome = run(raw, size, &h, &alert);

	assert(run(raw, size < 4096 ? 1 : 1460, &in_steps, &other) == outcome);
	if (outcome == HELLO_BAD)
		assert(alert == other);
	if (outcome == HELLO_DONE) {
		assert(h.raw_n == in_steps.raw_n && h.raw_n <= size);
		if (hello_message(&h, raw, &joined, &message, NULL) == 0)
			parse(message);
	}
	parse(raw);
	return 0;
}
