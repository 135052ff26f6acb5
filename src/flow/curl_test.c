#include "flow/curl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "flow/testkit.h"

#define HEADER(n, v)                                                                               \
	{                                                                                          \
		bytes_str(n), bytes_str(v)                                                         \
	}

/* What a shell makes of a command: curl's arguments, each with a NUL, then "<" and what came
 * through the pipe if curl reads it. */
static struct buf run(struct bytes command)
{
	static const char function[] =
		"curl() {\n"
		"  for a in \"$@\"; do printf '%s\\0' \"$a\"; done\n"
		"  for a in \"$@\"; do [ \"$a\" = @- ] && printf '<' && cat; done\n"
		"  return 0\n"
		"}\n";
	char name[] = "/tmp/curl_test.XXXXXX", line[64];
	struct buf out = buf_init(1 << 20);
	int fd = mkstemp(name);
	FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
	uint8_t *room;
	size_t n;

	assert_non_null(f);
	fputs(function, f);
	fwrite(command.p, 1, command.n, f);
	fclose(f);
	snprintf(line, sizeof(line), "sh %s", name);
	f = popen(line, "r"); /* NOLINT(cert-env33-c): the shell is what is tested */
	assert_non_null(f);
	do {
		assert_int_equal(buf_reserve(&out, 4096, &room, NULL), 0);
		n = fread(room, 1, 4096, f);
		buf_commit(&out, n);
	} while (n);
	assert_int_equal(pclose(f), 0);
	unlink(name);
	return out;
}

static struct buf command_of(const struct exchange *x, struct curl_options o)
{
	struct buf command = buf_init(1 << 20);
	struct err e;

	if (curl_write(&command, &o, x, &e) < 0)
		fail_msg("%s", e.sentence);
	return command;
}

/* want: the arguments, each followed by "|". */
static void assert_arguments(const struct exchange *x, const char *want)
{
	AUTO(buf_fini) struct buf command = command_of(x, (struct curl_options){ 0 });
	AUTO(buf_fini) struct buf got = run(buf_bytes(&command));

	for (size_t i = 0; i < got.n; i++)
		if (got.p[i] == 0)
			got.p[i] = '|';
	if (!bytes_equal(buf_bytes(&got), bytes_str(want)))
		fail_msg("\n%.*s\ninstead of\n%s\nfrom\n%.*s", BYTES_FMT(buf_bytes(&got)), want,
			 BYTES_FMT(buf_bytes(&command)));
}

static struct exchange get(const char *path, const struct flow_header *headers, size_t count)
{
	return (struct exchange){
		.n = 12,
		.method = bytes_str("GET"),
		.scheme = bytes_str("https"),
		.authority = bytes_str("www.example.org"),
		.path = bytes_str(path),
		.version_major = 2,
		.request = { .seen = true, .headers = headers, .header_count = count },
	};
}

static void a_request_becomes_its_command(void **state)
{
	static const struct flow_header headers[] = {
		{ { (const uint8_t *)":path", 5 }, { (const uint8_t *)"/", 1 } },
		{ { (const uint8_t *)"user-agent", 10 }, { (const uint8_t *)"it's me", 7 } },
		{ { (const uint8_t *)"accept", 6 }, { (const uint8_t *)"*/*", 3 } },
		{ { (const uint8_t *)"accept-encoding", 15 }, { (const uint8_t *)"gzip, br", 8 } },
		{ { (const uint8_t *)"te", 2 }, { (const uint8_t *)"trailers", 8 } },
		{ { (const uint8_t *)"x-empty", 7 }, { NULL, 0 } },
	};
	struct exchange x = get("/a?b=c&d=$(id)", headers, ARRAY_LEN(headers));

	(void)state;
	assert_arguments(&x, "--http2|-H|user-agent: it's me|-H|accept: */*|"
			     "-H|accept-encoding: gzip, br|-H|te: trailers|-H|x-empty;|"
			     "--compressed|https://www.example.org/a?b=c&d=$(id)|");
}

