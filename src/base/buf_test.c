#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "base/mem.h"

static void add(struct buf *b, const char *s)
{
	assert_int_equal(buf_add(b, bytes_str(s), NULL), 0);
}

static void assert_holds(const struct buf *b, const char *s)
{
	assert_true(bytes_equal(buf_bytes(b), bytes_str(s)));
}

static void adds_at_the_end_and_takes_from_the_front(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(100);

	(void)state;
	add(&b, "hello ");
	add(&b, "");
	add(&b, "world");
	assert_holds(&b, "hello world");
	buf_take(&b, 6);
	assert_holds(&b, "world");
	add(&b, "!");
	assert_holds(&b, "world!");
	buf_take(&b, 6);
	assert_holds(&b, "");
	assert_int_equal(buf_room(&b), 100);
}

static void an_unused_buffer_has_no_memory_and_every_call_is_fine(void **state)
{
	struct buf b = buf_init(10);

	(void)state;
	buf_take(&b, 0);
	buf_clear(&b);
	buf_shrink(&b);
	assert_null(b.storage);
	assert_int_equal(buf_bytes(&b).n, 0);
	assert_int_equal(buf_add(&b, bytes_of(NULL, 0), NULL), 0);
	buf_fini(&b);
	buf_fini(&b);
}

static void holds_exactly_its_limit(void **state)
{
	static const size_t limits[] = { 0, 1, 2, 3, 255, 256, 257, 1000, 70000 };
	static const uint8_t zeros[70000];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
		struct buf b = buf_init(limits[i]);
		struct err e = { 0 };

		assert_int_equal(buf_add(&b, bytes_of(zeros, limits[i]), NULL), 0);
		assert_int_equal(b.n, limits[i]);
		assert_int_equal(buf_add(&b, bytes_str("x"), &e), -1);
		assert_int_equal(e.code, ERR_LIMIT);
		assert_int_equal(b.n, limits[i]);
		buf_fini(&b);
	}
}

static void a_huge_request_is_refused_without_overflow(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	uint8_t *room = NULL;

	(void)state;
	add(&b, "abc");
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &room, NULL), -1);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 2, &room, NULL), -1);
	assert_null(room);
	assert_holds(&b, "abc");
}

static void reserve_gives_room_and_commit_says_how_much_was_used(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);
	uint8_t *room;

	(void)state;
	assert_int_equal(buf_reserve(&b, 1000, &room, NULL), 0);
	memset(room, 'x', 1000);
	assert_int_equal(b.n, 0);
	buf_commit(&b, 3);
	assert_holds(&b, "xxx");
	assert_int_equal(buf_reserve(&b, 997, &room, NULL), 0);
	memset(room, 'y', 997);
	buf_commit(&b, 0);
	assert_holds(&b, "xxx");
}

static void prints_up_to_the_very_limit(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(8);

	(void)state;
	assert_int_equal(buf_printf(&b, NULL, "%s", ""), 0);
	assert_int_equal(buf_printf(&b, NULL, "%d-%s", 42, "abc"), 0);
	assert_int_equal(buf_printf(&b, NULL, "%s", "de"), 0);
	assert_holds(&b, "42-abcde");
	assert_int_equal(buf_printf(&b, NULL, "x"), -1);
	assert_holds(&b, "42-abcde");
}

/* A model: a queue in a large array. Sizes come from a fixed generator. */
static void agrees_with_a_plain_queue(size_t max, bool secret)
{
	static uint8_t model[1 << 20];
	size_t head = 0, tail = 0;
	uint32_t x = 12345;
	struct buf b = secret ? buf_init_secret(max) : buf_init(max);

	for (int step = 0; step < 20000 && tail + max < sizeof(model); step++) {
		size_t n = ((x = x * 1664525 + 1013904223) >> 8) % (max / 2 + 2);

		if (x >> 31) {
			n = n > buf_room(&b) ? buf_room(&b) : n;
			for (size_t i = 0; i < n; i++)
				model[tail + i] = (uint8_t)(tail + i + (tail + i) / 251);
			assert_int_equal(buf_add(&b, bytes_of(model + tail, n), NULL), 0);
			tail += n;
		} else {
			n = n > b.n ? b.n : n;
			buf_take(&b, n);
			head += n;
		}
		assert_true(b.cap <= max + max / 2);
		assert_true(bytes_equal(buf_bytes(&b), bytes_of(model + head, tail - head)));
	}
	assert_true(tail > max);
	buf_fini(&b);
}

