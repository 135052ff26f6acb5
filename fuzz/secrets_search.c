/* The search for what secrets are looked up by: whole and in pieces; every key lies within bounds. */
#include <assert.h>

#include "cmd/secrets_search.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct count {
	size_t keys[SECRETS_PRE_MASTER + 1];
};

static void count(void *ctx, enum secrets_key kind, struct bytes key)
{
	struct count *c = ctx;

	assert(key.n > 0 && key.n <= 32);
	assert(kind != SECRETS_CLIENT_RANDOM || key.n == 32);
	c->keys[kind]++;
}

static struct count search(struct bytes in, size_t piece)
{
	struct count c = { 0 };
	struct secrets_sink sink = { count, &c };
	struct secrets_search *s;

	if (secrets_search_new(&sink, &s, NULL) < 0)
		return c;
	while (in.n) {
		if (secrets_search_feed(s, 1, bytes_slice(in, 0, piece), NULL) < 0)
			break;
		in = bytes_slice(in, piece, in.n);
	}
	secrets_search_free(s);
	return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct count whole = search(in, size + 1), pieces = search(in, 1 + size % 53);

	/* What is found whole is found in pieces, perhaps more than once. */
	for (size_t i = 0; i < ARRAY_LEN(whole.keys); i++)
		assert(pieces.keys[i] >= whole.keys[i]);
	return 0;
}
