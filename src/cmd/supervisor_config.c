#include "cmd/supervisor_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "cmd/settings.h"
#include "net/sock.h"
#include "pki/bundle.h"
#include "proc/file.h"
#include "proc/owner.h"

#define ASSET_MAX ((size_t)8 << 20)
#define TEXT_MAX_BYTES ((size_t)4 << 20)

/* --- the configuration --- */

static int parse_text(const struct supervisor_options *o, struct proxy_config **out, struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(CONFIG_FILE_MAX);
	struct config_file file = { .name = o->config_path,
				    .overrides = o->overrides,
				    .override_count = o->override_count };

	if (o->config_path && file_read(o->config_path, &text, e) < 0)
		return -1;
	if (o->config_path)
		file.text = text.n ? buf_bytes(&text) : bytes_str("");
	return config_file_parse(&file, out, e);
}

/* Where the file names its files: the canonical text has other lines. */
static void note_places(struct plan *p, const struct proxy_config *written)
{
	for (size_t i = 0; i < written->asset_count && i < DELIVERY_ASSETS_MAX; i++)
		p->places[i] =
			(struct plan_place){ written->assets[i].line, written->assets[i].column };
}

/* The canonical text, and what it parses to: what the worker will see, assets in the same order. */
static int canonical(struct plan *p, const struct supervisor_options *o, struct err *e)
{
	struct config_file file = { .name = "the configuration" };
	struct proxy_config *first;
	int r;

	if (parse_text(o, &first, e) < 0)
		return -1;
	note_places(p, first);
	r = config_file_print(first, &p->text, e);
	proxy_config_free(first);
	if (r < 0)
		return -1;
	file.text = buf_bytes(&p->text);
	return config_file_parse(&file, &p->config, e);
}

/* Relative paths count from the configuration file's folder. */
static int path_of(const struct supervisor_options *o, const char *written, char out[PATHS_MAX],
		   struct err *e)
{
	const char *slash = o->config_path ? strrchr(o->config_path, '/') : NULL;
	char dir[PATHS_MAX];

	if (written[0] == '/' || !slash) {
		if ((size_t)snprintf(out, PATHS_MAX, "%s", written) >= PATHS_MAX)
			return FAIL(e, LIMIT, "a path of more than %d bytes", PATHS_MAX);
		return 0;
	}
	snprintf(dir, sizeof(dir), "%.*s", (int)(slash - o->config_path), o->config_path);
	return paths_join(out, dir, written, e);
}

/* Roots without a root are a mistake: nothing would verify. */
static int check_roots(struct bytes pem, struct err *e)
{
	AUTO(buf_fini) struct buf der = buf_init(ASSET_MAX);
	struct pem p = { .rest = pem, .line = 1 };
	enum pem_step step;

	while ((step = pem_next_cert(&p, &der, NULL)) != PEM_END && step != PEM_NOMEM) {
		if (step == PEM_BLOCK)
			return 0;
	}
	return FAIL(e, CONFIG, "there is no certificate in it (PEM is wanted)");
}

/* A complaint about an asset begins with the place that names it. */
static int at_place(const struct supervisor_options *o, const struct plan *p, size_t i,
		    struct err *e)
{
	if (p->places[i].line)
		return err_ctx(e, "%s:%u:%u", o->config_path, p->places[i].line,
			       p->places[i].column);
	return -1;
}

static int read_asset(struct plan *p, const struct supervisor_options *o, size_t i, struct err *e)
{
	const struct config_asset *a = &p->config->assets[i];
	bool secret = a->kind == CONFIG_ASSET_PASSWORD || a->kind == CONFIG_ASSET_TOKEN;
	char path[PATHS_MAX];

	p->assets[i] = secret ? buf_init_secret(ASSET_MAX) : buf_init(ASSET_MAX);
	/* The bump root is for bump_root_load, its key for the keeper alone. */
	if (a->kind == CONFIG_ASSET_BUMP_KEY || a->kind == CONFIG_ASSET_BUMP_CERT)
		return 0;
	if (path_of(o, a->path, path, e) < 0)
		return -1;
	if (secret)
		return file_read_secret(path, &p->assets[i], e);
	if (file_read(path, &p->assets[i], e) < 0)
		return -1;
	return check_roots(buf_bytes(&p->assets[i]), e) < 0 ? err_ctx(e, "%s", path) : 0;
}

