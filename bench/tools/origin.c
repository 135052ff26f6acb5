/* The origin that bench/bump measures against: one thread, HTTP/1.1 over TLS 1.2 and 1.3, P-256, a
 * certificate of its own for each name h0.bench.test, h1.bench.test, ... made before it serves.
 *   GET /small      128 bytes        GET /bytes/N    N bytes        GET /counts    handshakes, as JSON
 * One port gives tickets, the other gives none, so that every handshake there is a full one. Our own
 * TLS room never gives tickets, so this one talks to libssl itself.
 *
 * usage: bench_origin PORT-WITH-TICKETS PORT-WITHOUT NAMES CA.pem
 * Writes the root that its certificates are under to CA.pem, says READY, ends with its input. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/sock.h"

#define PATTERN ((size_t)1 << 20)
#define HEAD_MAX ((size_t)4096)
#define WRITE_AT_ONCE ((size_t)256 << 10)
#define ACCEPT_TURN 64
#define YEAR_S (365L * 24 * 3600)

struct origin;

struct door { /* a port */
	struct origin *origin;
	SSL_CTX *ctx;
	int fd;
	struct loop_watch *watch;
};

struct origin {
	struct loop *loop;
	struct door doors[2];
	EVP_PKEY *ca_key, *key;
	X509 *ca, **leaves;
	size_t count;
	uint64_t handshakes, resumed, requests;
	uint8_t pattern[PATTERN];
};

struct conn {
	struct origin *origin;
	SSL *ssl;
	int fd;
	struct loop_watch *watch;
	uint8_t in[HEAD_MAX];
	size_t in_n;
	char head[256];
	size_t head_n, head_done;
	uint64_t body, body_done;
	uint64_t requests;
	bool last, open;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_origin: %s\n", what);
	ERR_print_errors_fp(stderr);
	exit(1);
}

/* --- certificates --- */

static void extend(X509 *x, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;
	X509_EXTENSION *ext;

	X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
	X509V3_set_ctx_nodb(&ctx);
	ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	if (!ext || X509_add_ext(x, ext, -1) != 1)
		die("an extension cannot be made");
	X509_EXTENSION_free(ext);
}

static X509 *cert_begin(const char *cn, long serial, EVP_PKEY *key)
{
	X509 *x = X509_new();

	if (!x)
		die("no memory");
	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
	X509_gmtime_adj(X509_getm_notBefore(x), -24L * 3600);
	X509_gmtime_adj(X509_getm_notAfter(x), YEAR_S);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
				   (const unsigned char *)cn, -1, -1, 0);
	X509_set_pubkey(x, key);
	return x;
}

static void make_ca(struct origin *o, const char *path)
{
	FILE *f = fopen(path, "w");

	o->ca_key = EVP_EC_gen("P-256");
	o->key = EVP_EC_gen("P-256");
	if (!f || !o->ca_key || !o->key)
		die("the root cannot be made");
	o->ca = cert_begin("bench origin root", 1, o->ca_key);
	X509_set_issuer_name(o->ca, X509_get_subject_name(o->ca));
	extend(o->ca, o->ca, NID_basic_constraints, "critical,CA:TRUE");
	extend(o->ca, o->ca, NID_key_usage, "critical,keyCertSign,cRLSign");
	extend(o->ca, o->ca, NID_subject_key_identifier, "hash");
	if (!X509_sign(o->ca, o->ca_key, EVP_sha256()) || !PEM_write_X509(f, o->ca) || fclose(f))
		die("the root cannot be written");
}

static X509 *make_leaf(struct origin *o, size_t i)
{
	char name[64], san[80];
	X509 *x;

	snprintf(name, sizeof(name), "h%zu.bench.test", i);
	snprintf(san, sizeof(san), "DNS:%s", name);
	x = cert_begin(name, (long)i + 2, o->key);
	X509_set_issuer_name(x, X509_get_subject_name(o->ca));
	extend(x, o->ca, NID_basic_constraints, "critical,CA:FALSE");
	extend(x, o->ca, NID_key_usage, "critical,digitalSignature");
	extend(x, o->ca, NID_ext_key_usage, "serverAuth");
	extend(x, o->ca, NID_subject_key_identifier, "hash");
	extend(x, o->ca, NID_authority_key_identifier, "keyid");
	extend(x, o->ca, NID_subject_alt_name, san);
	if (!X509_sign(x, o->ca_key, EVP_sha256()))
		die("a certificate cannot be signed");
	return x;
}

static void make_certs(struct origin *o, const char *path)
{
	make_ca(o, path);
	o->leaves = mem_new_array(o->count, sizeof(X509 *));
	if (!o->leaves)
		die("no memory");
	for (size_t i = 0; i < o->count; i++)
		o->leaves[i] = make_leaf(o, i);
}

