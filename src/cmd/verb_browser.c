/* `oriel browser`: Chromium or Firefox with a profile that is made for it and removed after it, the
 * proxy, and the bump root in a certificate database of its own. So certificates are judged as ever:
 * what oriel mirrors as bad is bad in the browser, too. (Chromium's option to ignore errors by key
 * would accept those as well.) */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/environment.h"
#include "cmd/nss.h"
#include "cmd/program.h"
#include "cmd/tempdir.h"
#include "cmd/verbs.h"
#include "net/loop.h"
#include "proc/file.h"

#define START_PAGE "http://oriel.internal/"
#define NICKNAME "oriel bump root"
#define WORDS_MAX 320
#define END_NS ((int64_t)5 * 1000000000) /* for a browser that was told to end */
#define STRAY_NS ((int64_t)2 * 1000000000)
#define TICK_MS 50

const struct args_option browser_options[] = {
	{ "browser", 0, "PROGRAM",
	  "this one, instead of the first there is: chromium, chrome, firefox" },
	ADMIN_OPTION,
	{ 0 },
};

enum family { CHROMIUM, FIREFOX };

/* clang-format off */
static const struct {
	const char *program;
	enum family family;
} known[] = {
	{ "chromium", CHROMIUM },	       { "chromium-browser", CHROMIUM },
	{ "google-chrome-stable", CHROMIUM }, { "google-chrome", CHROMIUM },
	{ "firefox", FIREFOX },	       { "firefox-esr", FIREFOX },
};
/* clang-format on */

struct browser {
	const struct args *args;
	struct settings s;
	enum family family;
	char program[PATHS_MAX];
	char dir[PATHS_MAX];	 /* everything of this run; its HOME */
	char profile[PATHS_MAX]; /* in it */
};

static int find(struct browser *b, struct err *e)
{
	const char *wanted = args_value(b->args, "browser");
	char shown[256];

	if (wanted) {
		b->family = strstr(wanted, "firefox") ? FIREFOX : CHROMIUM;
		if (program_find(wanted, b->program))
			return 0;
		return FAIL(e, FILE, "there is no browser %s here",
			    escape_to(shown, sizeof(shown), bytes_str(wanted)));
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		b->family = known[i].family;
		if (program_find(known[i].program, b->program))
			return 0;
	}
	return FAIL(e, FILE,
		    "there is neither Chromium nor Firefox here: install one, or name a program "
		    "like them "
		    "with --browser");
}

/* --- the profile --- */

/* Nothing but what is asked for shall come through the proxy. */
static const char firefox_quiet[] =
	"user_pref(\"network.proxy.type\", 1);\n"
	"user_pref(\"network.proxy.share_proxy_settings\", true);\n"
	"user_pref(\"network.proxy.no_proxies_on\", \"\");\n"
	"user_pref(\"network.proxy.allow_hijacking_localhost\", true);\n"
	"user_pref(\"network.trr.mode\", 5);\n"
	"user_pref(\"network.http.http3.enable\", false);\n"
	"user_pref(\"network.captive-portal-service.enabled\", false);\n"
	"user_pref(\"network.connectivity-service.enabled\", false);\n"
	"user_pref(\"network.prefetch-next\", false);\n"
	"user_pref(\"browser.shell.checkDefaultBrowser\", false);\n"
	"user_pref(\"browser.aboutwelcome.enabled\", false);\n"
	"user_pref(\"browser.startup.homepage_override.mstone\", \"ignore\");\n"
	"user_pref(\"browser.newtabpage.enabled\", false);\n"
	"user_pref(\"browser.safebrowsing.malware.enabled\", false);\n"
	"user_pref(\"browser.safebrowsing.phishing.enabled\", false);\n"
	"user_pref(\"browser.region.update.enabled\", false);\n"
	"user_pref(\"browser.region.network.url\", \"\");\n"
	"user_pref(\"browser.search.update\", false);\n"
	"user_pref(\"app.normandy.enabled\", false);\n"
	"user_pref(\"app.update.auto\", false);\n"
	"user_pref(\"extensions.update.enabled\", false);\n"
	"user_pref(\"extensions.getAddons.cache.enabled\", false);\n"
	"user_pref(\"media.gmp-manager.updateEnabled\", false);\n"
	"user_pref(\"dom.push.connection.enabled\", false);\n"
	"user_pref(\"services.settings.server\", \"data:,\");\n"
	"user_pref(\"datareporting.policy.dataSubmissionEnabled\", false);\n"
	"user_pref(\"datareporting.healthreport.uploadEnabled\", false);\n"
	"user_pref(\"toolkit.telemetry.unified\", false);\n"
	"user_pref(\"security.OCSP.enabled\", 0);\n";

