#include "proxy/rewrite.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"

static const struct config_header headers[] = { { "X-Seen-By", "oriel" } };
static const struct config_rule rule = { .set_headers = headers, .set_header_count = 1 };

static struct rewrite *fresh(void)
{
	struct rewrite *r;

	assert_int_equal(rewrite_new(&rule, &r, NULL), 0);
	return r;
}

/* Runs until something else must come first; what was written is added to out. */
static enum rewrite_result run(struct rewrite *r, struct bytes *in, struct buf *out)
{
	enum rewrite_result result;
	struct bytes some;
	struct err e;

	do {
		result = rewrite_run(r, in, &some, &e);
		assert_int_equal(buf_add(out, some, NULL), 0);
	} while (result == REWRITE_MORE);
	return result;
}

static bool has(const struct buf *b, const char *text)
{
	return b->n && memmem(b->p, b->n, text, strlen(text));
}

static void sets_the_header_in_a_head_that_comes_in_pieces(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: x\r\nX-Seen-By: me\r\n\r\n";
	struct rewrite *r = fresh();
	struct buf out = buf_init(1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		struct bytes one = bytes_of(request + i, 1);

		assert_int_equal(run(r, &one, &out), REWRITE_DONE);
		assert_int_equal(one.n, 0);
	}
	assert_true(has(&out, "X-Seen-By: oriel\r\n"));
	assert_false(has(&out, "X-Seen-By: me"));
	buf_fini(&out);
	rewrite_free(r);
}

static void gives_more_than_fits_into_one_piece_in_several(void **state)
{
	struct buf in = buf_init(1 << 20), out = buf_init(4 << 20);
	struct rewrite *r = fresh();
	size_t pieces = 0, count = 6000;
	enum rewrite_result result = REWRITE_MORE;

	(void)state;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(buf_add(&in, bytes_str("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), NULL),
				 0);
	for (struct bytes rest = buf_bytes(&in); result == REWRITE_MORE; pieces++) {
		struct bytes some;

		result = rewrite_run(r, &rest, &some, NULL);
		assert_int_equal(buf_add(&out, some, NULL), 0);
	}
	assert_int_equal(result, REWRITE_DONE);
	assert_true(pieces > 1);
	assert_int_equal(out.n, in.n + count * strlen("X-Seen-By: oriel\r\n"));
	buf_fini(&in);
	buf_fini(&out);
	rewrite_free(r);
}

static const char upgrade[] =
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
	"GET /next HTTP/1.1\r\nHost: x\r\n\r\n";

static void waits_for_the_answer_to_an_upgrade(void **state)
{
	(void)state;
	for (int switched = 0; switched < 2; switched++) {
		struct bytes in = bytes_str(upgrade);
		struct buf out = buf_init(1 << 20), held;
		struct rewrite *r = fresh();

		assert_int_equal(run(r, &in, &out), REWRITE_WAIT);
		assert_true(rewrite_waits(r));
		assert_int_equal(rewrite_hold(r, in, NULL), 0);
		assert_int_equal(rewrite_held(r), strlen("GET /next HTTP/1.1\r\nHost: x\r\n\r\n"));
		rewrite_answer(r, switched);
		assert_false(rewrite_waits(r));
		held = rewrite_take(r);
		assert_int_equal(rewrite_held(r), 0);
		in = buf_bytes(&held);
		buf_clear(&out);
		assert_int_equal(run(r, &in, &out), REWRITE_DONE);
		assert_int_equal(has(&out, "X-Seen-By"), !switched);
		buf_fini(&held);
		buf_fini(&out);
		rewrite_free(r);
	}
}

static void refuses_what_two_parsers_could_read_differently(void **state)
{
	struct bytes in = bytes_str("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: "
				    "1\r\nTransfer-Encoding: chunked\r\n\r\n");
	struct buf out = buf_init(1 << 20);
	struct rewrite *r = fresh();

	(void)state;
	assert_int_equal(run(r, &in, &out), REWRITE_REFUSED);
	assert_true(rewrite_refused(r));
	assert_int_equal(out.n, 0);
	rewrite_free(r);
}

static void remembers_the_end_behind_what_it_holds(void **state)
{
	struct rewrite *r = fresh();
	bool clean;

	(void)state;
	assert_false(rewrite_end_due(r, &clean));
	rewrite_end_later(r, true);
	assert_true(rewrite_end_due(r, &clean));
	assert_true(clean);
	rewrite_free(r);
}

static void survives_without_memory(void **state)
{
	struct rewrite *r;

	(void)state;
	for (unsigned n = 1;; n++) {
		int made;

		mem_fail_at(n);
		made = rewrite_new(&rule, &r, NULL);
		mem_fail_at(0);
		if (made == 0)
			break;
	}
	rewrite_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sets_the_header_in_a_head_that_comes_in_pieces),
		cmocka_unit_test(gives_more_than_fits_into_one_piece_in_several),
		cmocka_unit_test(waits_for_the_answer_to_an_upgrade),
		cmocka_unit_test(refuses_what_two_parsers_could_read_differently),
		cmocka_unit_test(remembers_the_end_behind_what_it_holds),
		cmocka_unit_test(survives_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
