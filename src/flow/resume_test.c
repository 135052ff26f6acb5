#include "flow/resume.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

static size_t request(const char *text)
{
	return resume_http1(true, bytes_str(text));
}

static size_t response(const char *text)
{
	return resume_http1(false, bytes_str(text));
}

static void finds_the_first_line_of_a_request(void **state)
{
	(void)state;
	assert_int_equal(request("GET / HTTP/1.1\r\n"), 0);
	assert_int_equal(request("of a body\r\nPUT /x HTTP/1.0\nHost: a\n"), 11);
	assert_int_equal(request("CONNECT a:443 HTTP/1.1\r\n\r\n"), 0);
	assert_int_equal(request("GET / HTTP/1.1"), 14);
	assert_int_equal(request("GET /\r\n"), 7);
	assert_int_equal(request(" HTTP/1.1\r\n"), 11);
	assert_int_equal(request("HTTP/1.1 200 OK\r\n"), 17);
	assert_int_equal(request(""), 0);
}

static void finds_the_first_line_of_a_response(void **state)
{
	(void)state;
	assert_int_equal(response("HTTP/1.1 200 OK\r\n"), 0);
	assert_int_equal(response("HTTP/1.0 404\r\n"), 0);
	assert_int_equal(response("\nxHTTP/1.1 200 OK\r\nHTTP/1.1 304 Not\r\n"), 19);
	assert_int_equal(response("HTTP/1.1 999 OK\r\n"), 17);
	assert_int_equal(response("HTTP/1.1 2x0 OK\r\n"), 17);
	assert_int_equal(response("HTTP/2 200\r\n"), 12);
	assert_int_equal(response("HTTP/1.1 200"), 12);
}

#define FRAMES(s) resume_http2(bytes_of(s, sizeof(s) - 1))

static void takes_frames_for_frames_and_nothing_else(void **state)
{
	(void)state;
	assert_int_equal(FRAMES("\0\0\1\0\1\0\0\0\1x"), 0);
	assert_int_equal(FRAMES("\0\0\0\4\1\0\0\0\0"
				"\0\0\4\x8\0\0\0\0\0abcd"),
			 0);
	assert_int_equal(FRAMES("\0\0\0\4\1\0\0\0\0"
				"\0\0"),
			 0);
	assert_int_equal(FRAMES("\0\x40\0\0\0\0\0\0\5only the beginning"), 0);
	assert_int_equal(FRAMES("\0\0\0\4\1\0\0\0"), 8);     /* too short to tell */
	assert_int_equal(FRAMES("\0\0\0\4\1\0\0\0\1"), 9);   /* SETTINGS of a stream */
	assert_int_equal(FRAMES("\0\0\0\0\1\0\0\0\0"), 9);   /* DATA of none */
	assert_int_equal(FRAMES("\0\0\0\0\2\0\0\0\1"), 9);   /* no such flag */
	assert_int_equal(FRAMES("\0\0\0\x9\0\0\0\0\1"), 9);  /* CONTINUATION */
	assert_int_equal(FRAMES("\0\x40\1\0\0\0\0\0\1"), 9); /* too long */
	assert_int_equal(FRAMES("\0\0\0\0\0\x80\0\0\1"), 9); /* the reserved bit */
	assert_int_equal(FRAMES("\0\0\1\0\1\0\0\0\1x"
				"HTTP/1.1 "),
			 19); /* what follows is none */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_first_line_of_a_request),
		cmocka_unit_test(finds_the_first_line_of_a_response),
		cmocka_unit_test(takes_frames_for_frames_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
