/* `oriel demo`: what oriel shows, without anything else: no network, no other program, no root. What
 * stays is one capture in the working folder. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <time.h>
#include <unistd.h>

#include "base/escape.h"
#include "cmd/demo.h"
#include "cmd/tempdir.h"
#include "cmd/verbs.h"
#include "net/sock.h"
#include "proc/file.h"

#define CAPTURE_MAX ((size_t)16 << 20)
#define KEYS_MAX ((size_t)1 << 20)
#define NAMES_MAX 999

struct demo {
	char dir[PATHS_MAX];
	struct demo_authority authority;
	struct demo_server server;
	struct demo_proxy proxy;
	struct demo_tape tape[DEMO_PLACES]; /* the client's */
	struct buf capture;		    /* .secret */
};

static int visit_all(struct demo *d, struct err *e)
{
	AUTO(buf_fini) struct buf root = buf_init(KEYS_MAX);
	struct demo_visit v = { .proxy = d->proxy.settings.proxy, .now_s = time(NULL) };

	if (file_read(d->proxy.settings.ca, &root, e) < 0)
		return -1;
	v.root_pem = buf_bytes(&root);
	for (size_t i = 0; i < DEMO_PLACES; i++) {
		v.place = (enum demo_place)i;
		v.port = d->server.at[i].port;
		if (demo_client_visit(&v, &d->tape[i], e) < 0)
			return -1;
	}
	return 0;
}

static int make_capture(struct demo *d, struct err *e)
{
	AUTO(buf_fini) struct buf keys = buf_init_secret(KEYS_MAX);
	struct demo_tape *const tapes[2 * DEMO_PLACES] = { &d->tape[0], &d->tape[1],
							   &d->server.tape[0], &d->server.tape[1] };

	if (file_read_secret(d->proxy.keys, &keys, e) < 0)
		return -1;
	return demo_capture_write(&d->capture, tapes, buf_bytes(&keys), e);
}

static int play(struct demo *d, struct err *e)
{
	char at[ADDR_TEXT_MAX];

	/* The proxy is forked off before there are threads. */
	if (demo_authority_make(time(NULL), &d->authority, e) < 0 ||
	    demo_server_init(&d->server, &d->authority, time(NULL), e) < 0 ||
	    demo_proxy_start(&d->proxy, d->dir, buf_bytes(&d->authority.cert_pem), e) < 0 ||
	    demo_server_start(&d->server, e) < 0)
		return -1;
	printf("A server for %s and %s, oriel at %s, and a client\n"
	       "that trusts oriel's root; all on loopback. What oriel prints:\n\n",
	       DEMO_GOOD, DEMO_EXPIRED, addr_text(&d->proxy.settings.proxy, at));
	fflush(stdout);
	if (visit_all(d, e) < 0 || demo_proxy_stop(&d->proxy, e) < 0)
		return -1;
	demo_server_stop(&d->server);
	return make_capture(d, e);
}

/* What the proxy complained of, to understand why the play failed. */
static void show_log(const struct demo *d)
{
	AUTO(buf_fini) struct buf log = buf_init(KEYS_MAX);
	struct bytes rest;
	char shown[500];

	if (file_read(d->proxy.log, &log, NULL) < 0)
		return;
	for (rest = buf_bytes(&log); rest.n;) {
		struct bytes line = bytes_slice(rest, 0, bytes_index(rest, '\n'));

		rest = bytes_slice(rest, line.n + 1, rest.n);
		fprintf(stderr, "%s\n", escape_to(shown, sizeof(shown), line));
	}
}

static int in_folder(struct demo *d, struct err *e)
{
	struct err late = { 0 };
	int r;

	if (tempdir_make(d->dir, e) < 0)
		return -1;
	r = play(d, e);
	if (r < 0)
		show_log(d);
	if (demo_proxy_stop(&d->proxy, &late) < 0 || tempdir_remove(d->dir, &late) < 0)
		fprintf(stderr, "oriel: %s\n", late.sentence);
	return r;
}

/* Never over a file that is there. */
static int save(const struct demo *d, char name[64], struct err *e)
{
	struct bytes rest = buf_bytes(&d->capture);
	AUTO(sock_close) int fd = -1;

	for (unsigned i = 1; fd < 0; i++) {
		if (i == 1)
			snprintf(name, 64, "oriel-demo.pcapng");
		else
			snprintf(name, 64, "oriel-demo-%u.pcapng", i);
		if (file_make_secret(name, &fd, e) < 0 &&
		    (e->code != ERR_UNSAFE_FILE || i == NAMES_MAX))
			return -1;
	}
	while (rest.n) {
		ssize_t n = write(fd, rest.p, rest.n);

		if (n < 0)
			return FAIL_SYS(e, FILE, "%s", name);
		rest = bytes_slice(rest, (size_t)n, rest.n);
	}
	return 0;
}

static void say_how_to_open(const char *name)
{
	printf("\nThe same in packets, with the keys to decrypt it: %s\n"
	       "  wireshark %s\n"
	       "  tshark -r %s -Y http\n"
	       "Both legs are in it: the client's handshake with oriel, and oriel's with the "
	       "server.\n"
	       "It holds session secrets, so only you can read it. Next: oriel run\n",
	       name, name, name);
}

static int run(struct demo *d, struct err *e)
{
	char name[64];

	if (getauxval(AT_SECURE))
		return FAIL(e, UNSUPPORTED,
			    "demo: not with file capabilities or set-user-ID: it would have "
			    "to ignore its own folder");
	if (tls_init(e) < 0 || in_folder(d, e) < 0 || save(d, name, e) < 0)
		return -1;
	say_how_to_open(name);
	return 0;
}

/* Ctrl-C reaches the proxy, and so ends the play; the folder is removed all the same. */
static void hold_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, before);
	signal(SIGPIPE, SIG_IGN);
}

int demo_verb(const struct args_verb *verb, void *args)
{
	struct demo d = { .server.listener = { -1, -1 }, .capture = buf_init_secret(CAPTURE_MAX) };
	struct err e = { 0 };
	sigset_t before;
	int status = EXIT_OK;

	(void)verb;
	(void)args;
	hold_signals(&before);
	for (size_t i = 0; i < DEMO_PLACES; i++)
		demo_tape_init(&d.tape[i]);
	if (run(&d, &e) < 0)
		status = verb_fail(&e);
	demo_server_fini(&d.server);
	demo_authority_fini(&d.authority);
	for (size_t i = 0; i < DEMO_PLACES; i++)
		demo_tape_fini(&d.tape[i]);
	buf_fini(&d.capture);
	tls_fini();
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}
