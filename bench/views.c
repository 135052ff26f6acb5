/* What an exchange costs in the tracker and in each view: requests with 12 and responses with 14
 * headers, as browsers and servers send them, HTTP/2, one flow of many. One thread, no output.
 * Prints one JSON line for each view. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "flow/har.h"
#include "flow/json.h"
#include "flow/metrics.h"
#include "flow/store.h"
#include "flow/testkit.h"
#include "flow/text.h"

#define ROUNDS 20000
#define STREAMS 8 /* under way at a time */
#define FLOWS 1000

static double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

#define H(name, value)                                                                             \
	{                                                                                          \
		{ (const uint8_t *)(name), sizeof(name) - 1 },                                     \
		{                                                                                  \
			(const uint8_t *)(value), sizeof(value) - 1                                \
		}                                                                                  \
	}

static const struct flow_header request[] = {
	H("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"),
	H("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"),
	H("accept-language", "en-US,en;q=0.5"),
	H("accept-encoding", "gzip, deflate, br, zstd"),
	H("referer", "https://www.example.org/shop/list?page=3"),
	H("cookie", "session=4f0b1c9a2e7d48b3a6; theme=dark; consent=1; _ga=GA1.2.3456789.123456"),
	H("upgrade-insecure-requests", "1"),
	H("sec-fetch-dest", "document"),
	H("sec-fetch-mode", "navigate"),
	H("sec-fetch-site", "same-origin"),
	H("priority", "u=0, i"),
	H("te", "trailers"),
};
static const struct flow_header response[] = {
	H("date", "Sun, 01 Mar 2026 12:34:56 GMT"),
	H("content-type", "text/html; charset=utf-8"),
	H("content-length", "128"),
	H("server", "nginx"),
	H("cache-control", "private, max-age=0, must-revalidate"),
	H("etag", "\"5f3a-18e1b2c3d4e5f\""),
	H("last-modified", "Sat, 28 Feb 2026 09:10:11 GMT"),
	H("vary", "Accept-Encoding, Cookie"),
	H("set-cookie", "session=4f0b1c9a2e7d48b3a6; Path=/; Secure; HttpOnly; SameSite=Lax"),
	H("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
	H("x-content-type-options", "nosniff"),
	H("x-frame-options", "SAMEORIGIN"),
	H("content-security-policy", "default-src 'self'; img-src 'self' https://img.example.org"),
	H("x-request-id", "0af7651916cd43dd8448eb211c80319c"),
};

static struct buf out = { .max = 1 << 20 };
static const struct text_options text_options = { .colour = true, .width = 120 };
static const struct json_options json_options = { 0 }, json_masked = { .mask = true };
static struct har har;
static struct store *store;
static uint64_t bytes;

static void on_nothing(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	bytes += f->flow + x->n;
}

static void must(int result)
{
	if (result < 0)
		abort();
	bytes += out.n;
	buf_clear(&out);
}

static void on_text(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	must(text_exchange(&out, &text_options, f, x, NULL));
}

static void on_json(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	must(exchange_json(&out, &json_options, f, x, NULL));
}

static void on_json_masked(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	must(exchange_json(&out, &json_masked, f, x, NULL));
}

static void on_har(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	must(har_entry(&har, &out, f, x, NULL));
}

static void on_store(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)ctx;
	store_on_exchange(store, f, x);
}

static void on_text_and_store(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	on_text(ctx, f, x);
	on_store(ctx, f, x);
}

static void play(struct kit *k, uint64_t flow, uint64_t round)
{
	struct kit_request up = { PROTO_HTTP2,
				  "GET",
				  "www.example.org",
				  "/shop/item/12345?ref=list&page=3",
				  request,
				  ARRAY_LEN(request),
				  NULL };
	struct kit_response down = { PROTO_HTTP2, 200, response, ARRAY_LEN(response), NULL };

	for (uint64_t s = 0; s < STREAMS; s++)
		kit_request(k, flow, 2 * (round * STREAMS + s) + 1, &up);
	kit_wait(k, 1000);
	for (uint64_t s = 0; s < STREAMS; s++)
		kit_response(k, flow, 2 * (round * STREAMS + s) + 1, &down);
}

typedef void on_exchange_fn(void *ctx, const struct flow_info *f, const struct exchange *x);

static void measure(const char *what, on_exchange_fn *fn)
{
	struct kit k = { 0 };
	double start, ns;
	struct tracker_options o = { .on_exchange = fn };

	if (tracker_new(&o, &k.tracker, NULL) < 0)
		abort();
	for (uint64_t flow = 1; flow <= FLOWS; flow++) {
		kit_open(&k, flow, "www.example.org");
		kit_bump(&k, flow, "www.example.org", "h2");
	}
	start = cpu_ns();
	for (uint64_t round = 0; round < ROUNDS; round++)
		play(&k, round % FLOWS + 1, round);
	ns = (cpu_ns() - start) / (ROUNDS * STREAMS);
	printf("{\"bench\":\"views\",\"view\":\"%s\",\"ns_per_exchange\":%.0f}\n", what, ns);
	tracker_free(k.tracker);
}

int main(void)
{
	if (store_new(&(struct store_options){ 0 }, &store, NULL) < 0)
		return 1;
	must(har_begin(&har, &(struct har_options){ .version = "bench" }, &out, NULL));
	measure("tracker alone", on_nothing);
	measure("tracker, text", on_text);
	measure("tracker, store", on_store);
	measure("tracker, text, store", on_text_and_store);
	measure("tracker, JSON", on_json);
	measure("tracker, JSON masked", on_json_masked);
	measure("tracker, HAR", on_har);
	store_free(store);
	buf_fini(&out);
	return bytes == 0;
}
