/* oriel.yaml from anybody: it is refused with a sentence, or what is printed of it parses back to
 * the same. */
#include <assert.h>
#include <stdint.h>

#include "cmd/config_file.h"

enum { TEXT_MAX = 16 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct proxy_config *parse(struct bytes text, struct err *e)
{
	struct config_file file = { .name = "fuzz.yaml", .text = text };
	struct proxy_config *c = NULL;

	if (config_file_parse(&file, &c, e) < 0) {
		assert(!c && e->code == ERR_CONFIG);
		assert(bytes_starts(bytes_str(e->sentence), bytes_str("fuzz.yaml:")));
	}
	return c;
}

static void print(const struct proxy_config *c, struct buf *out)
{
	struct err e = { 0 };
	int result = config_file_print(c, out, &e);

	assert(result == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(proxy_config_freep) struct proxy_config *first = NULL, *second = NULL;
	AUTO(buf_fini) struct buf a = buf_init(TEXT_MAX), b = buf_init(TEXT_MAX);
	struct err e = { 0 };

	first = parse(bytes_of(size ? data : (const uint8_t *)"", size), &e);
	if (!first)
		return 0;
	print(first, &a);
	second = parse(buf_bytes(&a), &e);
	assert(second);
	print(second, &b);
	assert(bytes_equal(buf_bytes(&a), buf_bytes(&b)));
	return 0;
}
