/* `oriel env`: shell lines, or what each program makes of them. */
#include "cmd/environment.h"
#include "cmd/explain.h"
#include "cmd/verbs.h"

#define OUT_MAX ((size_t)1 << 20)

const struct args_option env_options[] = {
	{ "explain", 0, NULL, "what works for which program, and what it needs besides" },
	ADMIN_OPTION,
	{ 0 },
};

int env_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	AUTO(buf_fini) struct buf out = buf_init(OUT_MAX);
	struct settings s;
	struct err e = { 0 };
	int r;

	(void)verb;
	if (settings_ask_proxy(args_value(a, "admin"), &s, &e) < 0)
		return verb_fail(&e);
	r = args_has(a, "explain") ? explain_print(&s, &out, &e) : environment_print(&s, &out, &e);
	return r < 0 ? verb_fail(&e) : verb_print(buf_bytes(&out));
}