static struct plan *plan_alloc(void)
{
	struct plan *p = mem_new(sizeof(*p));

	if (!p)
		return NULL;
	p->text = buf_init(TEXT_MAX_BYTES);
	p->system_roots = buf_init(ROOTS_MAX);
	p->settings = buf_init(SETTINGS_MAX);
	p->admin_unix = p->admin_tcp = p->keylog = p->keylog_env = p->har = -1;
	for (size_t i = 0; i < DELIVERY_ADDRS_MAX; i++)
		p->listeners[i] = -1;
	return p;
}

int plan_config(const struct supervisor_options *o, struct plan **out, struct err *e)
{
	struct plan *p = plan_alloc();

	if (!p)
		return FAIL(e, NOMEM, "the configuration");
	if (canonical(p, o, e) < 0)
		goto failed;
	if (p->config->asset_count > DELIVERY_ASSETS_MAX) {
		(void)FAIL(e, CONFIG, "more than %d files are named", DELIVERY_ASSETS_MAX);
		goto failed;
	}
	for (size_t i = 0; i < p->config->asset_count; i++) {
		if (read_asset(p, o, i, e) < 0) {
			(void)at_place(o, p, i, e);
			goto failed;
		}
	}
	*out = p;
	return 0;
failed:
	plan_free(p);
	return -1;
}

/* --- sockets --- */

static int say_taken(const struct addr *a, struct err *e)
{
	char at[ADDR_TEXT_MAX], who[OWNER_TEXT_MAX];
	struct owner owner;

	switch (owner_of_listener(a, 0, &owner)) {
	case OWNER_FOUND:
	case OWNER_NO_PROCESS:
		return FAIL(e, SYSTEM,
			    "%s is taken by %s: stop it, or choose another with --listen",
			    addr_text(a, at), owner_text(&owner, who));
	case OWNER_NO_SOCKET:
	case OWNER_FAULT:
		break;
	}
	return FAIL(e, SYSTEM, "%s is taken: choose another with --listen", addr_text(a, at));
}

/* The socket of a listener of before that is bound alike. */
static int take_over(struct plan *before, const struct config_listener *l)
{
	for (size_t i = 0; before && i < before->config->listener_count; i++) {
		const struct config_listener *old = &before->config->listeners[i];

		if (addr_equal(&old->bind, &l->bind) && old->transparent == l->transparent &&
		    before->listeners[i] >= 0)
			return fcntl(before->listeners[i], F_DUPFD_CLOEXEC, 3);
	}
	return -1;
}

static int open_listener(struct plan *p, struct plan *before, size_t i, struct err *e)
{
	const struct config_listener *l = &p->config->listeners[i];
	struct sock_listen_options o = { .transparent = l->transparent == CONFIG_TPROXY };
	char at[ADDR_TEXT_MAX];

	p->listeners[i] = take_over(before, l);
	if (p->listeners[i] < 0 && sock_listen(&l->bind, &o, &p->listeners[i], e) < 0)
		return e->sys == EADDRINUSE
			       ? say_taken(&l->bind, e)
			       : err_ctx(e, "listening on %s", addr_text(&l->bind, at));
	return sock_local(p->listeners[i], &p->bound[i], e);
}

static int admin_default_path(char out[PATHS_MAX], struct err *e)
{
	char dir[PATHS_MAX];

	if (paths_runtime_dir(dir, e) < 0 || file_make_private_dir(dir, e) < 0)
		return -1;
	return paths_join(out, dir, "admin.sock", e);
}

/* The socket's folder is made (0700) when it is not there, as /run/oriel at the first start. */
static int admin_named_path(const char *path, char out[PATHS_MAX], struct err *e)
{
	char *slash;

	if (paths_join(out, path, "", e) < 0)
		return -1;
	slash = strrchr(out, '/');
	*slash = 0;
	if (out[0] && access(out, F_OK) < 0 && errno == ENOENT && file_make_private_dir(out, e) < 0)
		return -1;
	*slash = '/';
	return 0;
}

