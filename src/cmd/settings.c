#include "cmd/settings.h"

#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>

#include "cmd/ask.h"
#include "cmd/supervisor_config.h"
#include "net/loop.h"
#include "proc/file.h"

#define BUNDLE_MAX ((size_t)33 << 20)
#define CA_MAX ((size_t)64 << 10)
#define WAIT_NS ((int64_t)5 * 1000000000)
#define LOOK_MS 10

/* --- the supervisor's side --- */

/* How good a listener is for the programs of this machine; 0: not at all. */
static unsigned fitness(const struct config_listener *l, const struct addr *bound)
{
	enum addr_kind kind = addr_kind(bound);

	if (l->transparent != CONFIG_NOT_TRANSPARENT)
		return 0;
	return 1 + (l->user_count == 0) + 2 * (kind == ADDR_LOOPBACK || kind == ADDR_UNSPECIFIED);
}

/* "All addresses" is an address to listen on, not one to connect to. */
static struct addr reachable(struct addr a)
{
	if (addr_kind(&a) != ADDR_UNSPECIFIED)
		return a;
	memset(a.ip, 0, sizeof(a.ip));
	if (a.family == ADDR_IP4)
		a.ip[0] = 127;
	a.ip[a.family == ADDR_IP4 ? 3 : 15] = 1;
	return a;
}

static json_t *settings_json(const struct plan *p)
{
	const struct config_listener *l = p->config->listeners;
	char at[ADDR_TEXT_MAX] = "";
	size_t best = 0;
	struct addr proxy;
	bool any;

	for (size_t i = 1; i < p->config->listener_count; i++) {
		if (fitness(&l[i], &p->bound[i]) > fitness(&l[best], &p->bound[best]))
			best = i;
	}
	any = p->config->listener_count > 0 && fitness(&l[best], &p->bound[best]) > 0;
	if (any) {
		proxy = reachable(p->bound[best]);
		addr_text(&proxy, at);
	}
	return json_pack("{s:i, s:s, s:s, s:b, s:s, s:s, s:s}", "v", 1, "version", ORIEL_VERSION,
			 "proxy", at, "password", any && l[best].user_count > 0, "ca",
			 p->root.cert_path, "bundle", p->root.bundle_path, "p12", p->root.p12_path);
}

int settings_write(const struct plan *p, struct buf *out, struct err *e)
{
	json_t *json = settings_json(p);
	uint8_t *room;
	size_t n;
	int r;

	if (!json)
		return FAIL(e, FILE,
			    "%s: the path is not UTF-8, so the admin interface cannot tell it",
			    p->root.dir);
	n = json_dumpb(json, NULL, 0, JSON_COMPACT);
	r = n ? buf_reserve(out, n, &room, e) : FAIL(e, NOMEM, "the settings");
	if (r == 0)
		buf_commit(out, json_dumpb(json, (char *)room, n, JSON_COMPACT));
	json_decref(json);
	return r;
}

/* --- the verbs' side --- */

static bool path_of(const json_t *json, const char *key, char out[PATHS_MAX])
{
	const char *value = json_string_value(json_object_get(json, key));

	return value && value[0] == '/' && paths_join(out, value, "", NULL) == 0;
}

static bool take(const json_t *json, struct settings *out)
{
	const char *proxy = json_string_value(json_object_get(json, "proxy"));

	out->asks_password = json_is_true(json_object_get(json, "password"));
	if (!proxy || (proxy[0] && addr_parse(bytes_str(proxy), &out->proxy, NULL) < 0))
		return false;
	return path_of(json, "ca", out->ca) && path_of(json, "bundle", out->bundle) &&
	       path_of(json, "p12", out->p12);
}

int settings_parse(struct bytes text, struct settings *out, struct err *e)
{
	json_error_t why;
	json_t *json = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, &why);
	struct settings s = { 0 };
	bool ok = json && take(json, &s);

	json_decref(json);
	if (!ok)
		return FAIL(e, WIRE_DECODE,
			    "what answers on the admin socket does not tell its settings: another "
			    "version "
			    "of oriel?");
	*out = s;
	return 0;
}

/* The bundle is there and has the root in it, and Java's is not older. They are made right after
 * the start, when the first connections are served already. */
static bool are_made(const struct settings *s)
{
	AUTO(buf_fini) struct buf ca = buf_init(CA_MAX), bundle = buf_init(BUNDLE_MAX);
	struct stat a, b;

	if (file_read(s->ca, &ca, NULL) < 0 || file_read(s->bundle, &bundle, NULL) < 0 ||
	    ca.n == 0 || !memmem(bundle.p, bundle.n, ca.p, ca.n))
		return false;
	if (stat(s->p12, &a) < 0 || stat(s->bundle, &b) < 0)
		return false;
	return a.st_mtim.tv_sec > b.st_mtim.tv_sec ||
	       (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec >= b.st_mtim.tv_nsec);
}

int settings_ask(const char *admin, struct settings *out, struct err *e)
{
	int64_t until = clock_mono_ns() + WAIT_NS;
	AUTO(buf_fini) struct buf body = { 0 };

	if (ask_ok(admin, "/settings", &body, e) < 0 ||
	    settings_parse(buf_bytes(&body), out, e) < 0)
		return -1;
	while (!are_made(out)) {
		if (clock_mono_ns() > until)
			return FAIL(e, FILE,
				    "%s and %s are not there: what oriel printed tells why",
				    out->bundle, out->p12);
		poll(NULL, 0, LOOK_MS);
	}
	return 0;
}

int settings_ask_proxy(const char *admin, struct settings *out, struct err *e)
{
	struct settings s;

	if (settings_ask(admin, &s, e) < 0)
		return -1;
	if (s.proxy.family == ADDR_NONE)
		return FAIL(e, UNSUPPORTED,
			    "this oriel takes redirected connections only: there is no address to "
			    "give to "
			    "programs; add a listener without `transparent:`");
	*out = s;
	return 0;
}
