/* A handshake with a server for the sake of its chain: on a socket that blocks, with bounded waits,
 * ended with close_notify as soon as the chain is there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "base/escape.h"
#include "cmd/certs_input.h"
#include "net/dial.h"
#include "net/sock.h"
#include "proc/file.h"
#include "tls/tls.h"
#include "wire/addr.h"

#define PATIENCE_S 10
#define CIPHER_MAX ((size_t)512 << 10)
#define READ_SIZE 16384
#define HOSTS_FILE_MAX ((size_t)16 << 20)
#define CHAIN_MAX 64

struct reached {
	struct loop *loop;
	int fd;
	enum dial_result result;
	char detail[200];
};

static void on_dialled(void *ctx, enum dial_result r, int fd, const struct addr *tried,
		       struct bytes detail)
{
	struct reached *at = ctx;

	(void)tried;
	at->result = r;
	at->fd = fd;
	escape_to(at->detail, sizeof(at->detail), detail);
	loop_stop(at->loop);
}

static int dial(struct reached *r, struct resolver *resolver, struct bytes host, uint16_t port,
		struct err *e)
{
	struct dial_options o = {
		.resolver = resolver, .host = host, .port = port, .done = on_dialled, .ctx = r
	};
	struct dial *under_way;

	if (dial_start(r->loop, &o, &under_way, e) < 0)
		return -1;
	loop_run(r->loop);
	switch (r->result) {
	case DIAL_OK:
		return 0;
	case DIAL_NO_NAME:
	case DIAL_DNS_FAILED:
		return FAIL(e, DNS, "%s", r->detail);
	case DIAL_TIMEOUT:
		return FAIL(e, TIMEOUT, "it does not answer: %s", r->detail);
	case DIAL_REFUSED:
	case DIAL_UNREACHABLE:
	case DIAL_DENIED:
	case DIAL_FAULT:
		break;
	}
	return FAIL(e, CONNECT, "%s", r->detail);
}

static int reach(struct bytes host, uint16_t port, int *fd, struct err *e)
{
	AUTO(buf_fini) struct buf hosts = buf_init(HOSTS_FILE_MAX);
	struct resolver_options o = { 0 };
	struct resolver *resolver = NULL;
	struct reached r = { .fd = -1 };
	int done;

	if (loop_new(&r.loop, e) < 0)
		return -1;
	if (file_read("/etc/hosts", &hosts, NULL) == 0)
		o.hosts_file = buf_bytes(&hosts);
	done = resolver_new(r.loop, &o, &resolver, e);
	if (done == 0)
		done = dial(&r, resolver, host, port, e);
	resolver_free(resolver);
	loop_free(r.loop);
	*fd = r.fd;
	return done;
}

static int make_patient(int fd, struct err *e)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return FAIL_SYS(e, SYSTEM, "a socket");
	return 0;
}

/* The session borrows what is in there until it is gone. */
struct line {
	int fd;
	struct tls *tls;
	struct buf in, out; /* ciphertext */
};

static int flush(struct line *l, struct err *e)
{
	while (l->out.n) {
		size_t done = 0;

		if (sock_write(l->fd, buf_bytes(&l->out), &done) != SOCK_DONE)
			return FAIL(e, CLOSED, "it hung up during the handshake");
		buf_take(&l->out, done);
	}
	return 0;
}

static int receive(struct line *l, struct err *e)
{
	uint8_t *room;
	size_t got = 0;

	if (buf_reserve(&l->in, READ_SIZE, &room, e) < 0)
		return -1;
	switch (sock_read(l->fd, room, READ_SIZE, &got)) {
	case SOCK_DONE:
		buf_commit(&l->in, got);
		tls_feed(l->tls, buf_bytes(&l->in));
		return 0;
	case SOCK_AGAIN:
		return FAIL(e, TIMEOUT, "it is silent for %d s during the handshake", PATIENCE_S);
	case SOCK_END:
	case SOCK_RESET:
	case SOCK_FAILED:
		break;
	}
	return FAIL(e, CLOSED, "it hung up during the handshake: does it speak TLS on this port?");
}

/* Until the server's chain is there. */
static int shake(struct line *l, struct err *e)
{
	for (;;) {
		enum tls_status status = tls_run(l->tls, e);

		buf_take(&l->in, tls_consumed(l->tls));
		tls_feed(l->tls, buf_bytes(&l->in));
		if (flush(l, status == TLS_FAILED ? NULL : e) < 0 || status == TLS_FAILED)
			return -1;
		if (status != TLS_HANDSHAKING || tls_wants_verdict(l->tls))
			return 0;
		if (receive(l, e) < 0)
			return -1;
	}
}

static int keep_chain(struct tls *tls, struct material *m, struct err *e)
{
	struct bytes chain[CHAIN_MAX];
	size_t count = 0;

	if (tls_peer_chain(tls, chain, CHAIN_MAX, &count, e) < 0)
		return -1;
	if (count == 0)
		return FAIL(e, CERT, "it sends no certificate");
	for (size_t i = 0; i < count; i++) {
		if (material_add(m, MATERIAL_CERT, chain[i], e) < 0)
			return -1;
	}
	return 0;
}

/* The handshake is ended in order, as far as the server allows, so that it has nothing to complain of. */
static void part(struct line *l)
{
	if (tls_wants_verdict(l->tls))
		tls_verdict(l->tls, 0);
	if (tls_run(l->tls, NULL) == TLS_OPEN)
		tls_shutdown(l->tls);
	(void)flush(l, NULL);
}

static int talk(struct line *l, struct bytes host, struct material *m, struct err *e)
{
	struct tls_policy_options po = { .side = TLS_CLIENT };
	struct tls_client_options o = { .ask_verdict = true };
	struct addr literal;
	int done;

	if (!addr_parse_ip(host, 0, &literal))
		o.sni = host;
	if (tls_policy_new(&po, &o.policy, e) < 0)
		return -1;
	done = tls_client_new(&o, &l->out, &l->tls, e);
	if (done == 0)
		done = shake(l, e);
	if (done == 0)
		done = keep_chain(l->tls, m, e);
	if (done == 0)
		part(l);
	tls_free(l->tls);
	tls_policy_free(o.policy);
	return done;
}

int certs_fetch(struct bytes host, uint16_t port, struct material *m, struct err *e)
{
	struct line l = { .fd = -1, .in = buf_init(CIPHER_MAX), .out = buf_init(CIPHER_MAX) };
	char name[300];
	int done = tls_init(e);

	if (done == 0)
		done = reach(host, port, &l.fd, e);
	if (done == 0)
		done = make_patient(l.fd, e);
	if (done == 0)
		done = talk(&l, host, m, e);
	sock_close(&l.fd);
	buf_fini(&l.in);
	buf_fini(&l.out);
	if (done < 0)
		return err_ctx(e, "%.200s port %u", escape_to(name, sizeof(name), host), port);
	return 0;
}
