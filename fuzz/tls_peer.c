/* A peer that sends anything at all, to a client session and to a server session. The first byte of
 * the input says to whom, and how the rest is cut into pieces. Beyond not crashing: what was used is
 * never more than what was fed, a failure has a sentence, and a failed session stays failed. */
#include <assert.h>
#include <stdlib.h>

#include "tls/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TO_SERVER = 1, OLD = 2, VERDICT = 4, ASK_CERT = 8, PIECES = 0xf0 };

static struct {
	struct tls_policy *client, *old_client, *server;
	struct tls_identity *identity;
} made;

static struct tls_policy *policy(enum tls_side side, uint16_t max_version)
{
	const struct tls_policy_options o = { .side = side,
					      .max_version = max_version,
					      .sessions = true };
	struct tls_policy *p;

	if (tls_policy_new(&o, &p, NULL) < 0)
		abort();
	return p;
}

static void make_once(void)
{
	struct testkit_certs certs;

	if (made.client)
		return;
	if (tls_init(NULL) < 0)
		abort();
	testkit_certs_make("P-256", &certs);
	made.identity = testkit_identity(&certs);
	testkit_certs_fini(&certs);
	made.client = policy(TLS_CLIENT, 0);
	made.old_client = policy(TLS_CLIENT, 0x0303);
	made.server = policy(TLS_SERVER, 0);
}

static void drop_session(void *ctx, struct tls_session *s)
{
	(void)ctx;
	tls_session_free(s);
}

static struct tls *make_session(uint8_t how, struct buf *out)
{
	struct tls_client_options c = { .policy = how & OLD ? made.old_client : made.client,
					.sni = bytes_str("leaf.test"),
					.alpn = bytes_str("\x02h2"),
					.ask_verdict = how & VERDICT,
					.hooks = { .on_session = drop_session } };
	struct tls_server_options s = { .policy = made.server,
					.identity = made.identity,
					.alpn = bytes_str("h2"),
					.ask_client_cert = how & ASK_CERT };
	struct tls *t;
	int r = how & TO_SERVER ? tls_server_new(&s, out, &t, NULL)
				: tls_client_new(&c, out, &t, NULL);

	if (r < 0)
		abort();
	return t;
}

/* What a session can be asked at any time. */
static void ask(const struct tls *t)
{
	struct tls_info info;
	struct bytes der[16];
	size_t count;

	tls_info(t, &info);
	(void)tls_peer_alert(t);
	(void)tls_pending(t);
	if (tls_peer_chain(t, der, ARRAY_LEN(der), &count, NULL) < 0)
		return;
	for (size_t i = 0; i < count; i++)
		assert(der[i].n > 0);
}

static size_t feed(struct tls *t, struct bytes piece)
{
	struct err e = { 0 };
	uint8_t room[512];
	size_t got;
	enum tls_status s;

	tls_feed(t, piece);
	s = tls_run(t, &e);
	if (tls_wants_verdict(t)) {
		ask(t);
		tls_verdict(t, piece.n % 2 ? 0 : 42);
		s = tls_run(t, &e);
	}
	if (s == TLS_OPEN || s == TLS_CLOSED)
		s = tls_read(t, room, sizeof(room), &got, &e);
	assert(s == tls_state(t));
	assert(s != TLS_FAILED || e.sentence[0]);
	assert(tls_consumed(t) <= piece.n);
	ask(t);
	return tls_consumed(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest = bytes_of(data, size);
	struct buf out = buf_init(1 << 18);
	size_t step;
	struct tls *t;

	if (size == 0)
		return 0;
	make_once();
	step = (data[0] & PIECES) ? (size_t)(data[0] & PIECES) : size;
	t = make_session(data[0], &out);
	(void)tls_run(t, NULL);
	rest = bytes_slice(rest, 1, rest.n);
	while (rest.n && tls_state(t) != TLS_FAILED) {
		size_t used = feed(t, bytes_slice(rest, 0, step));

		if (used == 0)
			break;
		rest = bytes_slice(rest, used, rest.n);
	}
	tls_slim(t);
	tls_shutdown(t);
	tls_free(t);
	buf_fini(&out);
	return 0;
}
