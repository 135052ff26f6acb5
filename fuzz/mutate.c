/* Plays random mutations of good inputs to a fuzz target: `mutate COUNT SEED FILE...`. Deterministic: what a
 * seed finds, it finds again; FILE and the number of the mutation are printed when it takes long. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INPUT_MAX ((size_t)1 << 20)
#define SLOW_S 5

static uint64_t state;

/* xorshift64* */
static uint64_t next_random(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return state * UINT64_C(2685821657736338717);
}

static size_t below(size_t n)
{
	return n ? (size_t)(next_random() % n) : 0;
}

struct input {
	const char *path;
	uint8_t *p;
	size_t n;
};

static void load(struct input *in, const char *path)
{
	FILE *f = fopen(path, "rb");

	in->path = path;
	in->p = malloc(INPUT_MAX);
	if (!f || !in->p) {
		perror(path);
		exit(1);
	}
	in->n = fread(in->p, 1, INPUT_MAX, f);
	fclose(f);
}

/* One change: a bit, a byte, a number, a piece taken out, doubled, moved, or the end cut off. */
static size_t change(uint8_t *p, size_t n)
{
	static const uint32_t odd[] = { 0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff };
	size_t at = below(n), len = 1 + below(64);
	uint32_t number = odd[below(sizeof(odd) / sizeof(odd[0]))];

	if (n < 128)
		return n;
	if (len > n - at)
		len = n - at;
	switch (below(7)) {
	case 0:
		p[at] ^= (uint8_t)(1u << below(8));
		return n;
	case 1:
		p[at] = (uint8_t)next_random();
		return n;
	case 2:
		memcpy(p + (at > n - 4 ? n - 4 : at), &number, sizeof(number));
		return n;
	case 3:
		memmove(p + at, p + at + len, n - at - len);
		return n - len;
	case 4:
		if (n + len > INPUT_MAX)
			return n;
		memmove(p + at + len, p + at, n - at);
		return n + len;
	case 5:
		memmove(p + below(n - len), p + at, len);
		return n;
	default:
		return below(4) ? n : n - below(n / 4);
	}
}

int main(int argc, char **argv)
{
	static uint8_t work[INPUT_MAX + 64];
	struct input inputs[256];
	size_t count = 0;
	uint64_t times;

	if (argc < 4) {
		fputs("usage: mutate COUNT SEED FILE...\n", stderr);
		return 2;
	}
	times = strtoull(argv[1], NULL, 10);
	state = strtoull(argv[2], NULL, 10) | 1;
	for (int i = 3; i < argc && count < sizeof(inputs) / sizeof(inputs[0]); i++)
		load(&inputs[count++], argv[i]);
	for (uint64_t i = 0; i < times; i++) {
		const struct input *in = &inputs[below(count)];
		size_t n = in->n, changes = 1 + below(8);
		time_t begun = time(NULL);

		memcpy(work, in->p, n);
		while (changes--)
			n = change(work, n);
		(void)LLVMFuzzerTestOneInput(work, n);
		if (time(NULL) - begun > SLOW_S)
			printf("slow: mutation %" PRIu64 " of %s\n", i, in->path);
	}
	for (size_t i = 0; i < count; i++)
		free(inputs[i].p);
	printf("%" PRIu64 " mutations of %zu inputs\n", times, count);
	return 0;
}