static int write_firefox_profile(const struct browser *b, struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(65536);
	char host[ADDR_TEXT_MAX], path[PATHS_MAX];

	proxy_host(&b->s, host);
	if (buf_add(&text, bytes_str(firefox_quiet), e) < 0)
		return -1;
	for (size_t i = 0; i < 2; i++) {
		const char *scheme = i ? "ssl" : "http";

		if (buf_printf(&text, e,
			       "user_pref(\"network.proxy.%s\", \"%s\");\n"
			       "user_pref(\"network.proxy.%s_port\", %u);\n",
			       scheme, host, scheme, b->s.proxy.port) < 0)
			return -1;
	}
	return paths_join(path, b->profile, "user.js", e) < 0
		       ? -1
		       : file_write(path, buf_bytes(&text), 0600, e);
}

/* Firefox has its database in the profile, Chromium the one below HOME. */
static int make_profile(struct browser *b, struct err *e)
{
	char database[PATHS_MAX];

	if (paths_join(b->profile, b->dir, "profile", e) < 0 ||
	    paths_join(database, b->dir, b->family == FIREFOX ? "profile" : ".pki/nssdb", e) < 0 ||
	    file_make_private_dir(b->profile, e) < 0 || nss_make(database, e) < 0 ||
	    nss_add(database, NICKNAME, b->s.ca, e) < 0)
		return -1;
	return b->family == FIREFOX ? write_firefox_profile(b, e) : 0;
}

/* --- the command line --- */

struct words {
	const char *list[WORDS_MAX];
	size_t count;
	char profile[PATHS_MAX + 32], proxy[PROXY_URL_MAX + 32];
};

static void add(struct words *w, const char *word)
{
	if (w->count < WORDS_MAX - 1)
		w->list[w->count++] = word;
}

static void chromium_words(const struct browser *b, struct words *w)
{
	static const char *const quiet[] = {
		"--no-first-run",
		"--no-default-browser-check",
		"--disable-sync",
		"--disable-background-networking",
		"--disable-default-apps",
		"--disable-component-update",
		"--disable-domain-reliability",
		"--disable-breakpad",
		"--no-pings",
		"--metrics-recording-only",
		"--allow-browser-signin=false",
		"--disable-component-extensions-with-background-pages",
		"--disable-features=OptimizationHints,MediaRouter,Translate",
		"--disable-client-side-phishing-detection",
		"--password-store=basic",
	};
	char url[PROXY_URL_MAX];

	snprintf(w->profile, sizeof(w->profile), "--user-data-dir=%s", b->profile);
	snprintf(w->proxy, sizeof(w->proxy), "--proxy-server=%s", proxy_url(&b->s, url));
	add(w, w->profile);
	add(w, w->proxy);
	add(w, "--proxy-bypass-list=<-loopback>"); /* else it goes around it for localhost */
	for (size_t i = 0; i < ARRAY_LEN(quiet); i++)
		add(w, quiet[i]);
	if (geteuid() == 0) {
		fprintf(stderr, "oriel: Chromium's own sandbox does not work for root and is off "
				"(--no-sandbox): open only pages that you trust\n");
		add(w, "--no-sandbox");
	}
}

static void firefox_words(const struct browser *b, struct words *w)
{
	add(w, "--no-remote");
	add(w, "--new-instance");
	add(w, "--profile");
	add(w, b->profile);
}

static void command_line(const struct browser *b, struct words *w)
{
	add(w, b->program);
	if (b->family == FIREFOX)
		firefox_words(b, w);
	else
		chromium_words(b, w);
	for (char **more = b->args->command; more && *more; more++)
		add(w, *more);
	add(w, b->args->operand_count ? b->args->operands[0] : START_PAGE);
	w->list[w->count] = NULL;
}

