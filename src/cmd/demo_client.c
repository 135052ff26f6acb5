/* The client verifies as any client does, with the bump root for its one root: the good place it
 * accepts, the expired one it must not. */
#include <errno.h>

#include "cmd/demo.h"
#include "net/sock.h"
#include "pki/verify.h"
#include "wire/alert.h"

#define MESSAGE_MAX ((size_t)64 << 10)
#define CHAIN_MAX 8

static const char *const names[] = { [DEMO_AT_GOOD] = DEMO_GOOD, [DEMO_AT_EXPIRED] = DEMO_EXPIRED };

static int connect_through(struct demo_end *d, const struct demo_visit *v, struct err *e)
{
	AUTO(buf_fini) struct buf b = buf_init(MESSAGE_MAX);
	const char *name = names[v->place];

	if (buf_printf(&b, e, "CONNECT %s:%u HTTP/1.1\r\nHost: %s:%u\r\n\r\n", name, v->port, name,
		       v->port) < 0 ||
	    demo_end_send(d, buf_bytes(&b), e) < 0)
		return -1;
	buf_clear(&b);
	while (b.n < 4 || memcmp(b.p + b.n - 4, "\r\n\r\n", 4) != 0) {
		if (demo_end_receive(d, &b, e) < 0)
			return -1;
	}
	if (!bytes_starts(buf_bytes(&b), bytes_str("HTTP/1.1 200 ")))
		return FAIL(e, REFUSED, "oriel did not connect to %s", name);
	return 0;
}

static int verify(const struct demo_visit *v, struct tls *tls, struct verdict *out, struct err *e)
{
	struct verifier_options o = { 0 };
	struct verify_request q = { .name = bytes_str(names[v->place]), .now_s = v->now_s };
	struct bytes chain[CHAIN_MAX];
	struct verifier *verifier;
	size_t read, skipped;
	int r;

	if (tls_peer_chain(tls, chain, CHAIN_MAX, &q.count, e) < 0 ||
	    trust_new(v->root_pem, &o.trust, &read, &skipped, e) < 0)
		return -1;
	q.der = chain;
	r = verifier_new(&o, &verifier, e);
	trust_free(o.trust);
	if (r < 0)
		return -1;
	r = verifier_check(verifier, &q, out, e);
	verifier_free(verifier);
	return r;
}

/* The handshake, the verdict included. */
static int shake(struct demo_end *d, const struct demo_visit *v, struct verdict *verdict,
		 struct err *e)
{
	if (demo_end_shake(d, e) < 0 || verify(v, d->tls, verdict, e) < 0)
		return -1;
	tls_verdict(d->tls, verdict->result == VERIFY_OK ? 0 : ALERT_CERTIFICATE_EXPIRED);
	if (demo_end_shake(d, e) < 0 && verdict->result == VERIFY_OK)
		return -1;
	return 0;
}

/* Asks, and waits for the whole answer. */
static int ask(struct demo_end *d, const struct demo_visit *v, const char *line, const char *body,
	       struct err *e)
{
	AUTO(buf_fini) struct buf b = buf_init(MESSAGE_MAX);

	if (buf_printf(&b, e, "%s HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: oriel-demo\r\n", line,
		       names[v->place], v->port) < 0)
		return -1;
	if (body && buf_printf(&b, e, "Content-Type: application/json\r\nContent-Length: %zu\r\n",
			       strlen(body)) < 0)
		return -1;
	if (buf_printf(&b, e, "\r\n%s", body ? body : "") < 0 ||
	    demo_end_write(d, buf_bytes(&b), e) < 0)
		return -1;
	buf_clear(&b);
	return demo_end_read_message(d, &b, e);
}

static int shop(struct demo_end *d, const struct demo_visit *v, struct err *e)
{
	static const char login[] = "{\"user\": \"ada\", \"password\": \"enchantress\"}";

	return ask(d, v, "GET /items?colour=blue", NULL, e) < 0
		       ? -1
		       : ask(d, v, "POST /login", login, e);
}

static int talk(struct demo_end *d, const struct demo_visit *v, struct err *e)
{
	static const uint8_t alpn[] = "\x08http/1.1";
	struct tls_policy_options po = { .side = TLS_CLIENT };
	struct tls_client_options o = { .sni = bytes_str(names[v->place]),
					.alpn = bytes_of(alpn, sizeof(alpn) - 1),
					.ask_verdict = true };
	struct verdict verdict;
	int r;

	if (connect_through(d, v, e) < 0 || tls_policy_new(&po, &o.policy, e) < 0)
		return -1;
	r = tls_client_new(&o, &d->out, &d->tls, e);
	tls_policy_free(o.policy);
	if (r < 0 || shake(d, v, &verdict, e) < 0)
		return -1;
	if ((verdict.result == VERIFY_OK) != (v->place == DEMO_AT_GOOD))
		return FAIL(e, CERT, "%s: %s", names[v->place], verdict.reason);
	return verdict.result == VERIFY_OK ? shop(d, v, e) : 0;
}

int demo_client_visit(const struct demo_visit *v, struct demo_tape *tape, struct err *e)
{
	struct demo_end d;
	int fd, r;

	if (sock_connect(&v->proxy, &fd, e) < 0)
		return -1;
	r = demo_end_init(&d, fd, false, tape, e);
	if (r == 0)
		r = talk(&d, v, e);
	demo_end_fini(&d);
	return r < 0 ? err_ctx(e, "the client") : 0;
}
