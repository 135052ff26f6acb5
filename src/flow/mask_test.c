#include "flow/mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static void assert_masked(struct mask m, const char *want)
{
	AUTO(buf_fini) struct buf out = buf_init(1000);

	assert_int_equal(mask_add(&out, m, NULL), 0);
	if (!bytes_equal(buf_bytes(&out), bytes_str(want)))
		fail_msg("\"%.*s\" instead of \"%s\"", BYTES_FMT(buf_bytes(&out)), want);
}

static void assert_url(const char *url, const char *want)
{
	assert_masked(mask_url(bytes_str(url)), want);
}

static void assert_header(const char *name, const char *value, const char *want)
{
	assert_masked(mask_header(bytes_str(name), bytes_str(value)), want);
}

static void what_is_no_secret_stays(void **state)
{
	static const char *const same[] = { "",
					    "/",
					    "/a/b;c/@d",
					    "https://example.org",
					    "https://example.org:8443/p@th/",
					    "//example.org/x",
					    "*",
					    "example.org:443",
					    "[2001:db8::1]:443",
					    "https://h/?",
					    "https://h/?&&;",
					    "https://h/#" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++)
		assert_url(same[i], same[i]);
	assert_header("accept", "text/html?a=b", "text/html?a=b");
	assert_header("content-type", "", "");
	assert_masked(mask_none(bytes_str("a?b=c")), "a?b=c");
}

static void query_values_are_hidden_and_names_stay(void **state)
{
	(void)state;
	assert_url("/p?a=1&b=2", "/p?a=***&b=***");
	assert_url("/p?a=1;b=2&c=x=y", "/p?a=***;b=***&c=***");
	assert_url("https://h/p?q=a%20b#frag=1", "https://h/p?q=***#frag=***");
	assert_url("https://h?x=1", "https://h?x=***");
	assert_url("?x=1", "?x=***");
	assert_url("/p?&a=1&&b=2&", "/p?&a=***&&b=***&");
	assert_url("/p?=v", "/p?=***");
}

static void a_parameter_without_a_value_is_taken_for_a_secret(void **state)
{
	(void)state;
	assert_url("/p?token", "/p?***");
	assert_url("/p?dG9rZW4=", "/p?***");
	assert_url("/p?dG9rZQ==&a=1", "/p?***&a=***");
	assert_url("/p#section", "/p#***");
}

static void userinfo_is_hidden(void **state)
{
	(void)state;
	assert_url("https://user:secret@h/p", "https://***@h/p");
	assert_url("https://user@h", "https://***@h");
	assert_url("https://a@b:c@h:1/p?x=1", "https://***@h:1/p?x=***");
	assert_url("//u:p@h/", "//***@h/");
	assert_url("u:p@h:443", "***@h:443");
	assert_url("https://@h/", "https://***@h/");
	assert_url("https://h/a@b?c@d=1", "https://h/a@b?c@d=***");
	assert_url("https://h?u:p@x=1", "https://h?u:p@x=***");
}

static void credentials_keep_their_scheme(void **state)
{
	(void)state;
	assert_header("Authorization", "Bearer abc.def", "Bearer ***");
	assert_header("authorization", "Basic dXNlcjpwdw==", "Basic ***");
	assert_header("Proxy-Authorization", "Digest username=\"u\", nonce=\"n\"", "Digest ***");
	assert_header("authorization", "abcdef", "***");
	assert_header("authorization", "Bearer ", "Bearer ");
}

static void cookies_keep_their_names(void **state)
{
	(void)state;
	assert_header("Cookie", "a=1; b=2;c=3", "a=***; b=***;c=***");
	assert_header("cookie", "bare", "***");
	assert_header("cookie", "a=x y; b==", "a=*** ***; ***");
	assert_header("Set-Cookie", "sid=31d4; Path=/; HttpOnly", "sid=***; Path=/; HttpOnly");
	assert_header("set-cookie", "sid=\"a b\"", "sid=***");
	assert_header("set-cookie", "; Path=/", "; Path=/");
}

static void urls_in_headers_are_masked(void **state)
{
	(void)state;
	assert_header("Location", "https://h/cb?code=12", "https://h/cb?code=***");
	assert_header("Referer", "https://h/?q=1", "https://h/?q=***");
	assert_header("Refresh", "0; url=https://u:p@h/?q=1", "0; url=https://***@h/?q=***");
	assert_header(":path", "/x?k=v", "/x?k=***");
	assert_header("Link", "<https://h/?p=2>; rel=next", "<https://h/?p=***; rel=***");
}

static void headers_that_are_nothing_but_a_secret_are_hidden(void **state)
{
	static const char *const names[] = { "X-Api-Key",
					     "x-auth-token",
					     "Private-Token",
					     "X-Csrf-Token",
					     "DPoP",
					     "x-client-secret",
					     "My-Access-Key",
					     "x-apikey",
					     "X-Forwarded-Authorization",
					     "ocp-apim-subscription-key" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_header(names[i], "4f0b", "***");
	assert_header("x-api-key", "", "");
	assert_false(mask_is_secret(bytes_str("x-request-id")));
	assert_false(mask_is_secret(bytes_str("tokens")));
}

/* Whatever the text, no byte of a value gets out: values are digits here, nothing else is. */
static void no_value_gets_out_of_any_truncation(void **state)
{
	static const char text[] = "https://7:8@h/p?a=1&2&b=34;=5#6=7";

	(void)state;
	for (size_t n = 0; n < sizeof(text); n++) {
		struct mask m = mask_url(bytes_of(text, n));
		struct bytes part;

		/* Before the "@" a text cannot be told from host and port. */
		if (n > 0 && n < 12)
			continue;
		while (mask_next(&m, &part)) {
			assert_true(part.n > 0);
			for (size_t i = 0; i < part.n; i++)
				assert_false(part.p[i] >= '0' && part.p[i] <= '9' &&
					     part.p[i] != '6');
		}
	}
}

static void a_full_buffer_is_left_as_it_was(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(8);

	(void)state;
	assert_int_equal(buf_add(&out, bytes_str("ab"), NULL), 0);
	assert_int_equal(mask_add(&out, mask_url(bytes_str("/p?long=1")), NULL), -1);
	assert_int_equal(out.n, 2);
	buf_fini(&out);
	mem_fail_at(1);
	assert_int_equal(mask_add(&out, mask_url(bytes_str("/")), NULL), -1);
	mem_fail_at(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_no_secret_stays),
		cmocka_unit_test(query_values_are_hidden_and_names_stay),
		cmocka_unit_test(a_parameter_without_a_value_is_taken_for_a_secret),
		cmocka_unit_test(userinfo_is_hidden),
		cmocka_unit_test(credentials_keep_their_scheme),
		cmocka_unit_test(cookies_keep_their_names),
		cmocka_unit_test(urls_in_headers_are_masked),
		cmocka_unit_test(headers_that_are_nothing_but_a_secret_are_hidden),
		cmocka_unit_test(no_value_gets_out_of_any_truncation),
		cmocka_unit_test(a_full_buffer_is_left_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
