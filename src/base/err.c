#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
	const char *name;
	enum exit_status status;
	const char *sentence;
} codes[] = {
#define ERR_ROW(name, status, sentence) [ERR_##name] = { #name, status, sentence },
	ERR_TABLE(ERR_ROW)
#undef ERR_ROW
};

/* Where a sentence was cut, half a UTF-8 character may be left: it goes too. */
static void mend_cut(char *text, size_t size)
{
	size_t n = strnlen(text, size), start = n;
	uint8_t lead;

	if (n + 1 < size)
		return;
	while (start && (text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start && (text[start - 1] & 0xc0) == 0xc0)
		start--;
	else
		return;
	/* A lead byte with k ones begins a character of k bytes. */
	lead = (uint8_t)text[start];
	if (n - start != (lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2))
		text[start] = 0;
}

int err_set(struct err *e, enum err_code code, int sys, const char *origin, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (!e)
		return -1;
	e->code = code;
	e->sys = sys;
	e->origin = origin;
	va_start(ap, fmt);
	n = vsnprintf(e->sentence, sizeof(e->sentence), fmt, ap);
	va_end(ap);
	if (sys && n >= 0 && (size_t)n < sizeof(e->sentence))
		snprintf(e->sentence + n, sizeof(e->sentence) - (size_t)n, ": %s", strerror(sys));
	mend_cut(e->sentence, sizeof(e->sentence));
	return -1;
}

int err_prefix(struct err *e, const char *fmt, ...)
{
	char before[sizeof(e->sentence)];
	va_list ap;
	int n;

	if (!e)
		return -1;
	memcpy(before, e->sentence, sizeof(before));
	va_start(ap, fmt);
	n = vsnprintf(e->sentence, sizeof(e->sentence), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(e->sentence))
		snprintf(e->sentence + n, sizeof(e->sentence) - (size_t)n, ": %s", before);
	mend_cut(e->sentence, sizeof(e->sentence));
	return -1;
}

enum exit_status err_exit_status(const struct err *e)
{
	return codes[e->code].status;
}

const char *err_name(enum err_code code)
{
	return codes[code].name;
}

const char *err_first_sentence(enum err_code code)
{
	return codes[code].sentence;
}