static void what_is_not_known_is_left_out_and_said(void **state)
{
	struct flow_header headers[] = { HEADER("?", "?"), HEADER("?", "known"),
					 HEADER("accept", "?"), HEADER("x-known", "1") };
	struct exchange x = get("/", headers, ARRAY_LEN(headers));
	struct buf command;

	(void)state;
	x.unknown = true;
	command = command_of(&x, (struct curl_options){ 0 });
	assert_true(bytes_starts(buf_bytes(&command),
				 bytes_str("# some of the head is not known\ncurl ")));
	assert_null(memchr(command.p, '?', command.n));
	buf_fini(&command);
	assert_arguments(&x, "--http2|-H|x-known: 1|-H|user-agent:|https://www.example.org/|");
}

static void the_command_is_laid_out_for_people(void **state)
{
	struct flow_header headers[] = { HEADER("User-Agent", "it's me"), HEADER("Accept", "*/*"),
					 HEADER("Host", "WWW.example.org"),
					 HEADER("Connection", "keep-alive") };
	struct exchange x = get("/", headers, ARRAY_LEN(headers));
	struct buf command;

	(void)state;
	x.version_major = 1;
	x.version_minor = 1;
	command = command_of(&x, (struct curl_options){ 0 });
	assert_true(bytes_equal(buf_bytes(&command), bytes_str("curl \\\n"
							       "  --http1.1 \\\n"
							       "  -H 'User-Agent: it'\\''s me' \\\n"
							       "  -H 'Accept: */*' \\\n"
							       "  'https://www.example.org/'\n")));
	buf_fini(&command);
}

static void what_curl_would_add_is_taken_away(void **state)
{
	struct exchange x = get("/", NULL, 0);

	(void)state;
	assert_arguments(&x, "--http2|-H|user-agent:|-H|accept:|https://www.example.org/|");
	x.method = bytes_str("POST");
	x.request.body = bytes_str("a");
	x.request.body_bytes = 1;
	assert_arguments(&x, "--http2|-H|user-agent:|-H|accept:|-H|content-type:|"
			     "--data-raw|a|https://www.example.org/|");
}

static void methods_and_versions_are_said_only_when_needed(void **state)
{
	struct flow_header headers[] = { HEADER("user-agent", "x"), HEADER("accept", "y"),
					 HEADER("host", "other.example") };
	struct exchange x = get("/", headers, 3);

	(void)state;
	x.version_major = 1;
	x.method = bytes_str("HEAD");
	assert_arguments(&x, "--head|--http1.0|-H|user-agent: x|-H|accept: y|"
			     "-H|host: other.example|https://www.example.org/|");
	x.method = bytes_str("DELETE");
	x.scheme = bytes_str("http");
	x.version_major = 2;
	x.request.header_count = 2;
	assert_arguments(&x, "-X|DELETE|--http2-prior-knowledge|-H|user-agent: x|-H|accept: y|"
			     "http://www.example.org/|");
	x.method = bytes_str("POST");
	assert_arguments(&x, "-X|POST|--http2-prior-knowledge|-H|user-agent: x|-H|accept: y|"
			     "http://www.example.org/|");
	x.method = bytes_str("OPTIONS");
	x.path = bytes_str("*");
	assert_arguments(&x, "-X|OPTIONS|--http2-prior-knowledge|-H|user-agent: x|-H|accept: y|"
			     "--request-target|*|http://www.example.org|");
}

static void urls_are_not_changed_by_curl(void **state)
{
	struct flow_header headers[] = { HEADER("user-agent", "x"), HEADER("accept", "y") };
	struct exchange x = get("/a[1-9]{b,c}/../d", headers, 2);

	(void)state;
	assert_arguments(&x, "--http2|--globoff|--path-as-is|-H|user-agent: x|-H|accept: y|"
			     "https://www.example.org/a[1-9]{b,c}/../d|");
}

static void bodies_come_through_unchanged(void **state)
{
	struct flow_header headers[] = { HEADER("user-agent", "x"), HEADER("accept", "y"),
					 HEADER("content-type", "t") };
	static const char begin[] = "--http2|-H|user-agent: x|-H|accept: y|-H|content-type: t|";
	static const char *const text[] = { "@/etc/passwd", "'quotes' \"and\" $HOME `id` \\",
					    "lines\nand\ttabs\n", "Gr\xc3\xbc\xc3\x9f" };
	struct exchange x = get("/", headers, 3);
	char want[300];

	(void)state;
	x.method = bytes_str("POST");
	for (size_t i = 0; i < ARRAY_LEN(text); i++) {
		x.request.body = bytes_str(text[i]);
		x.request.body_bytes = x.request.body.n;
		snprintf(want, sizeof(want), "%s--data-raw|%s|https://www.example.org/|", begin,
			 text[i]);
		assert_arguments(&x, want);
	}
}

