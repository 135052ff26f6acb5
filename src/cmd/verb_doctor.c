#include <stdarg.h>
#include <stdio.h>

#include "cmd/doctor.h"
#include "cmd/verbs.h"
#include "proc/file.h"

void doctor_title(struct doctor *d, bool needed, const char *title)
{
	d->needed = needed;
	printf("%s\n", title);
}

void doctor_say(struct doctor *d, enum doctor_level level, const char *about, const char *fmt, ...)
{
	static const char *const words[] = {
		[DOCTOR_OK] = "ok", [DOCTOR_WARN] = "warn", [DOCTOR_NO] = "no"
	};
	va_list ap;

	if (level == DOCTOR_NO && d->needed)
		d->missing++;
	printf("  %-4s  %-14s ", words[level], about);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
}

bool doctor_read(const char *path, char *out, size_t size)
{
	AUTO(buf_fini) struct buf b = buf_init((size_t)1 << 20);
	size_t n;

	if (file_read(path, &b, NULL) < 0)
		return false;
	n = b.n < size - 1 ? b.n : size - 1;
	if (n)
		memcpy(out, b.p, n);
	while (n && (out[n - 1] == '\n' || out[n - 1] == ' '))
		n--;
	out[n] = 0;
	return true;
}

int doctor_verb(const struct args_verb *verb, void *args)
{
	struct doctor d = { 0 };

	(void)verb;
	(void)args;
	doctor_title(&d, true, "oriel run");
	doctor_run(&d);
	doctor_title(&d, false, "trust stores, for oriel env, browser and trust");
	doctor_stores(&d);
	doctor_title(&d, false,
		     "capabilities, and what live probes (planned, not built) could use");
	doctor_probes(&d);
	if (d.missing)
		printf("\n%u of what oriel run needs %s missing\n", d.missing,
		       d.missing == 1 ? "is" : "are");
	return fflush(stdout) == 0 && !d.missing ? EXIT_OK : EXIT_FAULT;
}
