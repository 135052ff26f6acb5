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
#include "proc/file.h"
#include "proc/owner.h"

#define ASSET_MAX ((size_t)8 << 20)
#define TEXT_MAX_BYTES ((size_t)4 << 20)

/* --- the configuration --- */

static int parse_text(const struct supervisor_options *o, struct proxy_config **out, struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(CONFIG_FILE_MAX);
	const char *slash = o->config_path ? strrchr(o->config_path, '/') : NULL;
	struct config_file file = { .name = slash ? slash + 1 : o->config_path,
				    .overrides = o->overrides,
				    .override_count = o->override_count };

	if (o->config_path && file_read(o->config_path, &text, e) < 0)
		return -1;
	if (o->config_path)
		file.text = text.n ? buf_bytes(&text) : bytes_str("");
	return config_file_parse(&file, out, e);
}

/* The canonical text, and what it parses to: what the worker will see, assets in the same order. */
static int canonical(struct plan *p, const struct supervisor_options *o, struct err *e)
{
	struct config_file file = { .name = "the configuration" };
	struct proxy_config *first;
	int r;

	if (parse_text(o, &first, e) < 0)
		return -1;
	r = config_file_print(first, &p->text, e);
	proxy_config_free(first);
	if (r < 0)
		return -1;
	file.text = buf_bytes(&p->text);
	return config_file_parse(&file, &p->config, e);
}

/* Relative paths count from the configuration file's folder. */
static int asset_path(const struct supervisor_options *o, const char *written, char out[PATHS_MAX],
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

static int read_asset(struct plan *p, const struct supervisor_options *o, size_t i, struct err *e)
{
	const struct config_asset *a = &p->config->assets[i];
	bool secret = a->kind == CONFIG_ASSET_PASSWORD || a->kind == CONFIG_ASSET_TOKEN;
	char path[PATHS_MAX];
	int r;

	p->assets[i] = secret ? buf_init_secret(ASSET_MAX) : buf_init(ASSET_MAX);
	/* The bump root's key is for the keeper alone: bump_root_load reads it. */
	if (a->kind == CONFIG_ASSET_BUMP_KEY || a->kind == CONFIG_ASSET_BUMP_CERT)
		return 0;
	if (asset_path(o, a->path, path, e) < 0)
		return -1;
	r = secret ? file_read_secret(path, &p->assets[i], e) : file_read(path, &p->assets[i], e);
	return r < 0 && a->line ? err_ctx(e, "%s:%u:%u", o->config_path, a->line, a->column) : r;
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
		if (read_asset(p, o, i, e) < 0)
			goto failed;
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

static int open_admin(struct plan *p, struct plan *before, struct err *e)
{
	const struct config_admin *a = &p->config->admin;

	if (a->tcp.family != ADDR_NONE) {
		if (before && addr_equal(&before->config->admin.tcp, &a->tcp))
			p->admin_tcp = fcntl(before->admin_tcp, F_DUPFD_CLOEXEC, 3);
		else if (sock_listen(&a->tcp, &(struct sock_listen_options){ 0 }, &p->admin_tcp,
				     e) < 0)
			return e->sys == EADDRINUSE ? say_taken(&a->tcp, e)
						    : err_ctx(e, "the admin interface");
	}
	if (a->socket == CONFIG_ADMIN_OFF)
		return 0;
	if (a->socket == CONFIG_ADMIN_AT ? paths_join(p->admin_path, a->path, "", e) < 0
					 : admin_default_path(p->admin_path, e) < 0)
		return -1;
	if (before && strcmp(before->admin_path, p->admin_path) == 0) {
		p->admin_unix = fcntl(before->admin_unix, F_DUPFD_CLOEXEC, 3);
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

static int open_logs(struct plan *p, struct plan *before, struct err *e)
{
	const char *keylog = p->config->observe.keylog.path;

	if (keylog && file_open_secret_append(keylog, &p->keylog, e) < 0)
		return err_ctx(e, "the key log");
	p->keylog_env_path = paths_env("SSLKEYLOGFILE", true);
	if (p->keylog_env_path &&
	    file_open_secret_append(p->keylog_env_path, &p->keylog_env, e) < 0)
		return err_ctx(e, "SSLKEYLOGFILE");
	if (!p->config->observe.har || before)
		return 0;
	p->har = open(p->config->observe.har, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
		      0600);
	return p->har < 0 ? FAIL_SYS(e, FILE, "--har %s", p->config->observe.har) : 0;
}

static const char *bump_path(const struct plan *p, int asset)
{
	return asset == CONFIG_NO_ASSET ? NULL : p->config->assets[asset].path;
}

int plan_new(const struct supervisor_options *o, struct plan *before, struct plan **out,
	     struct err *e)
{
	struct plan *p;

	if (plan_config(o, &p, e) < 0)
		return -1;
	if (bump_root_paths(&p->root, e) < 0 ||
	    bump_root_load(&p->root, bump_path(p, p->config->bump_cert),
			   bump_path(p, p->config->bump_key), e) < 0 ||
	    system_roots_read(&p->system_roots, p->roots_from, e) < 0)
		goto failed;
	if (p->config->listener_count > DELIVERY_LISTENERS_MAX) {
		(void)FAIL(e, CONFIG, "more than %d listeners", DELIVERY_LISTENERS_MAX);
		goto failed;
	}
	for (size_t i = 0; i < p->config->listener_count; i++) {
		if (open_listener(p, before, i, e) < 0)
			goto failed;
	}
	if (open_admin(p, before, e) < 0 || open_logs(p, before, e) < 0 ||
	    settings_write(p, &p->settings, e) < 0)
		goto failed;
	*out = p;
	return 0;
failed:
	plan_free(p);
	return -1;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < DELIVERY_ADDRS_MAX; i++)
		sock_close(&p->listeners[i]);
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
