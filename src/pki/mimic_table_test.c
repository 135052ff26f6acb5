#include "pki/mimic_table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/der.h"

static void every_oid_is_the_one_that_its_text_says(void **state)
{
	size_t count;
	const struct mimic_rule *rules = mimic_rules(&count);
	char text[64];

	(void)state;
	assert_in_range(count, 60, 200);
	for (size_t i = 0; i < count; i++) {
		assert_true(oid_is_valid(rules[i].oid));
		assert_string_equal(oid_text(rules[i].oid, text, sizeof(text)), rules[i].dotted);
		assert_ptr_equal(mimic_rule_find(rules[i].oid), &rules[i]); /* no OID twice */
		assert_true(strlen(rules[i].name) > 2 && strlen(rules[i].reason) > 10);
	}
}

static void what_a_mimic_must_not_carry_is_not_copied(void **state)
{
	static const struct {
		const char *oid;
		enum mimic_action action;
	} rows[] = {
		{ "1.3.6.1.5.5.7.1.1", MIMIC_DROP },	   /* AIA */
		{ "2.5.29.31", MIMIC_DROP },		   /* CRL distribution points */
		{ "1.3.6.1.4.1.11129.2.4.2", MIMIC_DROP }, /* SCT */
		{ "1.3.6.1.4.1.11129.2.4.3", MIMIC_DROP }, /* CT poison */
		{ "1.3.6.1.5.5.7.1.24", MIMIC_DROP },	   /* must-staple */
		{ "2.5.29.30", MIMIC_DROP },		   /* name constraints */
		{ "2.5.29.14", MIMIC_RECOMPUTE },	   /* SKI */
		{ "2.5.29.35", MIMIC_RECOMPUTE },	   /* AKI */
		{ "2.5.29.19", MIMIC_RECOMPUTE },	   /* basic constraints */
		{ "2.5.29.15", MIMIC_RECOMPUTE },	   /* key usage */
		{ "2.5.29.17", MIMIC_COPY },		   /* SAN */
		{ "2.5.29.37", MIMIC_COPY },		   /* EKU */
		{ "2.5.29.32", MIMIC_COPY },		   /* policies */
	};
	size_t count, found = 0;
	const struct mimic_rule *rules = mimic_rules(&count);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < count; k++) {
			if (strcmp(rules[k].dotted, rows[i].oid) != 0)
				continue;
			assert_int_equal(rules[k].action, rows[i].action);
			found++;
		}
	}
	assert_int_equal(found, ARRAY_LEN(rows));
}

static void unknown_oids_have_no_rule(void **state)
{
	(void)state;
	assert_null(mimic_rule_find(bytes_str("\x2a\x03\x04")));
	assert_null(mimic_rule_find(bytes_of("\x55\x1d", 2)));
	assert_null(mimic_rule_find((struct bytes){ 0 }));
	assert_string_equal(mimic_action_text(MIMIC_COPY), "copied");
	assert_string_equal(mimic_action_text(MIMIC_RECOMPUTE), "recomputed");
	assert_string_equal(mimic_action_text(MIMIC_DROP), "dropped");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_oid_is_the_one_that_its_text_says),
		cmocka_unit_test(what_a_mimic_must_not_carry_is_not_copied),
		cmocka_unit_test(unknown_oids_have_no_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