static void binary_and_large_bodies_come_through_a_pipe(void **state)
{
	static uint8_t data[150000];
	struct exchange x = get("/", NULL, 0);
	size_t sizes[] = { 1, 256, sizeof(data) };

	(void)state;
	x.method = bytes_str("PUT");
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)i;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct buf command, got;

		x.request.body = bytes_of(data, sizes[i]);
		x.request.body_bytes = sizes[i];
		command = command_of(&x, (struct curl_options){ 0 });
		got = run(buf_bytes(&command));
		assert_true(got.n > sizes[i]);
		assert_int_equal(got.p[got.n - sizes[i] - 1], '<');
		assert_memory_equal(got.p + got.n - sizes[i], data, sizes[i]);
		buf_fini(&command);
		buf_fini(&got);
	}
	/* Text, but too long for one argument. */
	memset(data, '\'', sizeof(data));
	x.request.body = bytes_of(data, sizeof(data));
	x.request.body_bytes = sizeof(data);
	for (int i = 0; i < 1; i++) {
		AUTO(buf_fini) struct buf command = command_of(&x, (struct curl_options){ 0 });

		assert_true(bytes_starts(buf_bytes(&command), bytes_str("printf '%s' 'Jycn")));
	}
}

/* Every byte in every place: what reaches curl is what was there, or the command is refused, or
 * says what it left out; and no byte escapes the quotes. */
static void every_byte_survives_or_is_refused(void **state)
{
	(void)state;
	for (unsigned c = 0; c < 256; c += 1 + c / 32 % 2) {
		const uint8_t text[] = { 'a', (uint8_t)c, '\'', (uint8_t)c, 'b' };
		struct flow_header headers[] = { HEADER("user-agent", "x"),
						 HEADER("accept", "y"),
						 { bytes_str("x"), bytes_of(text, sizeof(text)) } };
		bool printable = c >= 0x20 && c < 0x7f;
		struct exchange x = get("/", headers, 3);
		struct buf command = command_of(&x, (struct curl_options){ 0 }), got;

		got = run(buf_bytes(&command));
		if (printable) {
			const uint8_t *at = memmem(got.p, got.n, "x: a", 4);

			assert_non_null(at);
			assert_memory_equal(at + 3, text, sizeof(text));
		} else {
			assert_true(bytes_starts(buf_bytes(&command), bytes_str("# left out")));
			assert_null(memmem(got.p, got.n, "x: a", 4));
		}
		buf_fini(&command);
		buf_fini(&got);

		x.path = bytes_of(text, sizeof(text));
		command = buf_init(10000);
		assert_int_equal(curl_write(&command, &(struct curl_options){ 0 }, &x, NULL),
				 printable ? 0 : -1);
		assert_int_equal(command.n == 0, !printable);
		buf_fini(&command);
	}
}

static void what_cannot_be_said_is_refused_with_a_sentence(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(10000);
	struct curl_options o = { 0 };
	struct exchange x = get("/", NULL, 0);
	struct err e;

	(void)state;
	x.request.seen = false;
	assert_int_equal(curl_write(&out, &o, &x, &e), -1);
	assert_int_equal(e.code, ERR_UNSUPPORTED);
	assert_string_equal(e.sentence, "exchange 12 has no request");
	x = get("", NULL, 0);
	x.method = bytes_str("CONNECT");
	assert_int_equal(curl_write(&out, &o, &x, &e), -1);
	x = get("/", NULL, 0);
	x.method = bytes_str("GE T");
	assert_int_equal(curl_write(&out, &o, &x, &e), -1);
	x = get("/", NULL, 0);
	x.authority = bytes_str("");
	assert_int_equal(curl_write(&out, &o, &x, &e), -1);
	x = get("/", NULL, 0);
	x.scheme = bytes_str("");
	assert_int_equal(curl_write(&out, &o, &x, &e), -1);
	assert_int_equal(out.n, 0);
}

