#include "cmd/banner.h"

#include <stdio.h>

static const char *what(const struct config_listener *l)
{
	static const char *const does[] = { [CONFIG_NO_ACTION] = "",
					    [CONFIG_BUMP] = "decrypts",
					    [CONFIG_SPLICE] = "passes on",
					    [CONFIG_BLOCK] = "blocks" };
	enum config_action a = l->otherwise.action;

	if (a == CONFIG_NO_ACTION && l->rule_count)
		a = l->rules[l->rule_count - 1].action;
	return does[a];
}

static const char *how(const struct config_listener *l)
{
	static const char *const ways[] = { [CONFIG_NOT_TRANSPARENT] = "HTTP proxy, SOCKS5 and TLS",
					    [CONFIG_REDIRECT] = "redirected connections",
					    [CONFIG_TPROXY] = "tproxy connections" };

	return ways[l->transparent];
}

static void listeners(const struct plan *p)
{
	char at[ADDR_TEXT_MAX];

	for (size_t i = 0; i < p->config->listener_count; i++) {
		const struct config_listener *l = &p->config->listeners[i];

		fprintf(stderr, "oriel: listening on %s (%s): %s %s\n", addr_text(&p->bound[i], at),
			how(l), what(l),
			l->rule_count ? "all but what its rules say otherwise" : "everything");
	}
}

void banner_listening(const struct plan *p)
{
	listeners(p);
}

static void key_logs(const struct plan *p)
{
	if (p->keylog >= 0)
		fprintf(stderr, "oriel: session secrets go to %s\n",
			p->config->observe.keylog.path);
	if (p->keylog_env >= 0)
		fprintf(stderr, "oriel: session secrets go to %s, because SSLKEYLOGFILE says so\n",
			p->keylog_env_path);
}

void banner_start(const struct plan *p)
{
	char at[ADDR_TEXT_MAX];

	listeners(p);
	fprintf(stderr, "oriel: %s bump root %s\n", p->root.made ? "made a new" : "signs with the",
		p->root.cert_path);
	if (p->system_roots.n == 0)
		fprintf(stderr, "oriel: this machine has no trusted roots: every server counts as "
				"not verified "
				"(install ca-certificates, or set SSL_CERT_FILE)\n");
	key_logs(p);
	if (p->config->listener_count == 0 ||
	    p->config->listeners[0].transparent != CONFIG_NOT_TRANSPARENT)
		return;
	addr_text(&p->bound[0], at);
	fprintf(stderr,
		"\n  try:  curl -x http://%s --cacert %s https://example.com/\n"
		"  or:   eval \"$(oriel env)\"      a shell whose programs go through here\n"
		"        oriel exec -- CMD         one command\n"
		"        oriel browser URL         a browser with a throwaway profile\n\n",
		at, p->root.cert_path);
}
