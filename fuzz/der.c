/* Any bytes as DER: elements are walked to the bottom, and what was read is written again as it
 * was. */
#include <assert.h>
#include <stdlib.h>

#include "wire/der.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DEPTH_MAX 20

static void try_types(struct bytes whole)
{
	bool bad = false;
	struct rd r = rd_init(whole, &bad);
	unsigned unused;
	char text[40];

	(void)der_bool(&r);
	r = rd_init(whole, &bad);
	(void)der_uint(&r);
	r = rd_init(whole, &bad);
	(void)der_bits(&r, &unused);
	r = rd_init(whole, &bad);
	(void)oid_text(der_oid(&r), text, sizeof(text));
	bad = false;
	r = rd_init(whole, &bad);
	struct civil c = civil_of(der_time(&r));
	assert(bad || (c.year >= 0 && c.year <= 9999 && c.month >= 1 && c.month <= 12));
}

/* Copies the element; constructed ones by their parts. */
static void copy(struct wr *w, struct der d, int depth)
{
	bool bad = false;
	struct rd r = rd_init(d.value, &bad);
	struct der_mark m;

	try_types(d.whole);
	while (r.n && !bad)
		(void)der_next(&r);
	if (bad || depth == DEPTH_MAX) {
		der_put(w, d.tag, d.value);
		return;
	}
	r = rd_init(d.value, &bad);
	m = der_begin(w, d.tag);
	while (r.n)
		copy(w, der_next(&r), depth + 1);
	der_end(w, m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool bad = false;
	struct rd r = rd_init(bytes_of(data, size), &bad);
	struct buf b = buf_init(1 << 24);
	struct wr w = wr_init(&b);
	struct der d = der_next(&r);

	if (!bad) {
		copy(&w, d, 0);
		if (wr_end(&w, NULL) < 0 || !bytes_equal(buf_bytes(&b), d.whole))
			abort();
	}
	buf_fini(&b);
	return 0;
}
