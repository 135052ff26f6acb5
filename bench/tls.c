/* What TLS itself costs: two sessions in memory, no sockets. Prints one JSON line: microseconds of
 * CPU for each side of full and resumed handshakes (a session is made, opened, asked for its chain
 * and freed; resumed ones against a server of libssl alone, for ours gives no tickets), KiB of heap
 * for each idle session, and megabytes a second through tls_write and tls_read together.
 * usage: bench_tls [seconds for each figure] [P-256 | P-384 | RSA | ED25519] */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tls/testkit.h"

#define CHUNK ((size_t)128 << 10)
#define IDLE_COUNT 200

struct side {
	double us;
	struct tls_policy *policy;
	struct tls_identity *identity;
	struct tls_session *session;
	bool secrets;
};

struct bench {
	double seconds;
	const char *kind;
	struct side client, server;
	size_t resumed;
};

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const struct err *e)
{
	fprintf(stderr, "bench_tls: %s\n", e->sentence);
	exit(1);
}

static void keep_session(void *ctx, struct tls_session *s)
{
	struct side *side = ctx;

	tls_session_free(side->session);
	side->session = s;
}

static void ignore_secret(void *ctx, struct bytes line)
{
	(void)ctx;
	(void)line;
}

static struct tls *open_client(struct bench *b, struct buf *out)
{
	struct tls_client_options o = { .policy = b->client.policy,
					.sni = bytes_str("leaf.test"),
					.alpn = bytes_of("\x02h2\x08http/1.1", 12),
					.session = b->client.session,
					.hooks = { .on_session = keep_session,
						   .ctx = &b->client } };
	struct tls *t;
	struct err e;

	if (b->client.secrets)
		o.hooks.on_secret = ignore_secret;
	if (tls_client_new(&o, out, &t, &e) < 0)
		die(&e);
	return t;
}

static struct tls *open_server(struct bench *b, struct buf *out)
{
	struct tls_server_options o = { .policy = b->server.policy,
					.identity = b->server.identity,
					.alpn = bytes_str("h2") };
	struct tls *t;
	struct err e;

	if (b->server.secrets)
		o.hooks.on_secret = ignore_secret;
	if (tls_server_new(&o, out, &t, &e) < 0)
		die(&e);
	return t;
}

static void step(struct tls *t, struct buf *in, double *us)
{
	double start = now_us();
	uint8_t room[1024];
	struct err e;
	size_t got;

	tls_feed(t, buf_bytes(in));
	if (tls_run(t, &e) == TLS_FAILED)
		die(&e);
	if (tls_state(t) == TLS_OPEN && tls_read(t, room, sizeof(room), &got, &e) == TLS_FAILED)
		die(&e);
	buf_take(in, tls_consumed(t));
	*us += now_us() - start;
}

static void handshake(struct bench *b)
{
	struct buf up = buf_init(1 << 18), down = buf_init(1 << 18);
	double start = now_us();
	struct tls *server = open_server(b, &down), *client;
	struct bytes der[8];
	struct tls_info info;
	size_t count;

	b->server.us += now_us() - start;
	start = now_us();
	client = open_client(b, &up);
	b->client.us += now_us() - start;
	do {
		step(client, &down, &b->client.us);
		step(server, &up, &b->server.us);
	} while (tls_state(server) != TLS_OPEN || down.n);
	start = now_us();
	tls_info(client, &info);
	b->resumed += info.resumed;
	if (tls_peer_chain(client, der, ARRAY_LEN(der), &count, NULL) < 0 || count != 2)
		exit(1);
	tls_free(client);
	b->client.us += now_us() - start;
	start = now_us();
	tls_free(server);
	b->server.us += now_us() - start;
	buf_fini(&up);
	buf_fini(&down);
}

static struct tls_policy *policy(enum tls_side side, uint16_t version, bool sessions)
{
	static const uint16_t groups[] = { 0x1d, 0x17, 0x18 };
	struct tls_policy_options o = { .side = side,
					.max_version = version,
					.groups = groups,
					.group_count = ARRAY_LEN(groups),
					.sessions = sessions };
	struct tls_policy *p;
	struct err e;

	if (tls_policy_new(&o, &p, &e) < 0)
		die(&e);
	return p;
}

static void bench_full(struct bench *b, uint16_t version, const char *name)
{
	size_t n = 0;

	b->client.policy = policy(TLS_CLIENT, version, false);
	b->server.policy = policy(TLS_SERVER, version, false);
	handshake(b);
	b->client.us = b->server.us = 0;
	for (; b->client.us + b->server.us < b->seconds * 1e6; n++)
		handshake(b);
	printf("\"%s_client_us\":%.1f,\"%s_server_us\":%.1f,", name, b->client.us / (double)n, name,
	       b->server.us / (double)n);
	tls_policy_free(b->client.policy);
	tls_policy_free(b->server.policy);
}