static int open_admin_tcp(struct plan *p, struct plan *before, struct err *e)
{
	const struct config_admin *a = &p->config->admin;

	if (a->tcp.family == ADDR_NONE)
		return 0;
	if (before && addr_equal(&before->config->admin.tcp, &a->tcp)) {
		p->admin_tcp = fcntl(before->admin_tcp, F_DUPFD_CLOEXEC, 3);
		p->admin_tcp_kept = true;
		return 0;
	}
	if (sock_listen(&a->tcp, &(struct sock_listen_options){ 0 }, &p->admin_tcp, e) == 0)
		return 0;
	return e->sys == EADDRINUSE ? say_taken(&a->tcp, e) : err_ctx(e, "the admin interface");
}

static int open_admin(struct plan *p, struct plan *before, struct err *e)
{
	const struct config_admin *a = &p->config->admin;

	if (open_admin_tcp(p, before, e) < 0)
		return -1;
	if (a->socket == CONFIG_ADMIN_OFF)
		return 0;
	if (a->socket == CONFIG_ADMIN_AT ? admin_named_path(a->path, p->admin_path, e) < 0
					 : admin_default_path(p->admin_path, e) < 0)
		return -1;
	if (before && strcmp(before->admin_path, p->admin_path) == 0) {
		p->admin_unix = fcntl(before->admin_unix, F_DUPFD_CLOEXEC, 3);
		p->admin_unix_kept = true;
		return 0;
	}
	if (sock_listen_unix(p->admin_path, &p->admin_unix, e) == 0)
		return 0;
	if (e->sys == EADDRINUSE)
		return FAIL(e, SYSTEM,
			    "another oriel answers at %s: give this one its own with --admin PATH "
			    "(or --admin off)",
			    p->admin_path);
	return err_ctx(e, "the admin interface");
}

static int open_logs(const struct supervisor_options *o, struct plan *p, struct plan *before,
		     struct err *e)
{
	const char *keylog = p->config->observe.keylog.path;
	char path[PATHS_MAX];

	if (keylog &&
	    (path_of(o, keylog, path, e) < 0 || file_open_secret_append(path, &p->keylog, e) < 0))
		return err_ctx(e, "the key log");
	p->keylog_env_path = paths_env("SSLKEYLOGFILE", true);
	if (p->keylog_env_path &&
	    file_open_secret_append(p->keylog_env_path, &p->keylog_env, e) < 0)
		return err_ctx(e, "SSLKEYLOGFILE");
	if (!p->config->observe.har || before)
		return 0;
	if (path_of(o, p->config->observe.har, path, e) < 0)
		return -1;
	p->har = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return p->har < 0 ? FAIL_SYS(e, FILE, "the HAR file %s", path) : 0;
}

/* A root that is in force stays: the keeper has its key, and certificates signed by it are kept. */
static int load_root(const struct supervisor_options *o, struct plan *p, const struct plan *before,
		     struct err *e)
{
	const struct proxy_config *c = p->config;
	char cert[PATHS_MAX], key[PATHS_MAX];

	if (before)
		return bump_root_copy(&before->root, &p->root, e);
	if (bump_root_paths(&p->root, e) < 0)
		return -1;
	if (c->bump_cert == CONFIG_NO_ASSET)
		return bump_root_load(&p->root, NULL, NULL, e);
	if (path_of(o, c->assets[c->bump_cert].path, cert, e) < 0 ||
	    path_of(o, c->assets[c->bump_key].path, key, e) < 0)
		return -1;
	return bump_root_load(&p->root, cert, key, e) < 0 ? at_place(o, p, (size_t)c->bump_cert, e)
							  : 0;
}

int plan_open(struct plan *p, const struct supervisor_options *o, struct plan *before,
	      struct err *e)
{
	if (load_root(o, p, before, e) < 0 ||
	    system_roots_read(&p->system_roots, p->roots_from, e) < 0)
		return -1;
	if (p->config->listener_count > DELIVERY_LISTENERS_MAX)
		return FAIL(e, CONFIG, "more than %d listeners", DELIVERY_LISTENERS_MAX);
	for (size_t i = 0; i < p->config->listener_count; i++) {
		if (open_listener(p, before, i, e) < 0)
			return -1;
	}
	if (open_admin(p, before, e) < 0 || open_logs(o, p, before, e) < 0)
		return -1;
	return settings_write(p, &p->settings, e);
}

