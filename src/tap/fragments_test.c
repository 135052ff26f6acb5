#include "tap/fragments.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"

#define SECOND INT64_C(1000000000)

static const char text[] = "0123456701234567abcdefghABCDEFGHxyz";
#define TEXT_N (sizeof(text) - 1)

struct lab {
	struct fragments *f;
	struct packet_fragment whole;
	int64_t now;
};

static int set_up(void **state)
{
	static struct lab lab;

	lab = (struct lab){ 0 };
	*state = &lab;
	return fragments_new(100000, &lab.f, NULL);
}

static int tear_down(void **state)
{
	struct lab *lab = *state;

	fragments_free(lab->f);
	return 0;
}

static struct packet_fragment part_of(uint32_t id, size_t offset, size_t n)
{
	struct packet_fragment p = {
		.src = { .family = ADDR_IP4, .ip = { 10, 0, 0, 1 } },
		.dst = { .family = ADDR_IP4, .ip = { 10, 0, 0, 2 } },
		.id = id,
		.protocol = 17,
		.offset = (uint32_t)offset,
		.more = offset + n < TEXT_N,
		.payload = bytes_of(text + offset, n),
	};

	return p;
}

static bool add(struct lab *lab, struct packet_fragment p)
{
	/* A copy that ASan watches: nothing may be kept of it. */
	uint8_t *copy = mem_dup(p.payload);
	bool done;

	assert_non_null(copy);
	p.payload.p = copy;
	done = fragments_add(lab->f, &p, (struct tap_at){ .packet = 1, .wall_ns = lab->now },
			     &lab->whole);
	mem_free(copy);
	return done;
}

static void expect_text(const struct lab *lab)
{
	assert_int_equal(lab->whole.payload.n, TEXT_N);
	assert_memory_equal(lab->whole.payload.p, text, TEXT_N);
	assert_int_equal(lab->whole.missing, 0);
	assert_int_equal(lab->whole.offset, 0);
	assert_false(lab->whole.more);
	assert_int_equal(lab->whole.protocol, 17);
	assert_int_equal(lab->whole.src.ip[3], 1);
	assert_int_equal(lab->whole.dst.ip[3], 2);
}

