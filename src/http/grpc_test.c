#include "http/grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "http/protobuf.h"

#define TEXT(s) bytes_of(s, sizeof(s) - 1)

static void knows_its_content_types(void **state)
{
	(void)state;
	assert_true(grpc_content_type(TEXT("application/grpc")));
	assert_true(grpc_content_type(TEXT("Application/gRPC+proto")));
	assert_true(grpc_content_type(TEXT("application/grpc;charset=x")));
	assert_false(grpc_content_type(TEXT("application/grpc-web")));
	assert_false(grpc_content_type(TEXT("application/grp")));
	assert_false(grpc_content_type(TEXT("")));
}

static void reads_the_status(void **state)
{
	const struct http_header ok[] = { { TEXT("a"), TEXT("1") },
					  { TEXT("grpc-status"), TEXT("14") } };
	const struct http_header bad[] = { { TEXT("grpc-status"), TEXT("many") } };

	(void)state;
	assert_int_equal(grpc_status(ok, 2), 14);
	assert_int_equal(grpc_status(ok, 1), -1);
	assert_int_equal(grpc_status(bad, 1), -1);
	assert_string_equal(grpc_status_text(14), "UNAVAILABLE");
	assert_null(grpc_status_text(17));
	assert_null(grpc_status_text(-1));
}

/* What comes out of in, cut into pieces of step bytes: "text" or "text*" (compressed), "." at the
 * end of each message. */
static void frame(struct bytes in, size_t step, char *out, size_t room)
{
	struct grpc_framing g = { 0 };
	size_t n = 0;

	while (in.n) {
		struct bytes piece = bytes_slice(in, 0, step);
		struct http_chunk chunk;

		in = bytes_slice(in, piece.n, in.n);
		while (grpc_next(&g, &piece, &chunk)) {
			assert_true(n + chunk.data.n + 3 < room);
			memcpy(out + n, chunk.data.p, chunk.data.n);
			n += chunk.data.n;
			if (chunk.message_end && chunk.compressed)
				out[n++] = '*';
			if (chunk.message_end)
				out[n++] = '.';
		}
		assert_int_equal(piece.n, 0);
	}
	out[n] = 0;
}

static void frames_messages_however_they_are_cut(void **state)
{
	char out[100];

	(void)state;
	for (size_t step = 1; step < 40; step++) {
		frame(TEXT("\0\0\0\0\3abc\0\0\0\0\0\1\0\0\0\2de\0\0\0\1\0f"), step, out,
		      sizeof(out));
		assert_string_equal(out, "abc..de*.f");
	}
}

static void explain(struct bytes msg, const char *expected)
{
	struct buf out = buf_init(10000);

	if (expected) {
		assert_true(protobuf_explain(msg, &out));
		assert_int_equal(buf_add(&out, bytes_of("", 1), NULL), 0);
		assert_string_equal((const char *)out.p, expected);
	} else {
		assert_false(protobuf_explain(msg, &out));
		assert_int_equal(out.n, 0);
	}
	buf_fini(&out);
}

static void explains_fields_of_each_type(void **state)
{
	(void)state;
	explain(TEXT(""), "");
	/* The examples of the encoding guide of Protocol Buffers. */
	explain(TEXT("\x08\x96\x01"), "1: 150\n");
	explain(TEXT("\x12\x07testing"), "2: \"testing\"\n");
	explain(TEXT("\x1a\x03\x08\x96\x01"), "3 {\n  1: 150\n}\n");
	explain(TEXT("\x21\0\0\0\0\0\0\xf0\x3f\x2d\0\0\x80\x3f"),
		"4: 0x3ff0000000000000\n5: 0x3f800000\n");
	explain(TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "1: 18446744073709551615\n");
	explain(TEXT("\x0a\x03\xff\xfe\xfd"), "1: <fffefd>\n");
	explain(TEXT("\x0a\x00"), "1: \"\"\n");
	explain(TEXT("\x0a\x06\"a\\\n\tb"), "1: \"\\\"a\\\\\\n\\tb\"\n");
	explain(TEXT("\x0a\x06\x0a\x04\x0a\x02\x08\x01\x10\x02"),
		"1 {\n  1 {\n    1 {\n      1: 1\n    }\n  }\n}\n2: 2\n");
}

static void refuses_what_is_no_message(void **state)
{
	(void)state;
	explain(TEXT("\x08"), NULL);	 /* a varint is missing */
	explain(TEXT("\x08\x80"), NULL); /* it does not end */
	explain(TEXT("\x00\x01"), NULL); /* field 0 */
	explain(TEXT("\x0b\x0c"), NULL); /* a group */
	explain(TEXT("\x0a\x05"
		     "abc"),
		NULL);					     /* too short */
	explain(TEXT("\x09\x01\x02"), NULL);		     /* too short */
	explain(TEXT("\xff\xff\xff\xff\xff\x01\x00"), NULL); /* a number beyond 2^29 */
	explain(TEXT("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), NULL);
}

static void stops_nesting_and_output_at_their_limits(void **state)
{
	uint8_t deep[200];
	size_t n = 0;
	struct buf out = buf_init(10000), small = buf_init(7);

	(void)state;
	for (n = 0; n < 60; n++) {
		deep[2 * n] = 0x0a;
		deep[2 * n + 1] = (uint8_t)(120 - 2 * n);
	}
	deep[120] = 0x08;
	deep[121] = 0x01;
	assert_true(protobuf_explain(bytes_of(deep, 122), &out));
	assert_true(out.n > 0);
	assert_true(protobuf_explain(TEXT("\x08\x96\x01\x08\x96\x01"), &small));
	assert_true(bytes_starts(buf_bytes(&small), TEXT("1: 150\n")));
	buf_fini(&out);
	buf_fini(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_its_content_types),
		cmocka_unit_test(reads_the_status),
		cmocka_unit_test(frames_messages_however_they_are_cut),
		cmocka_unit_test(explains_fields_of_each_type),
		cmocka_unit_test(refuses_what_is_no_message),
		cmocka_unit_test(stops_nesting_and_output_at_their_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
