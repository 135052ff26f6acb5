/* Whatever comes in, what the escaper lets out holds no control character and no invalid UTF-8,
 * the JSON form is read back by a JSON parser, and the form of fixed room agrees with the other. */
#include <assert.h>
#include <jansson.h>

#include "base/escape.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct bytes out)
{
	for (size_t i = 0; i < out.n; i++) {
		assert(out.p[i] >= 0x20 && out.p[i] != 0x7f);
		/* U+0080 to U+009F are c2 80 to c2 9f. */
		assert(out.p[i] != 0xc2 || (i + 1 < out.n && out.p[i + 1] >= 0xa0));
	}
}

/* Jansson refuses control characters and invalid UTF-8 in strings. */
static void check_json(struct bytes in)
{
	AUTO(buf_fini) struct buf out = buf_init(in.n * 6 + 4);
	json_t *parsed;
	int failed = buf_add(&out, bytes_str("[\""), NULL);

	failed |= escape_json(&out, in, NULL);
	failed |= buf_add(&out, bytes_str("\"]"), NULL);
	assert(!failed);
	check_text(buf_bytes(&out));
	parsed = json_loadb((const char *)out.p, out.n, JSON_ALLOW_NUL, NULL);
	assert(parsed);
	json_decref(parsed);
}

static void check_fixed(struct bytes in, struct bytes whole)
{
	for (size_t size = 1; size < 40; size++) {
		char room[40];
		size_t n = strlen(escape_to(room, size, in));

		assert(n < size);
		check_text(bytes_of(room, n));
		if (whole.n < size)
			assert(bytes_equal(bytes_of(room, n), whole));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	AUTO(buf_fini) struct buf out = buf_init(size * 4);
	int failed = escape_add(&out, in, NULL);
	char *again;

	assert(!failed);
	check_text(buf_bytes(&out));
	assert(out.n >= size);
	/* Valid UTF-8: Jansson takes no other. */
	again = mem_dup(buf_bytes(&out));
	if (again) {
		json_t *text = json_stringn(again, out.n);

		assert(text);
		json_decref(text);
	}
	mem_free(again);
	check_json(in);
	check_fixed(in, buf_bytes(&out));
	return 0;
}
