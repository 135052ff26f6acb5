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
	return -1;
}

int err_ctx(struct err *e, const char *fmt, ...)
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