static double bench_bulk(struct bench *b)
{
	struct buf up = buf_init(1 << 20), down = buf_init(1 << 20);
	struct tls *client, *server;
	static uint8_t plain[CHUNK], back[CHUNK + 4096];
	double us = 0, start, bytes = 0;
	struct err e;

	b->client.policy = policy(TLS_CLIENT, 0x0304, false);
	b->server.policy = policy(TLS_SERVER, 0x0304, false);
	server = open_server(b, &down);
	client = open_client(b, &up);
	do {
		step(client, &down, &us);
		step(server, &up, &us);
	} while (tls_state(server) != TLS_OPEN || down.n);
	for (start = now_us(); now_us() - start < b->seconds * 1e6;) {
		size_t got = 0;

		if (tls_write(server, bytes_of(plain, CHUNK), &e) < 0)
			die(&e);
		tls_feed(client, buf_bytes(&down));
		if (tls_read(client, back, sizeof(back), &got, &e) == TLS_FAILED || got != CHUNK)
			die(&e);
		buf_take(&down, tls_consumed(client));
		bytes += (double)CHUNK;
	}
	us = now_us() - start;
	tls_free(client);
	tls_free(server);
	tls_policy_free(b->client.policy);
	tls_policy_free(b->server.policy);
	buf_fini(&up);
	buf_fini(&down);
	return bytes / us;
}

static void open_idle(struct bench *b, struct tls **client, struct tls **server)
{
	struct buf up = buf_init(1 << 18), down = buf_init(1 << 18);
	double us = 0;

	*server = open_server(b, &down);
	*client = open_client(b, &up);
	do {
		step(*client, &down, &us);
		step(*server, &up, &us);
	} while (tls_state(*server) != TLS_OPEN || down.n);
	tls_slim(*client);
	tls_slim(*server);
	buf_fini(&up);
	buf_fini(&down);
}

/* KiB that freeing them gives back, for each. */
static double bench_idle(struct bench *b, bool clients)
{
	static struct tls *client[IDLE_COUNT], *server[IDLE_COUNT];
	size_t before, after;

	b->client.policy = policy(TLS_CLIENT, 0x0304, false);
	b->server.policy = policy(TLS_SERVER, 0x0304, false);
	for (size_t i = 0; i < IDLE_COUNT; i++)
		open_idle(b, &client[i], &server[i]);
	before = mallinfo2().uordblks;
	for (size_t i = 0; i < IDLE_COUNT; i++)
		tls_free(clients ? client[i] : server[i]);
	after = mallinfo2().uordblks;
	for (size_t i = 0; i < IDLE_COUNT; i++)
		tls_free(clients ? server[i] : client[i]);
	tls_policy_free(b->client.policy);
	tls_policy_free(b->server.policy);
	return (double)(before - after) / IDLE_COUNT / 1024;
}

/* One connection of ours to a server of libssl, which is not counted. */
static void resume(struct bench *b, struct testkit_raw *raw)
{
	struct testkit_end end = { .out = buf_init(1 << 18) };
	double start = now_us(), raw_us = 0;
	struct tls_info info;

	end.tls = open_client(b, &end.out);
	testkit_raw_start(raw);
	testkit_raw_talk_timed(raw, &end, now_us, &raw_us);
	tls_info(end.tls, &info);
	b->resumed += info.resumed;
	tls_free(end.tls);
	buf_fini(&end.out);
	b->client.us += now_us() - start - raw_us;
	testkit_raw_stop(raw);
}

static void bench_resumed(struct bench *b, const struct testkit_certs *certs, uint16_t version,
			  const char *name)
{
	struct testkit_raw raw;
	size_t n = 0;

	testkit_raw_init(&raw, true, certs);
	SSL_CTX_set_num_tickets(raw.ctx, 1);
	b->client.policy = policy(TLS_CLIENT, version, true);
	resume(b, &raw);
	b->client.us = 0;
	b->resumed = 0;
	for (; b->client.us < b->seconds * 1e6; n++)
		resume(b, &raw);
	if (b->resumed != n)
		exit(1);
	printf("\"%s_client_us\":%.1f,", name, b->client.us / (double)n);
	tls_session_free(b->client.session);
	b->client.session = NULL;
	tls_policy_free(b->client.policy);
	testkit_raw_fini(&raw);
}

int main(int argc, char **argv)
{
	struct bench b = { .seconds = argc > 1 ? atof(argv[1]) : 1,
			   .kind = argc > 2 ? argv[2] : "P-256" };
	struct testkit_certs certs;
	struct err e;

	if (tls_init(&e) < 0)
		die(&e);
	testkit_certs_make(b.kind, &certs);
	b.server.identity = testkit_identity(&certs);
	printf("{\"bench\":\"tls\",\"key\":\"%s\",", b.kind);
	bench_full(&b, 0x0304, "full13");
	bench_full(&b, 0x0303, "full12");
	b.client.secrets = b.server.secrets = true;
	bench_full(&b, 0x0304, "full13_keylog");
	b.client.secrets = b.server.secrets = false;
	bench_resumed(&b, &certs, 0x0304, "resumed13");
	bench_resumed(&b, &certs, 0x0303, "resumed12");
	printf("\"idle_client_kib\":%.1f,", bench_idle(&b, true));
	printf("\"idle_server_kib\":%.1f,", bench_idle(&b, false));
	printf("\"bulk_mb_s\":%.0f}\n", bench_bulk(&b));
	tls_identity_free(b.server.identity);
	testkit_certs_fini(&certs);
	tls_fini();
	return 0;
}
