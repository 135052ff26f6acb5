/* What observing costs: plaintext of kept connections goes through flow/observe, with one sink that
 * wants heads and ends. Prints one JSON line: nanoseconds of CPU for each exchange of HTTP/1.1 (a
 * GET of a browser's size, and a small one) and of HTTP/2, megabytes a second of bodies (with and
 * without somebody who wants them), and bytes of heap for an idle connection.
 * usage: bench_observe [seconds for each figure] */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <nghttp2/nghttp2.h>

#include "flow/observe.h"

#define TEXT(s) bytes_of(s, sizeof(s) - 1)
#define PIECE (128u << 10)
#define IDLE_COUNT 1000

static const char small_request[] = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
static const char small_response[] = "HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n";
static const char request[] =
	"GET /assets/app/main.js?v=20240101 HTTP/1.1\r\nHost: www.example.test\r\n"
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
	"Accept: */*\r\nAccept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n"
	"Connection: keep-alive\r\nReferer: https://www.example.test/index.html\r\n\r\n";
static const char response[] =
	"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sat, 01 Jan 2024 00:00:00 GMT\r\n"
	"Content-Type: text/javascript\r\nContent-Length: 128\r\n"
	"Last-Modified: Fri, 31 Dec 2023 00:00:00 GMT\r\nConnection: keep-alive\r\n"
	"ETag: \"6590e5f0-80\"\r\nAccept-Ranges: bytes\r\n\r\n";

static double seconds = 1;
static uint64_t events;

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void on_event(void *ctx, const struct event *ev)
{
	(void)ctx;
	events += (uint64_t)ev->type;
}

static struct event_bus bus_for(uint32_t mask)
{
	struct event_bus bus = { .count = 0 };

	if (event_bus_add(&bus, (struct event_sink){ .mask = mask, .on_event = on_event }, NULL) <
	    0)
		abort();
	return bus;
}

static struct observe *observe_on(const struct event_bus *bus, const char *alpn)
{
	struct observe_options options = { .bus = bus, .flow = 1, .alpn = bytes_str(alpn) };
	struct observe *o;

	if (observe_new(&options, &o, NULL) < 0)
		abort();
	return o;
}

static void check(const struct observe *o)
{
	if (observe_fault(o)) {
		fprintf(stderr, "bench_observe: %s\n", observe_fault(o));
		exit(1);
	}
}

/* Nanoseconds an exchange; the head and the small body come in one piece, as from TLS. */
static double exchanges(struct bytes up, struct bytes head)
{
	struct event_bus bus = bus_for(EV_HEADS);
	struct observe *o = observe_on(&bus, "http/1.1");
	uint8_t down[2048] = { 0 };
	double start = now_ns(), took = 0;
	double count = 0;

	for (size_t i = 0; i < head.n; i++)
		down[i] = head.p[i];
	do {
		for (int i = 0; i < 10000; i++) {
			observe_feed(o, DIR_UP, up, 1, 1);
			observe_feed(o, DIR_DOWN, bytes_of(down, head.n + 128), 1, 1);
		}
		count += 10000;
		took = now_ns() - start;
	} while (took < seconds * 1e9);
	check(o);
	observe_free(o);
	return took / count;
}