static void is_a_queue_whatever_the_order_of_calls(void **state)
{
	(void)state;
	agrees_with_a_plain_queue(1, false);
	agrees_with_a_plain_queue(10, false);
	agrees_with_a_plain_queue(300, false);
	agrees_with_a_plain_queue(1000, true);
	agrees_with_a_plain_queue(5000, false);
}

/* A buffer that stays nearly full while small pieces go through it must not move everything for
 * each piece. A move shows as the first byte's address falling. */
static void a_full_queue_moves_each_byte_a_few_times_only(void **state)
{
	enum { MAX = 65536, PIECE = 16, PIECES = 40000 };
	static const uint8_t piece[PIECE];
	AUTO(buf_fini) struct buf b = buf_init(MAX);
	size_t moved = 0;

	(void)state;
	while (buf_room(&b) >= PIECE)
		assert_int_equal(buf_add(&b, bytes_of(piece, PIECE), NULL), 0);
	for (int i = 0; i < PIECES; i++) {
		uint8_t *before;

		buf_take(&b, PIECE);
		before = b.p;
		assert_int_equal(buf_add(&b, bytes_of(piece, PIECE), NULL), 0);
		if (b.p != before)
			moved += b.n;
	}
	assert_true(moved <= (size_t)3 * PIECE * PIECES);
}

static void shrink_gives_memory_back_only_when_empty(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(1000);

	(void)state;
	add(&b, "abc");
	buf_shrink(&b);
	assert_holds(&b, "abc");
	buf_clear(&b);
	assert_non_null(b.storage);
	buf_shrink(&b);
	assert_null(b.storage);
	assert_int_equal(b.max, 1000);
	add(&b, "again");
	assert_holds(&b, "again");
}

static void when_memory_is_short_nothing_changes(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init(10000);
	static const uint8_t much[5000];
	struct err e = { 0 };

	(void)state;
	mem_fail_at(1);
	assert_int_equal(buf_add(&b, bytes_str("abc"), &e), -1);
	assert_int_equal(e.code, ERR_NOMEM);
	mem_fail_at(0);
	add(&b, "abcdef");
	buf_take(&b, 1);
	mem_fail_at(1);
	assert_int_equal(buf_add(&b, bytes_of(much, sizeof(much)), &e), -1);
	assert_int_equal(buf_printf(&b, &e, "%5000s", "x"), -1);
	mem_fail_at(0);
	assert_holds(&b, "bcdef");
	add(&b, "g");
	assert_holds(&b, "bcdefg");
}

static bool all_zero(const uint8_t *p, size_t n)
{
	while (n && *p == 0) {
		p++;
		n--;
	}
	return n == 0;
}

static void a_secret_buffer_wipes_what_was_taken_or_moved(void **state)
{
	AUTO(buf_fini) struct buf b = buf_init_secret(200);
	uint8_t key[150], *room;

	(void)state;
	memset(key, 'k', sizeof(key));
	assert_int_equal(buf_add(&b, bytes_of(key, sizeof(key)), NULL), 0);
	buf_take(&b, 100);
	assert_true(all_zero(b.storage, 100));
	/* Makes the rest move to the front: no copy stays behind. */
	assert_int_equal(buf_reserve(&b, 150, &room, NULL), 0);
	assert_ptr_equal(b.p, b.storage);
	assert_true(all_zero(b.storage + 50, 100));
	buf_clear(&b);
	assert_true(all_zero(b.storage, 150));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adds_at_the_end_and_takes_from_the_front),
		cmocka_unit_test(an_unused_buffer_has_no_memory_and_every_call_is_fine),
		cmocka_unit_test(holds_exactly_its_limit),
		cmocka_unit_test(a_huge_request_is_refused_without_overflow),
		cmocka_unit_test(reserve_gives_room_and_commit_says_how_much_was_used),
		cmocka_unit_test(prints_up_to_the_very_limit),
		cmocka_unit_test(is_a_queue_whatever_the_order_of_calls),
		cmocka_unit_test(a_full_queue_moves_each_byte_a_few_times_only),
		cmocka_unit_test(shrink_gives_memory_back_only_when_empty),
		cmocka_unit_test(when_memory_is_short_nothing_changes),
		cmocka_unit_test(a_secret_buffer_wipes_what_was_taken_or_moved),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
