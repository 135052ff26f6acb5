/* What `oriel run` needs. Each is tried rather than looked up, where trying does no harm. */
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/ask.h"
#include "cmd/bump_root.h"
#include "cmd/doctor.h"
#include "cmd/settings.h"
#include "net/sock.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "proc/file.h"
#include "proc/owner.h"
#include "proc/sandbox.h"
#include "tls/tls.h"

#define FDS_FEW 4096
#define FDS_TOO_FEW 256

static void kernel(struct doctor *d)
{
	struct utsname u;

	if (uname(&u) == 0)
		doctor_say(d, DOCTOR_OK, "kernel", "%s %s, %s", u.sysname, u.release, u.machine);
}

/* In a process of its own, which does not come back from it. */
static void seccomp(struct doctor *d)
{
	int status = -1;
	pid_t pid;

	if (!sandbox_available()) {
		doctor_say(d, DOCTOR_WARN, "seccomp",
			   "this build of oriel has no sandbox: build it without "
			   "-Dsandbox=false");
		return;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(sandbox_enter(SANDBOX_WORKER, NULL) == 0 ? 0 : 1);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		doctor_say(d, DOCTOR_OK, "seccomp", "the worker's sandbox can be set up");
	else
		doctor_say(d, DOCTOR_NO, "seccomp",
			   "the worker's sandbox cannot be set up: a kernel with "
			   "CONFIG_SECCOMP_FILTER is "
			   "needed, and a container that allows seccomp(2)");
}

/* A folder that is there, or could be. */
static bool may_be_used(const char *path)
{
	char at[PATHS_MAX];
	char *slash;

	if (paths_join(at, path, "", NULL) < 0)
		return false;
	while (access(at, F_OK) < 0 && (slash = strrchr(at, '/')) && slash != at)
		*slash = 0;
	return access(at, W_OK | X_OK) == 0;
}

static void bump_root(struct doctor *d)
{
	AUTO(buf_fini) struct buf key = buf_init_secret(BUMP_KEY_MAX);
	AUTO(bump_root_fini) struct bump_root r;
	AUTO(buf_fini) struct buf der = buf_init((size_t)1 << 20);
	struct err e = { 0 };
	struct pem p;
	struct cert c;
	char date[16];

	if (bump_root_paths(&r, &e) < 0) {
		doctor_say(d, DOCTOR_NO, "state folder", "%s", e.sentence);
		return;
	}
	if (!may_be_used(r.dir)) {
		doctor_say(d, DOCTOR_NO, "state folder",
			   "%s cannot be written: set XDG_STATE_HOME to a "
			   "folder that can",
			   r.dir);
		return;
	}
	doctor_say(d, DOCTOR_OK, "state folder", "%s", r.dir);
	if (access(r.cert_path, F_OK) < 0) {
		doctor_say(d, DOCTOR_OK, "bump root", "none yet: the first start makes it");
		return;
	}
	if (file_read(r.cert_path, &r.cert_pem, &e) < 0 || bump_root_read_key(&r, &key, &e) < 0) {
		doctor_say(d, DOCTOR_NO, "bump root", "%s", e.sentence);
		return;
	}
	p = (struct pem){ .rest = buf_bytes(&r.cert_pem), .line = 1 };
	if (pem_next_cert(&p, &der, NULL) != PEM_BLOCK || cert_parse(buf_bytes(&der), &c, &e) < 0) {
		doctor_say(d, DOCTOR_NO, "bump root",
			   "%s is no certificate: remove it and its key, and the "
			   "next start makes another",
			   r.cert_path);
		return;
	}
	doctor_say(d, DOCTOR_OK, "bump root", "valid until %s", date_text(c.not_after, date));
}

/* *ours: an oriel of this user answers and tells where it listens. */
static void admin(struct doctor *d, struct settings *ours)
{
	AUTO(buf_fini) struct buf body = { 0 };
	char path[PATHS_MAX], dir[PATHS_MAX];
	struct err e = { 0 };

	if (paths_runtime_dir(dir, &e) < 0 || ask_default_path(path, &e) < 0) {
		doctor_say(d, DOCTOR_NO, "admin socket", "%s", e.sentence);
		return;
	}
	if (ask_ok(NULL, "/settings", &body, &e) == 0 &&
	    settings_parse(buf_bytes(&body), ours, &e) == 0) {
		doctor_say(d, DOCTOR_OK, "admin socket", "an oriel runs and answers at %s", path);
		return;
	}
	if (e.code == ERR_CONNECT && may_be_used(dir))
		doctor_say(d, DOCTOR_OK, "admin socket", "%s is free", path);
	else if (e.code == ERR_CONNECT)
		doctor_say(d, DOCTOR_NO, "admin socket",
			   "%s cannot be made: set XDG_RUNTIME_DIR, or start "
			   "with --admin PATH",
			   path);
	else
		doctor_say(d, DOCTOR_NO, "admin socket", "%s; start with --admin PATH", e.sentence);
}

static void port(struct doctor *d, const struct settings *ours)
{
	static const struct addr usual = { .family = ADDR_IP4,
					   .ip = { 127, 0, 0, 1 },
					   .port = 8080 };
	struct sock_listen_options o = { 0 };
	struct owner owner;
	struct err e = { 0 };
	char who[OWNER_TEXT_MAX] = "another program";
	int fd = -1;

	if (addr_equal(&ours->proxy, &usual)) {
		doctor_say(d, DOCTOR_OK, "port 8080", "the oriel that runs listens there");
		return;
	}
	if (sock_listen(&usual, &o, &fd, &e) == 0) {
		sock_close(&fd);
		doctor_say(d, DOCTOR_OK, "port 8080", "free");
		return;
	}
	if (e.sys != EADDRINUSE) {
		doctor_say(d, DOCTOR_NO, "port 8080", "%s", e.sentence);
		return;
	}
	switch (owner_of_listener(&usual, 0, &owner)) {
	case OWNER_FOUND:
	case OWNER_NO_PROCESS:
		owner_text(&owner, who);
		break;
	case OWNER_NO_SOCKET:
	case OWNER_FAULT:
		break;
	}
	doctor_say(d, DOCTOR_NO, "port 8080",
		   "taken by %s: stop it, or start with --listen ADDR:PORT", who);
}

static void descriptors(struct doctor *d)
{
	struct rlimit limit;
	enum doctor_level level = DOCTOR_OK;
	const char *remedy = "";

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	if (limit.rlim_max < FDS_FEW) {
		level = limit.rlim_max < FDS_TOO_FEW ? DOCTOR_NO : DOCTOR_WARN;
		remedy = ": raise the hard limit (ulimit -Hn, LimitNOFILE=)";
	}
	doctor_say(d, level, "descriptors", "%llu at most, two for each connection%s",
		   (unsigned long long)limit.rlim_max, remedy);
}

static void resolver(struct doctor *d)
{
	char text[4096], names[512] = "";
	struct bytes rest;
	size_t at = 0;

	if (!doctor_read("/etc/resolv.conf", text, sizeof(text)))
		text[0] = 0;
	for (rest = bytes_str(text); rest.n;) {
		struct bytes line = bytes_slice(rest, 0, bytes_index(rest, '\n'));
		struct bytes word = bytes_str("nameserver"), value;
		char shown[80];

		rest = bytes_slice(rest, line.n + 1, rest.n);
		if (!bytes_starts(line, word))
			continue;
		value = bytes_trim(bytes_slice(line, word.n, line.n));
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", at ? ", " : "",
				       escape_to(shown, sizeof(shown), value));
		if (at >= sizeof(names) - sizeof(shown))
			break;
	}
	if (at)
		doctor_say(d, DOCTOR_OK, "resolver", "%s (/etc/resolv.conf)", names);
	else
		doctor_say(d, DOCTOR_WARN, "resolver",
			   "/etc/resolv.conf names no server: only names in "
			   "/etc/hosts and under `hosts:` can be found");
}