/* Megabytes a second of one body with Content-Length, or of chunks of 128 KiB. */
static double bodies(uint32_t mask, bool chunked)
{
	static uint8_t data[PIECE];
	struct event_bus bus = bus_for(mask);
	struct observe *o = observe_on(&bus, "");
	double start, took, bytes = 0;
	char head[200];
	int n;

	n = chunked ? snprintf(head, sizeof(head),
			       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		    : snprintf(head, sizeof(head),
			       "HTTP/1.1 200 OK\r\nContent-Length: %llu\r\n\r\n", 1ull << 60);
	observe_feed(o, DIR_UP, TEXT(small_request), 1, 1);
	observe_feed(o, DIR_DOWN, bytes_of(head, (size_t)n), 1, 1);
	start = now_ns();
	do {
		for (int i = 0; i < 1000; i++) {
			if (chunked)
				observe_feed(o, DIR_DOWN, TEXT("20000\r\n"), 1, 1);
			observe_feed(o, DIR_DOWN, bytes_of(data, PIECE), 1, 1);
			if (chunked)
				observe_feed(o, DIR_DOWN, TEXT("\r\n"), 1, 1);
		}
		bytes += 1000.0 * PIECE;
		took = now_ns() - start;
	} while (took < seconds * 1e9);
	check(o);
	observe_free(o);
	return bytes / took * 1e3;
}

#define NV(name, value)                                                                            \
	{                                                                                          \
		(uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, 0      \
	}

/* Appends a frame to out, which has room. */
static size_t put_frame(uint8_t *out, uint8_t type, uint8_t flags, uint32_t stream, size_t n)
{
	const uint8_t header[9] = { (uint8_t)(n >> 16),
				    (uint8_t)(n >> 8),
				    (uint8_t)n,
				    type,
				    flags,
				    (uint8_t)(stream >> 24),
				    (uint8_t)(stream >> 16),
				    (uint8_t)(stream >> 8),
				    (uint8_t)stream };

	for (size_t i = 0; i < sizeof(header); i++)
		out[i] = header[i];
	return sizeof(header) + n;
}

static struct observe *open_http2(const struct event_bus *bus)
{
	struct observe *o = observe_on(bus, "h2");

	observe_feed(o, DIR_UP, TEXT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"), 1, 1);
	observe_feed(o, DIR_DOWN, TEXT("\0\0\0\4\0\0\0\0\0\0\0\0\4\1\0\0\0\0"), 1, 1);
	observe_feed(o, DIR_UP, TEXT("\0\0\0\4\1\0\0\0\0"), 1, 1);
	return o;
}

struct encoders {
	nghttp2_hd_deflater *up, *down;
};

static size_t http2_exchange(struct observe *o, const struct encoders *e, uint32_t stream)
{
	static nghttp2_nv up[] = {
		NV(":method", "GET"),
		NV(":scheme", "https"),
		NV(":authority", "www.a.test"),
		NV(":path", "/assets/app/main.js?v=20240101"),
		NV("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101"),
		NV("accept", "*/*"),
		NV("accept-encoding", "gzip, deflate, br"),
	};
	static nghttp2_nv down[] = {
		NV(":status", "200"),
		NV("server", "nginx/1.22.1"),
		NV("content-type", "text/javascript"),
		NV("content-length", "128"),
		NV("etag", "\"6590e5f0-80\""),
	};
	uint8_t wire[1024] = { 0 };
	size_t n;

	n = (size_t)nghttp2_hd_deflate_hd(e->up, wire + 9, 512, up, 7);
	observe_feed(o, DIR_UP, bytes_of(wire, put_frame(wire, 1, 5, stream, n)), 1, 1);
	n = (size_t)nghttp2_hd_deflate_hd(e->down, wire + 9, 512, down, 5);
	n = put_frame(wire, 1, 4, stream, n);
	n += put_frame(wire + n, 0, 1, stream, 128);
	observe_feed(o, DIR_DOWN, bytes_of(wire, n), 1, 1);
	return n;
}

/* Nanoseconds an exchange, without the encoding. */
static double http2_exchanges(void)
{
	struct event_bus bus = bus_for(EV_HEADS), none = bus_for(0);
	struct observe *o = open_http2(&bus), *deaf;
	struct observe_options options = { .bus = &none, .flow = 1, .alpn = TEXT("x") };
	struct encoders e;
	double took = 0, encoding = 0, count = 0;

	if (nghttp2_hd_deflate_new(&e.up, 4096) || nghttp2_hd_deflate_new(&e.down, 4096) ||
	    observe_new(&options, &deaf, NULL) < 0)
		abort();
	for (uint32_t stream = 1; took < seconds * 1e9 && stream < (1u << 30);) {
		double start = now_ns();

		for (int i = 0; i < 1000; i++, stream += 2)
			http2_exchange(o, &e, stream);
		took += now_ns() - start;
		start = now_ns();
		for (int i = 0; i < 1000; i++)
			http2_exchange(deaf, &e, stream);
		encoding += now_ns() - start;
		count += 1000;
	}
	check(o);
	observe_free(o);
	observe_free(deaf);
	nghttp2_hd_deflate_del(e.up);
	nghttp2_hd_deflate_del(e.down);
	return (took - encoding) / count;
}

static double idle_bytes(bool http2)
{
	static struct observe *all[IDLE_COUNT];
	struct event_bus bus = bus_for(EV_HEADS);
	struct encoders e = { NULL, NULL };
	size_t before, after;

	before = mallinfo2().uordblks;
	for (size_t i = 0; i < IDLE_COUNT; i++) {
		if (!http2) {
			all[i] = observe_on(&bus, "");
			observe_feed(all[i], DIR_UP, TEXT(request), 1, 1);
			observe_feed(all[i], DIR_DOWN, TEXT(response), 1, 1);
			observe_feed(all[i], DIR_DOWN, bytes_of(request, 128), 1, 1);
			continue;
		}
		all[i] = open_http2(&bus);
		if (nghttp2_hd_deflate_new(&e.up, 4096) || nghttp2_hd_deflate_new(&e.down, 4096))
			abort();
		http2_exchange(all[i], &e, 1);
		nghttp2_hd_deflate_del(e.up);
		nghttp2_hd_deflate_del(e.down);
	}
	after = mallinfo2().uordblks;
	for (size_t i = 0; i < IDLE_COUNT; i++) {
		check(all[i]);
		observe_free(all[i]);
	}
	return (double)(after - before) / IDLE_COUNT;
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = strtod(argv[1], NULL);
	printf("{\"bench\":\"observe\",\"http1_small_ns\":%.0f,\"http1_browser_ns\":%.0f,"
	       "\"http2_ns\":%.0f,",
	       exchanges(TEXT(small_request), TEXT(small_response)),
	       exchanges(TEXT(request), TEXT(response)), http2_exchanges());
	printf("\"body_counted_mb_s\":%.0f,\"body_wanted_mb_s\":%.0f,\"chunked_mb_s\":%.0f,",
	       bodies(EV_HEADS, false), bodies(EV_ALL, false), bodies(EV_HEADS, true));
	printf("\"idle_http1_bytes\":%.0f,\"idle_http2_bytes\":%.0f,\"events\":%llu}\n",
	       idle_bytes(false), idle_bytes(true), (unsigned long long)events);
	return 0;
}