/* --- its life --- */

static void watched(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGCHLD);
}

/* HOME is where Chromium looks for certificates; the X server's key stays where it was. */
static void set_homes(const char *dir)
{
	static const char *const below_home[] = { "XDG_CONFIG_HOME", "XDG_DATA_HOME",
						  "XDG_CACHE_HOME", "XDG_STATE_HOME" };
	const char *home = getenv("HOME");
	char path[PATHS_MAX];

	if (home && !getenv("XAUTHORITY") && paths_join(path, home, ".Xauthority", NULL) == 0 &&
	    access(path, R_OK) == 0)
		setenv("XAUTHORITY", path, 1);
	setenv("HOME", dir, 1);
	setenv("TMPDIR", dir, 1);
	for (size_t i = 0; i < ARRAY_LEN(below_home); i++)
		unsetenv(below_home[i]);
}

static void become(const struct browser *b, const struct words *w)
{
	union {
		const char *const *given;
		char *const *wanted; /* execv changes nothing of it */
	} words = { .given = w->list };
	sigset_t set;

	watched(&set);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	(void)setpgid(0, 0);
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	set_homes(b->dir);
	execv(b->program, words.wanted);
	_exit(127);
}

/* Waits for the browser; passes on what tells it to end, and insists after a while. */
static int wait_for(pid_t pid)
{
	struct timespec tick = { .tv_nsec = (long)TICK_MS * 1000000 };
	int64_t kill_at = 0;
	sigset_t set;
	int status;

	watched(&set);
	while (waitpid(pid, &status, WNOHANG) != pid) {
		int got = sigtimedwait(&set, NULL, &tick);

		if (got == SIGINT || got == SIGTERM || got == SIGHUP) {
			kill(-pid, SIGTERM);
			kill_at = clock_mono_ns() + END_NS;
		}
		if (kill_at && clock_mono_ns() > kill_at)
			kill(-pid, SIGKILL);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Its processes that outlive it are ours (PR_SET_CHILD_SUBREAPER): they would go on writing. */
static void reap_strays(pid_t group)
{
	int64_t until = clock_mono_ns() + STRAY_NS;
	struct timespec tick = { .tv_nsec = (long)TICK_MS * 1000000 };
	pid_t one;

	kill(-group, SIGTERM);
	while ((one = waitpid(-1, NULL, WNOHANG)) >= 0 && clock_mono_ns() < until) {
		if (one == 0)
			nanosleep(&tick, NULL);
	}
	kill(-group, SIGKILL);
}

static int run(const struct browser *b, int *status, struct err *e)
{
	struct words w = { .count = 0 };
	sigset_t set;
	pid_t pid;

	command_line(b, &w);
	watched(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	fflush(NULL);
	pid = fork();
	if (pid < 0)
		return FAIL_SYS(e, SYSTEM, "%s", b->program);
	if (pid == 0)
		become(b, &w);
	(void)setpgid(pid, pid);
	*status = wait_for(pid);
	reap_strays(pid);
	return 0;
}

static int with_profile(struct browser *b, int *status, struct err *e)
{
	struct err late = { 0 };
	int r;

	if (tempdir_make(b->dir, e) < 0)
		return -1;
	r = make_profile(b, e);
	if (r == 0) {
		fprintf(stderr,
			"oriel: %s with a profile of its own in %s; all of it, downloads too, is "
			"removed "
			"at the end\n",
			b->program, b->dir);
		r = run(b, status, e);
	}
	if (tempdir_remove(b->dir, &late) < 0)
		fprintf(stderr, "oriel: %s\n", late.sentence);
	return r;
}

int browser_verb(const struct args_verb *verb, void *args)
{
	struct browser b = { .args = args };
	struct err e = { 0 };
	int status = EXIT_FAULT;

	(void)verb;
	if (settings_ask_proxy(args_value(b.args, "admin"), &b.s, &e) < 0 || find(&b, &e) < 0 ||
	    nss_check(&e) < 0 || with_profile(&b, &status, &e) < 0)
		return verb_fail(&e);
	return status;
}