static bool has_group(uint16_t group)
{
	struct tls_policy_options o = { .side = TLS_CLIENT, .groups = &group, .group_count = 1 };
	struct tls_policy *p;

	if (tls_policy_new(&o, &p, NULL) < 0)
		return false;
	tls_policy_free(p);
	return true;
}

static void groups(struct doctor *d)
{
	static const struct {
		uint16_t code;
		const char *name;
	} all[] = { { 0x11ec, "X25519MLKEM768" }, { 0x001d, "X25519" }, { 0x0017, "P-256" },
		    { 0x0018, "P-384" },	  { 0x0019, "P-521" },	{ 0x001e, "X448" } };
	char names[128] = "";
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		if (has_group(all[i].code))
			at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s",
					       at ? ", " : "", all[i].name);
	}
	if (!at)
		doctor_say(d, DOCTOR_NO, "TLS groups", "none: this libssl cannot be used");
	else if (has_group(all[0].code))
		doctor_say(d, DOCTOR_OK, "TLS groups", "%s", names);
	else
		doctor_say(
			d, DOCTOR_WARN, "TLS groups",
			"%s; not the post-quantum X25519MLKEM768, for which OpenSSL 3.5 is needed: "
			"clients that offer it get X25519",
			names);
}

static void openssl(struct doctor *d)
{
	struct err e = { 0 };

	if (tls_init(&e) < 0) {
		doctor_say(d, DOCTOR_NO, "OpenSSL", "%s", e.sentence);
		return;
	}
	doctor_say(d, DOCTOR_OK, "OpenSSL", "%s", OpenSSL_version(OPENSSL_VERSION));
	groups(d);
	tls_fini();
}

void doctor_run(struct doctor *d)
{
	struct settings ours = { 0 };

	kernel(d);
	seccomp(d);
	bump_root(d);
	admin(d, &ours);
	port(d, &ours);
	descriptors(d);
	resolver(d);
	openssl(d);
}
