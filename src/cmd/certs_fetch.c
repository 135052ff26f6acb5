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

static int flush(int fd, struct buf *out, struct err *e)
{
	while (out->n) {
		size_t done = 0;

		if (sock_write(fd, buf_bytes(out), &done) != SOCK_DONE)
			return FAIL(e, CLOSED, "it hung up during the handshake");
		buf_take(out, done);
	}
	return 0;
}

static int receive(int fd, struct buf *in, struct err *e)
{
	uint8_t *room;
	size_t got = 0;

	if (buf_reserve(in, READ_SIZE, &room, e) < 0)
		return -1;
	switch (sock_read(fd, room, READ_SIZE, &got)) {
	case SOCK_DONE:
		buf_commit(in, got);
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
static int shake(int fd, struct tls *tls, struct buf *out, struct err *e)
{
	AUTO(buf_fini) struct buf in = buf_init(CIPHER_MAX);

	for (;;) {
		enum tls_status status = tls_run(tls, e);

		buf_take(&in, tls_consumed(tls));
		tls_feed(tls, buf_bytes(&in));
		if (flush(fd, out, status == TLS_FAILED ? NULL : e) < 0 || status == TLS_FAILED)
			return -1;
		if (status != TLS_HANDSHAKING || tls_wants_verdict(tls))
			return 0;
		if (receive(fd, &in, e) < 0)
			return -1;
		tls_feed(tls, buf_bytes(&in));
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
static void part(int fd, struct tls *tls, struct buf *out)
{
	if (tls_wants_verdict(tls))
		tls_verdict(tls, 0);
	if (tls_run(tls, NULL) == TLS_OPEN)
		tls_shutdown(tls);
	(void)flush(fd, out, NULL);
}

static int talk(int fd, struct bytes host, struct material *m, struct err *e)
{
	AUTO(buf_fini) struct buf out = buf_init(CIPHER_MAX);
	struct tls_policy_options po = { .side = TLS_CLIENT };
	struct tls_client_options o = { .ask_verdict = true };
	struct addr literal;
	struct tls *tls = NULL;
	int done;

	if (!addr_parse_ip(host, 0, &literal))
		o.sni = host;
	if (tls_policy_new(&po, &o.policy, e) < 0)
		return -1;
	done = tls_client_new(&o, &out, &tls, e);
	if (done == 0)
		done = shake(fd, tls, &out, e);
	if (done == 0)
		done = keep_chain(tls, m, e);
	if (done == 0)
		part(fd, tls, &out);
	tls_free(tls);
	tls_policy_free(o.policy);
	return done;
}

int certs_fetch(struct bytes host, uint16_t port, struct material *m, struct err *e)
{
	AUTO(sock_close) int fd = -1;
	char name[300];
	int done = tls_init(e);

	if (done == 0)
		done = reach(host, port, &fd, e);
	if (done == 0)
		done = make_patient(fd, e);
	if (done == 0)
		done = talk(fd, host, m, e);
	if (done < 0)
		return err_ctx(e, "%.200s port %u", escape_to(name, sizeof(name), host), port);
	return 0;
}