int plan_new(const struct supervisor_options *o, struct plan *before, struct plan **out,
	     struct err *e)
{
	struct plan *p;

	if (plan_config(o, &p, e) < 0)
		return -1;
	if (plan_open(p, o, before, e) < 0) {
		plan_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

void plan_stop_listening(struct plan *p)
{
	for (size_t i = 0; p && i < DELIVERY_ADDRS_MAX; i++)
		sock_close(&p->listeners[i]);
}

static const char *asset_text(const struct proxy_config *c, int asset)
{
	return asset == CONFIG_NO_ASSET ? "" : c->assets[asset].path;
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool plan_changed_late(const struct plan *before, const struct plan *now, char out[PLAN_LATE_MAX])
{
	const struct proxy_config *a = before->config, *b = now->config;
	const struct {
		const char *key;
		bool same;
	} keys[] = {
		{ "threads", a->threads == b->threads },
		{ "limits.certificates", a->limits.certificates == b->limits.certificates },
		{ "limits.sessions", a->limits.sessions == b->limits.sessions },
		{ "observe.log", a->observe.log == b->observe.log },
		{ "observe.headers", a->observe.headers == b->observe.headers },
		{ "observe.bodies", a->observe.bodies == b->observe.bodies },
		{ "observe.redact", a->observe.redact == b->observe.redact },
		{ "observe.har", same_text(a->observe.har, b->observe.har) },
		{ "observe.store", a->observe.store == b->observe.store },
		{ "observe.body-max", a->observe.body_max == b->observe.body_max },
		{ "bump-ca",
		  same_text(asset_text(a, a->bump_cert), asset_text(b, b->bump_cert)) &&
			  same_text(asset_text(a, a->bump_key), asset_text(b, b->bump_key)) },
	};
	size_t n = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!keys[i].same && n < PLAN_LATE_MAX)
			n += (size_t)snprintf(out + n, PLAN_LATE_MAX - n, "%s`%s`", n ? ", " : "",
					      keys[i].key);
	}
	return n > 0;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	plan_stop_listening(p);
	sock_close(&p->admin_unix);
	sock_close(&p->admin_tcp);
	sock_close(&p->keylog);
	sock_close(&p->keylog_env);
	sock_close(&p->har);
	for (size_t i = 0; i < DELIVERY_ASSETS_MAX; i++)
		buf_fini(&p->assets[i]);
	bump_root_fini(&p->root);
	buf_fini(&p->system_roots);
	buf_fini(&p->settings);
	buf_fini(&p->text);
	proxy_config_free(p->config);
	mem_free(p);
}

/* --- the delivery --- */

static uint32_t utc_offset(void)
{
	time_t now = time(NULL);
	struct tm tm;

	return localtime_r(&now, &tm) ? (uint32_t)tm.tm_gmtoff : 0;
}

static uint16_t terminal_width(void)
{
	struct winsize w;

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

int plan_delivery(const struct plan *p, struct buf *hosts_file, struct delivery *d, struct err *e)
{
	size_t n = p->config->listener_count;

	*d = (struct delivery){ .config = buf_bytes(&p->text),
				.system_roots = buf_bytes(&p->system_roots),
				.bump_cert = buf_bytes(&p->root.cert_pem),
				.settings = buf_bytes(&p->settings),
				.asset_count = p->config->asset_count,
				.listener_count = n,
				.utc_offset_s = utc_offset(),
				.terminal = isatty(STDOUT_FILENO),
				.width = terminal_width() };
	/* Without /etc/hosts names come from DNS alone. */
	if (file_read("/etc/hosts", hosts_file, NULL) == 0)
		d->hosts_file = buf_bytes(hosts_file);
	for (size_t i = 0; i < d->asset_count; i++)
		d->assets[i] = buf_bytes(&p->assets[i]);
	memcpy(d->listeners, p->bound, n * sizeof(p->bound[0]));
	if (p->admin_tcp >= 0 && sock_local(p->admin_tcp, &d->listeners[d->listener_count], e) == 0)
		d->listener_count++;
	return sock_own_addrs(d->own, DELIVERY_ADDRS_MAX, &d->own_count, e);
}
