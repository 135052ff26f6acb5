#include "cmd/delivery.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/mem.h"

static void fill(struct delivery *d)
{
	*d = (struct delivery){ .config = bytes_str("threads: 1\n"),
				.system_roots = bytes_str("roots"),
				.bump_cert = bytes_str("cert"),
				.hosts_file = bytes_str("127.0.0.1 localhost\n"),
				.asset_count = 2,
				.assets = { bytes_str("one"), bytes_str("") },
				.listener_count = 1,
				.own_count = 2,
				.utc_offset_s = (uint32_t)-3600,
				.terminal = true,
				.width = 120 };
	assert_true(addr_parse_ip(bytes_str("127.0.0.1"), 8080, &d->listeners[0]));
	assert_true(addr_parse_ip(bytes_str("10.9.0.143"), 0, &d->own[0]));
	assert_true(addr_parse_ip(bytes_str("fe80::1"), 0, &d->own[1]));
	d->own[1].scope = 3;
}

static struct buf written(void)
{
	struct delivery *d = mem_new(sizeof(*d));
	struct buf b = buf_init(DELIVERY_MAX);

	assert_non_null(d);
	fill(d);
	assert_int_equal(delivery_write(d, &b, NULL), 0);
	mem_free(d);
	return b;
}

static void comes_back_as_it_was_written(void **state)
{
	struct delivery *want = mem_new(sizeof(*want)), *got = mem_new(sizeof(*got));
	struct buf b = written();

	(void)state;
	assert_non_null(want);
	assert_non_null(got);
	fill(want);
	assert_int_equal(delivery_parse(buf_bytes(&b), got, NULL), 0);
	assert_true(bytes_equal(got->config, want->config));
	assert_true(bytes_equal(got->system_roots, want->system_roots));
	assert_true(bytes_equal(got->bump_cert, want->bump_cert));
	assert_true(bytes_equal(got->hosts_file, want->hosts_file));
	assert_int_equal(got->asset_count, 2);
	assert_true(bytes_equal(got->assets[0], want->assets[0]));
	assert_int_equal(got->assets[1].n, 0);
	assert_true(addr_equal(&got->listeners[0], &want->listeners[0]));
	assert_int_equal(got->own_count, 2);
	assert_true(addr_equal(&got->own[1], &want->own[1]));
	assert_int_equal(got->own[1].scope, 3);
	assert_int_equal((int)got->utc_offset_s, -3600);
	assert_true(got->terminal);
	assert_int_equal(got->width, 120);
	buf_fini(&b);
	mem_free(want);
	mem_free(got);
}

static void refuses_every_truncation_and_a_trailing_byte(void **state)
{
	struct delivery *got = mem_new(sizeof(*got));
	struct buf b = written();
	struct err e = { 0 };

	(void)state;
	assert_non_null(got);
	for (size_t n = 0; n < b.n; n++)
		assert_int_equal(delivery_parse(bytes_of(b.p, n), got, &e), -1);
	assert_int_equal(buf_add(&b, bytes_str("x"), NULL), 0);
	assert_int_equal(delivery_parse(buf_bytes(&b), got, &e), -1);
	assert_int_equal(e.code, ERR_WIRE_DECODE);
	buf_fini(&b);
	mem_free(got);
}

static void refuses_an_address_of_no_family(void **state)
{
	struct buf b = buf_init(64);
	struct wr w = wr_init(&b);
	struct addr a = { .family = ADDR_IP4 };
	bool bad = false;
	struct rd r;

	(void)state;
	delivery_addr_write(&w, &a);
	b.p[0] = ADDR_IP6 + 1;
	r = rd_init(buf_bytes(&b), &bad);
	(void)delivery_addr_read(&r);
	assert_true(bad);
	buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_back_as_it_was_written),
		cmocka_unit_test(refuses_every_truncation_and_a_trailing_byte),
		cmocka_unit_test(refuses_an_address_of_no_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
