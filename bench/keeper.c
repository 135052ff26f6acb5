/* What a mimic certificate costs the keeper from the request to the answer: the real process behind
 * its real channel (its sandbox, rate limit, memory and issuance log included), flooded with origins
 * that it has never seen, P-256 leaf and authority. Prints one JSON line for each number of requests
 * under way: those that wait are answered without the process sleeping in between.
 *
 * usage: bench_keeper [MINTS] */
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pki/test_cert.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proxy/keeper.h"
#include "proxy/keeper_proto.h"

#define COUNT 20000 /* all together have to be fewer than the keeper makes in a burst */
#define NAME "h00000000.bench.test"
#define NAME_DIGITS 8
#define ORIGIN_MAX 2048

struct bench {
	struct channel *channel;
	pid_t keeper;
	uint8_t origin[ORIGIN_MAX];
	size_t n;
	uint32_t sent, answered;
};

struct keeper_start {
	struct keeper_options o;
	int lane;
};

static void die(const char *why)
{
	fprintf(stderr, "bench keeper: %s\n", why);
	exit(1);
}

/* A leaf as public CAs issue it. */
static void make_origin(struct bench *b)
{
	struct test_cert ca = test_ca_make("origin CA", NULL), leaf;
	const struct test_extension extensions[] = {
		{ "keyUsage", "critical,digitalSignature" },
		{ "extendedKeyUsage", "serverAuth,clientAuth" },
		{ "basicConstraints", "critical,CA:FALSE" },
		{ "subjectKeyIdentifier", "hash" },
		{ "authorityKeyIdentifier", "keyid" },
		{ "authorityInfoAccess", "OCSP;URI:http://ocsp.bench.test/" },
		{ "subjectAltName", "DNS:" NAME ",DNS:www." NAME },
		{ "crlDistributionPoints", "URI:http://crl.bench.test/1.crl" },
		{ "1.3.6.1.4.1.11129.2.4.2", "DER:0400" },
	};
	struct test_options o = { .cn = NAME,
				  .not_before = TEST_NOW,
				  .not_after = TEST_NOW + 90 * TEST_DAY,
				  .by = &ca,
				  .extensions = extensions,
				  .count = ARRAY_LEN(extensions) };

	leaf = test_cert_make(&o);
	if (leaf.n > sizeof(b->origin))
		die("the origin is larger than thought");
	memcpy(b->origin, leaf.p, leaf.n);
	b->n = leaf.n;
	test_cert_fini(&leaf);
	test_cert_fini(&ca);
}

/* Another name, and so another certificate; its signature is nothing that the keeper looks at. */
static void rename_origin(struct bench *b, uint32_t number)
{
	char digits[NAME_DIGITS + 1];

	snprintf(digits, sizeof(digits), "%08u", number % 100000000u);
	for (size_t i = 0; i + sizeof(NAME) <= b->n; i++) {
		if (b->origin[i] == 'h' &&
		    memcmp(b->origin + i + 1 + NAME_DIGITS, &NAME[1 + NAME_DIGITS],
			   sizeof(NAME) - 2 - NAME_DIGITS) == 0)
			memcpy(b->origin + i + 1, digits, NAME_DIGITS);
	}
}

static double cpu_of(pid_t pid)
{
	struct timespec t;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) != 0)
		die("the keeper is gone");
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_keeper(void *ctx)
{
	struct keeper_start *s = ctx;

	s->o.lanes = &s->lane;
	return keeper_run(&s->o);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	(void)sched_setaffinity(0, sizeof(set),
				&set); /* with one processor it costs more, not less */
}