static void comments_say_what_is_missing(void **state)
{
	struct flow_header bad[] = { HEADER("x-bad", "a\x1b[0m"), HEADER("@file", "v"),
				     HEADER("na\x07me", "v") };
	struct exchange x = get("/", bad, 3);
	struct buf command;

	(void)state;
	x.method = bytes_str("POST");
	x.request.headers_cut = true;
	x.request.body = bytes_str("abc");
	x.request.body_bytes = 10;
	x.request.body_cut = true;
	command = command_of(&x, (struct curl_options){ 0 });
	assert_true(bytes_starts(buf_bytes(&command),
				 bytes_str("# left out, a shell could not carry it: x-bad\n"
					   "# left out, a shell could not carry it: @file\n"
					   "# left out, a shell could not carry it: na\\x07me\n"
					   "# some headers were not kept\n"
					   "# of the body 3 of 10 bytes were kept\n"
					   "curl \\\n")));
	buf_fini(&command);
}

static void a_masked_command_has_no_secret(void **state)
{
	struct flow_header headers[] = { HEADER("authorization", "Bearer SECRET"),
					 HEADER("cookie", "a=SECRET") };
	struct exchange x = get("/?t=SECRET", headers, 2);
	struct buf command;

	(void)state;
	x.authority = bytes_str("u:SECRET@h");
	x.request.body = bytes_str("SECRET");
	x.request.body_bytes = 6;
	command = command_of(&x, (struct curl_options){ .mask = true });
	assert_null(memmem(command.p, command.n, "SECRET", 6));
	assert_non_null(memmem(command.p, command.n, "'https://***@h/?t=***'", 22));
	assert_non_null(memmem(command.p, command.n, "# the body is hidden", 20));
	buf_fini(&command);
}

static void a_full_buffer_or_missing_memory_writes_nothing(void **state)
{
	struct exchange x = get("/", NULL, 0);
	struct curl_options o = { 0 };
	struct err e;

	(void)state;
	for (size_t max = 0; max < 60; max++) {
		AUTO(buf_fini) struct buf small = buf_init(max);

		assert_int_equal(curl_write(&small, &o, &x, &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_int_equal(small.n, 0);
	}
	for (int i = 0; i < 1; i++) {
		AUTO(buf_fini) struct buf large = buf_init(10000);

		mem_fail_at(1);
		assert_int_equal(curl_write(&large, &o, &x, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
	}
}

static void of_captured(void *ctx, const struct flow_info *f, const struct exchange *x)
{
	(void)f;
	*(bool *)ctx = true;
	assert_arguments(x, "-X|PUT|--http1.1|-H|content-type: text/plain|-H|user-agent:|"
			    "-H|accept:|--data-raw|a=b|https://www.example.org/item|");
}

static void a_captured_request_becomes_its_command(void **state)
{
	const struct flow_header headers[] = { HEADER("content-type", "text/plain"),
					       HEADER("content-length", "3") };
	bool called = false;
	struct tracker_options o = { .max_body = 100, .on_exchange = of_captured, .ctx = &called };
	struct kit k = { 0 };

	(void)state;
	assert_int_equal(tracker_new(&o, &k.tracker, NULL), 0);
	kit_capture(&k, 12);
	kit_request(&k, 12, 1,
		    &(struct kit_request){ .proto = PROTO_HTTP1,
					   .method = "PUT",
					   .authority = "www.example.org",
					   .path = "/item",
					   .headers = headers,
					   .header_count = ARRAY_LEN(headers),
					   .body = "a=b" });
	kit_response(&k, 12, 1, &(struct kit_response){ .proto = PROTO_HTTP1, .status = 204 });
	assert_true(called);
	tracker_free(k.tracker);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_becomes_its_command),
		cmocka_unit_test(what_is_not_known_is_left_out_and_said),
		cmocka_unit_test(the_command_is_laid_out_for_people),
		cmocka_unit_test(what_curl_would_add_is_taken_away),
		cmocka_unit_test(methods_and_versions_are_said_only_when_needed),
		cmocka_unit_test(urls_are_not_changed_by_curl),
		cmocka_unit_test(bodies_come_through_unchanged),
		cmocka_unit_test(binary_and_large_bodies_come_through_a_pipe),
		cmocka_unit_test(every_byte_survives_or_is_refused),
		cmocka_unit_test(what_cannot_be_said_is_refused_with_a_sentence),
		cmocka_unit_test(comments_say_what_is_missing),
		cmocka_unit_test(a_masked_command_has_no_secret),
		cmocka_unit_test(a_full_buffer_or_missing_memory_writes_nothing),
		cmocka_unit_test(a_captured_request_becomes_its_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