static void puts_fragments_together_in_any_order(void **state)
{
	static const size_t at[] = { 0, 8, 24 }, n[] = { 8, 16, TEXT_N - 24 };
	static const int orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					  { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	struct lab *lab = *state;

	for (uint32_t i = 0; i < 6; i++) {
		const int *o = orders[i];

		assert_false(add(lab, part_of(i, at[o[0]], n[o[0]])));
		assert_false(add(lab, part_of(i, at[o[1]], n[o[1]])));
		assert_true(add(lab, part_of(i, at[o[2]], n[o[2]])));
		expect_text(lab);
	}
	assert_int_equal(fragments_dropped(lab->f), 0);
}

static void keeps_datagrams_apart(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment other = part_of(1, 16, TEXT_N - 16);

	assert_false(add(lab, part_of(1, 0, 16)));
	other.id = 2;
	assert_false(add(lab, other));
	other = part_of(1, 16, TEXT_N - 16);
	other.dst.ip[3] = 3;
	assert_false(add(lab, other));
	other = part_of(1, 16, TEXT_N - 16);
	other.protocol = 6;
	assert_false(add(lab, other));
	assert_true(add(lab, part_of(1, 16, TEXT_N - 16)));
	expect_text(lab);
}

static void in_ip6_the_first_fragment_says_the_protocol(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment first = part_of(1, 0, 16), last = part_of(1, 16, TEXT_N - 16);

	first.src.family = first.dst.family = ADDR_IP6;
	last.src.family = last.dst.family = ADDR_IP6;
	last.protocol = 99;
	assert_false(add(lab, last));
	assert_true(add(lab, first));
	expect_text(lab);
}

static void of_bytes_that_come_twice_the_first_count(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment lie = part_of(1, 0, 24);
	uint8_t wrong[24] = { 0 };

	lie.payload.p = wrong;
	assert_false(add(lab, part_of(1, 0, 16)));
	assert_false(add(lab, part_of(1, 16, 8)));
	assert_false(add(lab, lie));
	assert_true(add(lab, part_of(1, 16, TEXT_N - 16)));
	expect_text(lab);
}

static void refuses_what_contradicts_itself(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment p = part_of(1, 0, 12);
	static const uint8_t much[16] = { 0 };

	assert_false(add(lab, p)); /* more to come, and no whole units */
	p = part_of(1, 8, 0);
	p.more = false;
	assert_false(add(lab, p)); /* nothing in it */
	p = part_of(1, 0, 16);
	p.offset = 65528;
	assert_false(add(lab, p)); /* longer than a datagram can be */
	assert_int_equal(fragments_dropped(lab->f), 3);

	assert_false(add(lab, part_of(2, 16, TEXT_N - 16)));
	p = part_of(2, 0, 16);
	p.payload = bytes_of(much, 16);
	p.offset = 40;
	assert_false(add(lab, p)); /* behind the last one */
	p = part_of(2, 8, 8);
	p.more = false;
	assert_false(add(lab, p)); /* another end */
	assert_int_equal(fragments_dropped(lab->f), 5);
	assert_true(add(lab, part_of(2, 0, 16)));
	expect_text(lab);

	assert_false(add(lab, part_of(3, 16, 16)));
	p = part_of(3, 8, 8);
	p.more = false;
	assert_false(add(lab, p)); /* the end before what came already */
	assert_int_equal(fragments_dropped(lab->f), 6);
}

static void says_how_much_the_capture_cut_off(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment p = part_of(1, 16, TEXT_N - 16);

	assert_false(add(lab, part_of(1, 0, 16)));
	p.payload.n -= 9;
	p.missing = 9;
	assert_true(add(lab, p));
	assert_int_equal(lab->whole.payload.n, 24);
	assert_int_equal(lab->whole.missing, TEXT_N - 24);
	assert_memory_equal(lab->whole.payload.p, text, 24);
	/* Captured whole a second time, before it was finished. */
	p = part_of(2, 0, 16);
	p.payload.n = 3;
	p.missing = 13;
	assert_false(add(lab, p));
	assert_false(add(lab, part_of(2, 0, 16)));
	assert_true(add(lab, part_of(2, 16, TEXT_N - 16)));
	expect_text(lab);
}

static void forgets_what_is_old(void **state)
{
	struct lab *lab = *state;

	assert_false(add(lab, part_of(1, 0, 16)));
	lab->now += FRAGMENTS_AGE_NS + 1;
	assert_false(add(lab, part_of(1, 16, TEXT_N - 16)));
	assert_int_equal(fragments_dropped(lab->f), 1);
	lab->now += SECOND;
	assert_true(add(lab, part_of(1, 0, 16)));
	expect_text(lab);
}

static void the_oldest_make_room(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment p;

	assert_false(add(lab, part_of(0, 0, 16)));
	for (uint32_t id = 1; id < 1000; id++) {
		p = part_of(id, 0, 16);
		p.offset = 60000;
		p.more = true;
		assert_false(add(lab, p));
	}
	assert_true(fragments_dropped(lab->f) >= 998);
	assert_false(add(lab, part_of(0, 16, TEXT_N - 16)));
	assert_true(add(lab, part_of(0, 0, 16)));
	expect_text(lab);
}

static void one_that_fits_in_no_room_is_dropped(void **state)
{
	struct lab *lab = *state;
	struct packet_fragment p = part_of(1, 0, 16);
	struct fragments *small;

	p.offset = 60000;
	p.more = true;
	assert_int_equal(fragments_new(10000, &small, NULL), 0);
	assert_false(fragments_add(small, &p, (struct tap_at){ 0 }, &lab->whole));
	assert_int_equal(fragments_dropped(small), 1);
	fragments_free(small);
}

static void survives_without_memory(void **state)
{
	struct lab *lab = *state;
	struct fragments *f;
	struct err e = { 0 };
	size_t failing;

	for (failing = 1; failing <= 2; failing++) {
		mem_fail_at(failing);
		assert_int_equal(fragments_new(1000, &f, &e), -1);
		mem_fail_at(0);
		assert_int_equal(e.code, ERR_NOMEM);
	}
	for (failing = 1; failing <= 2; failing++) {
		struct packet_fragment p = part_of(1, 0, 16);

		mem_fail_at(failing);
		assert_false(fragments_add(lab->f, &p, (struct tap_at){ 0 }, &lab->whole));
		mem_fail_at(0);
	}
	assert_int_equal(fragments_dropped(lab->f), 2);
	assert_false(add(lab, part_of(1, 0, 16)));
	assert_true(add(lab, part_of(1, 16, TEXT_N - 16)));
	expect_text(lab);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(puts_fragments_together_in_any_order),
		TEST(keeps_datagrams_apart),
		TEST(in_ip6_the_first_fragment_says_the_protocol),
		TEST(of_bytes_that_come_twice_the_first_count),
		TEST(refuses_what_contradicts_itself),
		TEST(says_how_much_the_capture_cut_off),
		TEST(forgets_what_is_old),
		TEST(the_oldest_make_room),
		TEST(one_that_fits_in_no_room_is_dropped),
		TEST(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
