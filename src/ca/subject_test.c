/* Distinguished names. */
#include "ca/subject.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "pki/cert.h"

static const char *told(const char *text)
{
	static char shown[400];
	AUTO(buf_fini) struct buf out = buf_init(65536);
	struct err e = { 0 };

	if (ca_subject_parse(bytes_str(text), &out, NULL, &e) < 0)
		fail_msg("%s", e.sentence);
	assert_true(name_is_valid(buf_bytes(&out)));
	return name_text(buf_bytes(&out), shown, sizeof(shown));
}

static void the_order_is_fixed_but_for_what_has_no_place(void **state)
{
	(void)state;
	assert_string_equal(told("CN=John Doe,OU=People,O=Company"),
			    "CN=John Doe,OU=People,O=Company");
	assert_string_equal(told("O=Company,CN=John Doe,OU=People"),
			    "CN=John Doe,OU=People,O=Company");
	assert_string_equal(told("serialNumber=7, postalcode=1,street=s,L=l,ST=st,C=FI"),
			    told("C=FI,ST=st,L=l,STREET=s,postalCode=1,serialNumber=7"));
	assert_string_equal(told("cn=foo,uid=admin,dc=b,dc=a"), "DC=a,DC=b,UID=admin,CN=foo");
}

static void several_values_of_a_type_are_one_sorted_set(void **state)
{
	(void)state;
	assert_string_equal(told("OU=b,OU=a,CN=x"), "CN=x,OU=a+OU=b");
	assert_string_equal(told("OU=a,CN=x,OU=b"), "CN=x,OU=a+OU=b");
}

static void escapes_and_quotes_are_read(void **state)
{
	(void)state;
	assert_string_equal(told("O=Acme\\, Inc."), told("O=\"Acme, Inc.\""));
	assert_string_equal(told("O=Acme\\2c Inc."), told("O=\"Acme, Inc.\""));
	assert_string_equal(told("CN= a b  , O = c "), "CN=a b,O=c");
	assert_string_equal(told("CN=\\c3\\a4"), "CN=\xc3\xa4");
	assert_string_equal(told("2.5.4.3=dotted"), "CN=dotted");
	assert_string_equal(told(""), "(empty)");
}

static void strings_have_the_types_that_readers_expect(void **state)
{
	AUTO(buf_fini) struct buf out = buf_init(1000), cn = buf_init(100);
	static const uint8_t wanted[] = "\x30\x0d\x31\x0b\x30\x09\x06\x03\x55\x04\x03\x13\x02"
					"ab";

	(void)state;
	assert_int_equal(ca_subject_parse(bytes_str("CN=ab"), &out, &cn, NULL), 0);
	assert_true(bytes_equal(buf_bytes(&out), bytes_of(wanted, sizeof(wanted) - 1)));
	assert_true(bytes_equal(buf_bytes(&cn), bytes_str("ab")));
	buf_clear(&out);
	assert_int_equal(ca_subject_parse(bytes_str("CN=a*"), &out, NULL, NULL), 0);
	assert_int_equal(out.p[11], 0x0c);
	buf_clear(&out);
	assert_int_equal(ca_subject_parse(bytes_str("dc=a*"), &out, NULL, NULL), 0);
	assert_int_equal(out.p[out.n - 4], 0x16);
}

static void what_is_no_name_is_refused_with_its_place(void **state)
{
	static const char *const bad[] = { "a.example",	 "CN",	    "CN=",	  "CN=a,",
					   "CN=a,,O=b",	 "=a",	    "nonsense=a", "CN=\"a",
					   "CN=a\\",	 "CN=\\00", "CN=\\ff",	  "CN=\"a\"b",
					   "9.9.9.9.x=a" };
	AUTO(buf_fini) struct buf out = buf_init(1000);
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (ca_subject_parse(bytes_str(bad[i]), &out, NULL, &e) == 0)
			fail_msg("%s", bad[i]);
		assert_int_equal(e.code, ERR_NAME);
		assert_int_equal(out.n, 0);
	}
	assert_int_equal(ca_subject_parse(bytes_of("CN=a\0b", 6), &out, NULL, &e), -1);
	assert_string_equal(e.sentence,
			    "\"CN=a\\x00b\": a NUL, which no name holds, at character 6");
}

static void no_memory_is_said(void **state)
{
	struct err e = { 0 };
	size_t n = 1;

	(void)state;
	for (;; n++) {
		AUTO(buf_fini) struct buf out = buf_init(1000);
		int done;

		mem_fail_at(n);
		done = ca_subject_parse(bytes_str("CN=a,O=b,UID=c"), &out, NULL, &e);
		mem_fail_at(0);
		if (done == 0)
			break;
		assert_int_equal(e.code, ERR_NOMEM);
	}
	assert_true(n > 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_fixed_but_for_what_has_no_place),
		cmocka_unit_test(several_values_of_a_type_are_one_sorted_set),
		cmocka_unit_test(escapes_and_quotes_are_read),
		cmocka_unit_test(strings_have_the_types_that_readers_expect),
		cmocka_unit_test(what_is_no_name_is_refused_with_its_place),
		cmocka_unit_test(no_memory_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
