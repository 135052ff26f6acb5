/* Any text as a filter: it is refused with its place, or answers; and its contrary answers the
 * contrary, whatever it is asked about. */
#include <assert.h>
#include <stdlib.h>

#include "flow/expr.h"
#include "flow/testkit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct flow_header headers[] = {
	{ { (const uint8_t *)"user-agent", 10 }, { (const uint8_t *)"curl/7.88.1", 11 } },
};

static const struct flow_info flow = {
	.flow = 12,
	.way = WAY_CAPTURE,
	.client = { .family = ADDR_IP4, .ip = { 10, 1, 2, 3 }, .port = 40100 },
	.local = { .family = ADDR_IP6, .ip = { 0x20, 1 }, .port = 443 },
	.sni = { (const uint8_t *)"www.example.org", 15 },
	.hello_seen = true,
	.leg = { { .version = 0x0304, .cipher = 0x1301, .group = 29, .alert_seen = true } },
	.capture = { .encrypted = true, .handshake_types = 0x100006 },
	.ended = true,
	.duration_ns = 1600000000,
};

static const struct exchange exchange = {
	.flow = 12,
	.index = 3,
	.proto = PROTO_HTTP1,
	.method = { (const uint8_t *)"GET", 3 },
	.scheme = { (const uint8_t *)"https", 5 },
	.authority = { (const uint8_t *)"www.example.org", 15 },
	.path = { (const uint8_t *)"/a?b=c", 6 },
	.status = 200,
	.version_major = 1,
	.version_minor = 1,
	.grpc_status = -1,
	.request = { .seen = true,
		     .headers = headers,
		     .header_count = 1,
		     .body = { (const uint8_t *)"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 30 } },
};

static const struct flow_message message = {
	.proto = PROTO_WEBSOCKET,
	.opcode = 1,
	.data = { (const uint8_t *)"hello", 5 },
	.bytes = 5,
};

static void check_refusal(struct bytes text, const struct expr_fault *fault, const struct err *e)
{
	struct buf out = buf_init(4096);
	int result = expr_caret(&out, text, fault, NULL);

	assert(result == 0 && e->code == ERR_USAGE);
	assert(fault->column >= 1 && fault->column <= text.n + 1);
	assert(fault->length <= text.n + 1 - fault->column);
	assert(out.n && out.p[out.n - 1] == '\n');
	for (size_t i = 0; i < out.n; i++)
		assert((out.p[i] >= 0x20 && out.p[i] != 0x7f) || out.p[i] == '\n');
	buf_fini(&out);
}

static void check_answers(struct expr *x, struct expr *contrary)
{
	const struct exchange *exchanges[] = { NULL, &exchange, NULL };
	const struct flow_message *messages[] = { NULL, NULL, &message };

	for (size_t i = 0; i < ARRAY_LEN(exchanges); i++) {
		bool truth = expr_matches(x, &flow, exchanges[i], messages[i]);

		assert(truth == expr_matches(x, &flow, exchanges[i], messages[i]));
		assert(!contrary ||
		       truth != expr_matches(contrary, &flow, exchanges[i], messages[i]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);
	struct expr *x = NULL, *contrary = NULL;
	struct buf other = buf_init(EXPR_MAX + 10);
	struct expr_fault fault;
	struct err e;

	if (size > EXPR_MAX)
		return 0;
	if (expr_new(text, &x, &fault, &e) < 0) {
		check_refusal(text, &fault, &e);
		return 0;
	}
	if (buf_printf(&other, NULL, "!(%.*s)", BYTES_FMT(text)) < 0)
		abort();
	/* It may be too deep or too long. A NUL in it would have been refused. */
	if (expr_new(buf_bytes(&other), &contrary, NULL, NULL) < 0)
		contrary = NULL;
	check_answers(x, contrary);
	expr_free(contrary);
	expr_free(x);
	buf_fini(&other);
	return 0;
}