static int on_name(SSL *ssl, int *alert, void *arg)
{
	struct origin *o = arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	size_t i = name && name[0] == 'h' ? strtoul(name + 1, NULL, 10) : 0;

	(void)alert;
	if (i >= o->count || SSL_use_cert_and_key(ssl, o->leaves[i], o->key, NULL, 1) != 1)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *make_ctx(struct origin *o, bool tickets)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx || SSL_CTX_use_certificate(ctx, o->leaves[0]) != 1 ||
	    SSL_CTX_use_PrivateKey(ctx, o->key) != 1)
		die("TLS cannot be set up");
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_tlsext_servername_callback(ctx, on_name);
	SSL_CTX_set_tlsext_servername_arg(ctx, o);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				      SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_session_id_context(ctx, (const unsigned char *)"bench", 5);
	if (!tickets) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
		SSL_CTX_set_num_tickets(ctx, 0);
	}
	return ctx;
}

/* --- connections --- */

static void conn_free(struct conn *c)
{
	loop_watch_free(c->watch);
	ERR_clear_error();
	SSL_free(c->ssl);
	sock_close(&c->fd);
	mem_free(c);
}

static void answer(struct conn *c, struct bytes path)
{
	struct origin *o = c->origin;
	char counts[120];
	int n = snprintf(counts, sizeof(counts),
			 "{\"handshakes\":%llu,\"resumed\":%llu,\"requests\":%llu}",
			 (unsigned long long)o->handshakes, (unsigned long long)o->resumed,
			 (unsigned long long)o->requests);

	bool is_counts = bytes_equal(path, bytes_str("/counts"));

	c->body = is_counts ? (uint64_t)n : 128;
	c->body_done = 0;
	if (bytes_starts(path, bytes_str("/bytes/")) &&
	    !bytes_decimal(bytes_slice(path, 7, path.n), UINT64_MAX / 2, &c->body))
		c->body = 0;
	n = snprintf(c->head, sizeof(c->head),
		     "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %llu\r\n%s\r\n%s",
		     is_counts ? "application/json" : "application/octet-stream",
		     (unsigned long long)c->body, c->last ? "Connection: close\r\n" : "",
		     is_counts ? counts : "");
	c->head_n = (size_t)n;
	c->head_done = 0;
	c->requests++;
	if (is_counts)
		c->body_done = c->body;
	else
		o->requests++;
}

static bool asks_to_close(struct bytes head)
{
	static const char close_it[] = "\r\nConnection: close\r\n";

	for (size_t i = 0; i + sizeof(close_it) <= head.n; i++) {
		if (bytes_equal_nocase(bytes_slice(head, i, sizeof(close_it) - 1),
				       bytes_str(close_it)))
			return true;
	}
	return false;
}

/* A whole request is there: answers it. */
static bool take_request(struct conn *c)
{
	struct bytes in = bytes_of(c->in, c->in_n), path;
	size_t end = 0;

	while (end + 4 <= in.n && !bytes_equal(bytes_slice(in, end, 4), bytes_str("\r\n\r\n")))
		end++;
	if (end + 4 > in.n)
		return false;
	path = bytes_slice(in, bytes_index(in, ' ') + 1, in.n);
	path = bytes_slice(path, 0, bytes_index(path, ' '));
	c->last = asks_to_close(bytes_slice(in, 0, end + 4));
	answer(c, path);
	c->in_n -= end + 4;
	memmove(c->in, c->in + end + 4, c->in_n);
	return true;
}

