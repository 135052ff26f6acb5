#include "tap/stream_past.h"

#include "tap/stream_queue.h"

#define FACTOR 0x9e3779b97f4a7c15 /* odd: multiplying by it loses nothing */
#define ALL_MAX 256		  /* bytes of a piece that is looked at as a whole */
#define SAMPLE 128		  /* of a longer one, a word in so many bytes, and the last */

static uint64_t word(struct bytes b, size_t at)
{
	uint64_t w;

	memcpy(&w, b.p + at, sizeof(w));
	return w;
}

/* Everything that is captured comes by here: a look at each byte would cost a tenth of what decrypting it
 * does. Whoever sends other bytes sends another record, and few of them are the same at every sample. */
static uint64_t sum_of(struct bytes b)
{
	size_t step = b.n <= ALL_MAX ? sizeof(uint64_t) : SAMPLE;
	uint64_t sum = b.n;

	for (size_t i = 0; i + sizeof(uint64_t) <= b.n; i += step)
		sum = (sum ^ word(b, i)) * FACTOR;
	if (b.n >= sizeof(uint64_t))
		return (sum ^ word(b, b.n - sizeof(uint64_t))) * FACTOR;
	for (size_t i = 0; i < b.n; i++)
		sum = (sum ^ b.p[i]) * FACTOR;
	return sum;
}

void past_add(struct stream *s, uint32_t seq, struct bytes b)
{
	struct stream_piece *p = &s->past[s->past_next++ % STREAM_PAST];

	p->seq = seq;
	p->n = (uint32_t)b.n;
	p->sum = sum_of(b);
}

bool past_agrees(const struct stream *s, uint32_t seq, struct bytes b, uint32_t *at)
{
	for (int i = 0; i < STREAM_PAST; i++) {
		const struct stream_piece *p = &s->past[i];
		int32_t from = seq_after(p->seq, seq);

		if (p->n == 0 || from < 0 || (size_t)from + p->n > b.n)
			continue;
		if (sum_of(bytes_slice(b, (size_t)from, p->n)) == p->sum)
			continue;
		*at = p->seq;
		return false;
	}
	return true;
}