static void start(struct bench *b, const char *dir, int *control)
{
	struct buf cert = buf_init(16384), key = buf_init_secret(16384);
	struct channel_options none = { 0 };
	struct child_options child = { .role = "keeper", .run = run_keeper };
	struct keeper_start s = { .o = { .dir = dir, .lane_count = 1 } };
	int lane[2], supervisor[2], keep[2];
	struct err e = { 0 };

	if (authority_make_root("bench", time(NULL), &cert, &key, &e) < 0 ||
	    channel_pair(lane, &e) < 0 || channel_pair(supervisor, &e) < 0)
		die(e.sentence);
	s.o.cert_pem = buf_bytes(&cert);
	s.o.key_pem = buf_bytes(&key);
	keep[0] = s.lane = lane[0];
	keep[1] = s.o.control = supervisor[0];
	child.ctx = &s;
	child.keep = keep;
	child.keep_count = 2;
	pin(0);
	if (child_start(&child, &b->keeper, &e) < 0)
		die(e.sentence);
	pin(1);
	close(lane[0]);
	close(supervisor[0]);
	*control = supervisor[1];
	if (channel_new(lane[1], &none, &b->channel, &e) < 0)
		die(e.sentence);
	buf_fini(&cert);
	buf_fini(&key);
}

static void ask(struct bench *b)
{
	struct buf out = buf_init(KEEPER_MESSAGE_MAX);
	struct keeper_message m = { .type = KEEPER_MINT, .id = ++b->sent, .mode = MINT_TRUSTED };
	struct err e = { 0 };

	rename_origin(b, b->sent);
	m.der = bytes_of(b->origin, b->n);
	if (keeper_message_write(&m, &out, &e) < 0 ||
	    channel_send(b->channel, KEEPER_MINT, buf_bytes(&out), &e) < 0)
		die(e.sentence);
	buf_fini(&out);
}

static void take(struct bench *b, const struct channel_message *cm)
{
	struct keeper_message m;
	struct err e = { 0 };

	if (keeper_message_parse(cm->payload, &m, &e) < 0)
		die(e.sentence);
	if (m.type == KEEPER_REFUSED)
		die("the keeper refuses");
	b->answered += m.type == KEEPER_LEAF;
}

static void wait_for_answers(struct bench *b)
{
	struct pollfd p = { .fd = channel_fd(b->channel),
			    .events = (short)(POLLIN |
					      (channel_wants_write(b->channel) ? POLLOUT : 0)) };
	struct channel_message m;
	struct err e = { 0 };
	enum channel_result r;

	if (poll(&p, 1, 10000) <= 0)
		die("the keeper does not answer");
	if (p.revents & POLLOUT && channel_flush(b->channel, &e) != CHANNEL_OK)
		die("the keeper is gone");
	while ((r = channel_receive(b->channel, &m, &e)) == CHANNEL_OK)
		take(b, &m);
	if (r != CHANNEL_AGAIN)
		die("the keeper has hung up");
}

static void run(struct bench *b, uint32_t count, uint32_t window)
{
	uint32_t until = b->sent + count;

	while (b->answered < until) {
		while (b->sent < until && b->sent - b->answered < window)
			ask(b);
		wait_for_answers(b);
	}
}

static void measure(struct bench *b, uint32_t count, uint32_t window)
{
	double before, spent;

	run(b, 200, window);
	before = cpu_of(b->keeper);
	run(b, count, window);
	spent = cpu_of(b->keeper) - before;
	printf("{\"bench\":\"keeper\",\"under_way\":%u,\"mints\":%u,\"per_cpu_s\":%.0f,\"us\":%.2f}"
	       "\n",
	       window, count, count / spent, spent / count * 1e6);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	uint32_t count = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : COUNT;
	static struct bench b;
	char dir[] = "/tmp/oriel-bench.XXXXXX", command[80];
	int control, status;

	if (count == 0 || count > COUNT)
		die("usage: bench_keeper [MINTS], 20000 at most");
	if (!mkdtemp(dir))
		die("no folder can be made");
	make_origin(&b);
	start(&b, dir, &control);
	measure(&b, count, 64);
	measure(&b, count, 1);
	channel_free(b.channel);
	close(control);
	for (int i = 0; i < 500 && child_reap(b.keeper, &status) == CHILD_RUNNING; i++)
		poll(NULL, 0, 10);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command) == 0 ? 0 : 1;
}