/* What libssl waits for; 0: the connection is over. */
static unsigned waits_for(struct conn *c, int r)
{
	switch (SSL_get_error(c->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return LOOP_READ;
	case SSL_ERROR_WANT_WRITE:
		return LOOP_WRITE;
	default:
		return 0;
	}
}

/* 1: all is written. Else what waits_for says. */
static int write_out(struct conn *c, unsigned *want)
{
	while (c->head_done < c->head_n || c->body_done < c->body) {
		bool head = c->head_done < c->head_n;
		size_t at = c->body_done % PATTERN, left = c->body - c->body_done;
		uint8_t both[sizeof(c->head) + 1024];
		const uint8_t *p = c->origin->pattern + at;
		size_t n = PATTERN - at < left ? PATTERN - at : left;
		int r;

		if (n > WRITE_AT_ONCE)
			n = WRITE_AT_ONCE;
		if (head) { /* head and a short body in one record */
			size_t rest = c->head_n - c->head_done;

			n = n < 1024 ? n : 1024;
			memcpy(both, c->head + c->head_done, rest);
			memcpy(both + rest, p, n);
			p = both;
			n += rest;
		}
		r = SSL_write(c->ssl, p, (int)n);
		if (r <= 0) {
			*want = waits_for(c, r);
			return 0;
		}
		if (head) {
			size_t rest = c->head_n - c->head_done;
			size_t of_head = (size_t)r < rest ? (size_t)r : rest;

			c->head_done += of_head;
			c->body_done += (uint64_t)r - of_head;
		} else {
			c->body_done += (uint64_t)r;
		}
	}
	return 1;
}

static bool shake(struct conn *c, unsigned *want)
{
	int r = SSL_accept(c->ssl);

	if (r == 1) {
		c->open = true;
		c->origin->handshakes++;
		c->origin->resumed += SSL_session_reused(c->ssl) != 0;
		return true;
	}
	*want = waits_for(c, r);
	return false;
}

/* Goes as far as it can; what the connection then waits for, 0: it is over. */
static unsigned run(struct conn *c)
{
	unsigned want = 0;

	ERR_clear_error();
	if (!c->open && !shake(c, &want))
		return want;
	for (;;) {
		int r;

		if (!write_out(c, &want))
			return want;
		if (c->last && c->head_n && c->body_done == c->body) {
			SSL_shutdown(c->ssl);
			return 0;
		}
		if (take_request(c))
			continue;
		if (c->in_n == sizeof(c->in))
			return 0;
		r = SSL_read(c->ssl, c->in + c->in_n, (int)(sizeof(c->in) - c->in_n));
		if (r <= 0) {
			if (SSL_get_error(c->ssl, r) == SSL_ERROR_ZERO_RETURN)
				SSL_shutdown(c->ssl);
			return waits_for(c, r);
		}
		c->in_n += (size_t)r;
	}
}

/* A proxy that leaves Nagle's algorithm on holds its request back until its Finished is acknowledged,
 * which a server with nothing to say itself does 40 ms later: every connection to the port without
 * tickets would stand still so long. */
static void acknowledge_now(const struct conn *c)
{
	int on = 1;

	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
}

static void on_conn(void *ctx, unsigned events)
{
	struct conn *c = ctx;
	unsigned want = run(c);

	(void)events;
	if (!want) {
		conn_free(c);
		return;
	}
	if (c->requests == 0)
		acknowledge_now(c);
	loop_watch_set(c->watch, want);
}

static void on_door(void *ctx, unsigned events)
{
	struct door *d = ctx;
	int fd;

	(void)events;
	for (int i = 0; i < ACCEPT_TURN && sock_accept(d->fd, &fd, NULL, NULL) == SOCK_ACCEPTED;
	     i++) {
		struct conn *c = mem_new(sizeof(*c));

		if (!c)
			die("no memory");
		c->origin = d->origin;
		c->fd = fd;
		c->ssl = SSL_new(d->ctx);
		if (!c->ssl || SSL_set_fd(c->ssl, fd) != 1 ||
		    loop_watch_new(d->origin->loop, fd, (struct loop_watch_call){ on_conn, c },
				   &c->watch, NULL) < 0)
			die("a connection cannot be taken");
		on_conn(c, LOOP_READ);
	}
}

static void open_door(struct origin *o, struct door *d, const char *port, bool tickets)
{
	struct addr a;
	struct sock_listen_options options = { 0 };
	struct err e = { 0 };

	if (!addr_parse_ip(bytes_str("127.0.0.1"), (uint16_t)strtoul(port, NULL, 10), &a))
		die("the port cannot be read");
	d->origin = o;
	d->ctx = make_ctx(o, tickets);
	if (sock_listen(&a, &options, &d->fd, &e) < 0 ||
	    loop_watch_new(o->loop, d->fd, (struct loop_watch_call){ on_door, d }, &d->watch, &e) <
		    0)
		die(e.sentence);
	loop_watch_set(d->watch, LOOP_READ);
}

static void on_input(void *ctx, unsigned events)
{
	char c;

	(void)ctx;
	(void)events;
	if (read(0, &c, 1) <= 0)
		_exit(0);
}

int main(int argc, char **argv)
{
	static struct origin o;
	struct loop_watch *input = NULL;
	struct err e = { 0 };

	if (argc != 5)
		die("usage: bench_origin PORT-WITH-TICKETS PORT-WITHOUT NAMES CA.pem");
	o.count = strtoul(argv[3], NULL, 10);
	if (o.count == 0)
		die("there has to be a name at least");
	/* The pattern that bench_load compares with. */
	for (size_t i = 0; i < PATTERN; i++)
		o.pattern[i] = (uint8_t)(i * 7 + (i >> 9));
	make_certs(&o, argv[4]);
	if (loop_new(&o.loop, &e) < 0 ||
	    loop_watch_new(o.loop, 0, (struct loop_watch_call){ on_input, NULL }, &input, &e) < 0)
		die(e.sentence);
	sock_fd_limit();
	open_door(&o, &o.doors[0], argv[1], true);
	open_door(&o, &o.doors[1], argv[2], false);
	loop_watch_set(input, LOOP_READ);
	printf("READY\n");
	fflush(stdout);
	loop_run(o.loop);
	return 0;
}
