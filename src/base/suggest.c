#include "base/suggest.h"

#include <stdio.h>

/* Longer words are nobody's slip of the finger. */
enum { WORD_MAX = 40 };

/* Case is no difference, and _ is - to whoever comes from another program. */
static uint8_t fold(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint8_t)(c - 'A' + 'a');
	return c == '_' ? '-' : c;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Between numbers nearness means nothing. */
static bool has_letter(struct bytes word)
{
	for (size_t i = 0; i < word.n; i++)
		if (fold(word.p[i]) >= 'a' && fold(word.p[i]) <= 'z')
			return true;
	return false;
}

/* How many letters must be changed, added, left out or swapped with their neighbour. */
static size_t distance(struct bytes a, struct bytes b)
{
	size_t rows[3][WORD_MAX + 1];
	size_t *last = rows[0], *row = rows[1], *before = rows[2];

	for (size_t j = 0; j <= b.n; j++)
		row[j] = j;
	for (size_t i = 1; i <= a.n; i++) {
		size_t *free_row = before;

		before = last;
		last = row;
		row = free_row;
		row[0] = i;
		for (size_t j = 1; j <= b.n; j++) {
			uint8_t x = fold(a.p[i - 1]), y = fold(b.p[j - 1]);

			row[j] = least(last[j - 1] + (x != y), least(last[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && x == fold(b.p[j - 2]) && fold(a.p[i - 2]) == y)
				row[j] = least(row[j], before[j - 2] + 1);
		}
	}
	return row[b.n];
}

void suggest_offer(struct suggest *s, const char *candidate)
{
	struct bytes c = bytes_str(candidate);
	size_t d;

	if (!has_letter(s->word) || s->word.n > WORD_MAX || c.n > WORD_MAX)
		return;
	d = distance(s->word, c);
	/* The beginning of a word counts as near as one slip. */
	if (s->word.n >= 3 && c.n > s->word.n && bytes_starts(c, s->word))
		d = 1;
	if (d > 1 + s->word.n / 4 || d >= s->word.n || (s->best && d >= s->distance))
		return;
	s->best = candidate;
	s->distance = d;
}

const char *suggest_text(const struct suggest *s, const char *before, char out[SUGGEST_MAX])
{
	out[0] = 0;
	if (s->best)
		snprintf(out, SUGGEST_MAX, " (did you mean %s%s?)", before, s->best);
	return out;
}
