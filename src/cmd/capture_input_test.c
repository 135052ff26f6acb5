#include "cmd/capture_input.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/wr.h"
#include "proc/file.h"

#define MANY 20000 /* packets; some pieces full of them */
#define FILE_MAX ((size_t)64 << 20)

static char folder[] = "/tmp/oriel-capture-XXXXXX";
static char path[64], other[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/capture", folder);
	snprintf(other, sizeof(other), "%s/other", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	(void)unlink(path);
	(void)unlink(other);
	return rmdir(folder);
}

static void put_file(const char *to, const struct buf *b)
{
	assert_int_equal(file_write(to, buf_bytes(b), 0600, NULL), 0);
}

static void append(const char *to, struct bytes b)
{
	int fd = open(to, O_WRONLY | O_APPEND | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, b.p, b.n), (ssize_t)b.n);
	close(fd);
}

/* pcap, big-endian. Packet n has n % 1000 bytes, all of them n. */
static void add_header(struct buf *b)
{
	struct wr w = wr_init(b);

	wr_u32(&w, 0xa1b2c3d4);
	wr_u32(&w, 0x00020004);
	wr_u64(&w, 0);
	wr_u32(&w, 65535);
	wr_u32(&w, 1);
	assert_int_equal(wr_end(&w, NULL), 0);
}

static void add_packet(struct buf *b, uint32_t n)
{
	struct wr w = wr_init(b);

	wr_u64(&w, (uint64_t)n << 32);
	wr_u32(&w, n % 1000);
	wr_u32(&w, n % 1000);
	for (uint32_t i = 0; i < n % 1000; i++)
		wr_u8(&w, (uint8_t)n);
	assert_int_equal(wr_end(&w, NULL), 0);
}

static struct buf capture_of(uint32_t packets)
{
	struct buf b = buf_init(FILE_MAX);

	add_header(&b);
	for (uint32_t n = 1; n <= packets; n++)
		add_packet(&b, n);
	return b;
}

static struct capture_input *open_input(const char *from, bool tail)
{
	struct capture_input_options o = { .path = from, .tail = tail };
	struct capture_input *in = NULL;

	assert_int_equal(capture_input_open(&o, &in, NULL), 0);
	return in;
}

static void assert_next_packet(struct capture_input *in, uint32_t n)
{
	struct capture_item item;
	struct err e = { 0 };

	assert_int_equal(capture_input_next(in, &item, &e), CAPTURE_INPUT_ITEM);
	assert_int_equal(item.kind, CAPTURE_PACKET);
	assert_int_equal(item.u.packet.number, n);
	assert_int_equal(item.u.packet.bytes.n, n % 1000);
	for (uint32_t i = 0; i < n % 1000; i++)
		assert_int_equal(item.u.packet.bytes.p[i], (uint8_t)n);
}

static void assert_header(struct capture_input *in)
{
	struct capture_item item;
	struct err e = { 0 };

	assert_int_equal(capture_input_next(in, &item, &e), CAPTURE_INPUT_ITEM);
	assert_int_equal(item.kind, CAPTURE_HEADER);
}

static void assert_sentence(struct capture_input *in, enum capture_input_outcome outcome,
			    const char *sentence)
{
	struct capture_item item;
	struct err e = { 0 };

	assert_int_equal(capture_input_next(in, &item, &e), outcome);
	assert_int_equal(strncmp(e.sentence, path, strlen(path)), 0);
	assert_string_equal(e.sentence + strlen(path), sentence);
}

static void assert_outcome(struct capture_input *in, enum capture_input_outcome outcome)
{
	struct capture_item item;
	struct err e = { 0 };

	assert_int_equal(capture_input_next(in, &item, &e), outcome);
}

static void assert_reads_all(const char *from, uint32_t packets)
{
	struct capture_input *in = open_input(from, false);

	assert_header(in);
	for (uint32_t n = 1; n <= packets; n++)
		assert_next_packet(in, n);
	assert_outcome(in, CAPTURE_INPUT_END);
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
}

static void reads_a_file_of_many_pieces(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(MANY);

	(void)state;
	put_file(path, &b);
	assert_reads_all(path, MANY);
}

static void gzip_file(const char *to, const struct buf *b)
{
	gzFile f = gzopen(to, "wb1");

	assert_non_null(f);
	assert_int_equal(gzwrite(f, b->p, (unsigned)b->n), (int)b->n);
	assert_int_equal(gzclose(f), Z_OK);
}

static void reads_a_packed_file(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(MANY);
	struct capture_input_facts facts;
	struct capture_input *in;

	(void)state;
	gzip_file(path, &b);
	assert_reads_all(path, MANY);
	in = open_input(path, false);
	assert_header(in);
	capture_input_facts(in, &facts);
	assert_int_equal(facts.format, CAPTURE_PCAP);
	assert_int_equal(facts.coding, UNPACK_GZIP);
	assert_true(facts.read > 0);
	capture_input_close(in);
}

static void damage_of_the_packing_costs_what_follows(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(3), packed = buf_init(FILE_MAX);
	struct capture_input *in;

	(void)state;
	gzip_file(path, &b);
	assert_int_equal(file_read(path, &packed, NULL), 0);
	packed.n -= 5;
	put_file(path, &packed);
	in = open_input(path, false);
	assert_header(in);
	for (uint32_t n = 1; n <= 3; n++)
		assert_next_packet(in, n);
	assert_sentence(in, CAPTURE_INPUT_LOST, ": the gzip data ends in the middle");
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
}

static void garbage_behind_gzip_is_told_at_the_end(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(1);
	struct capture_input *in;

	(void)state;
	gzip_file(path, &b);
	append(path, bytes_str("garbage"));
	in = open_input(path, false);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_sentence(in, CAPTURE_INPUT_BAD,
			": what follows the gzip data was ignored: 7 bytes and more");
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
}

static void what_is_held_stays_where_it_is(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(MANY);
	struct capture_hold *holds[MANY + 1] = { 0 };
	const uint8_t *where[MANY + 1] = { 0 };
	struct capture_input *in;

	(void)state;
	put_file(path, &b);
	in = open_input(path, false);
	assert_header(in);
	for (uint32_t n = 1; n <= MANY; n++) {
		struct capture_item item;
		struct err e;

		assert_int_equal(capture_input_next(in, &item, &e), CAPTURE_INPUT_ITEM);
		where[n] = item.u.packet.bytes.p;
		holds[n] = capture_input_hold(in);
	}
	capture_input_close(in);
	for (uint32_t n = 1; n <= MANY; n++) {
		for (uint32_t i = 0; i < n % 1000; i++)
			assert_int_equal(where[n][i], (uint8_t)n);
		capture_hold_release(holds[n]);
	}
}

static void a_cut_is_told_once(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(2);
	struct capture_input *in;

	(void)state;
	b.n--;
	put_file(path, &b);
	in = open_input(path, false);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_sentence(
		in, CAPTURE_INPUT_LOST,
		": packet 2 at offset 41 is cut off: 17 bytes of it are there, 18 are needed");
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
}

static void an_empty_file_is_no_capture(void **state)
{
	struct buf b = buf_init(1);
	struct capture_input *in;

	(void)state;
	put_file(path, &b);
	in = open_input(path, false);
	assert_sentence(in, CAPTURE_INPUT_LOST, ": not a capture (pcap or pcapng): it is empty");
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
}

static void what_cannot_be_opened_is_told(void **state)
{
	struct capture_input_options o = { .path = "/nonexistent/capture" };
	struct capture_input *in = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(capture_input_open(&o, &in, &e), -1);
	assert_int_equal(e.code, ERR_FILE);
	assert_string_equal(e.sentence, "/nonexistent/capture: No such file or directory");
	o.path = folder;
	assert_int_equal(capture_input_open(&o, &in, &e), -1);
	assert_non_null(strstr(e.sentence, "is a folder, not a capture"));
	assert_null(in);
}

static void a_growing_file_is_followed(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(1), more = buf_init(1000);
	struct capture_input *in;

	(void)state;
	put_file(path, &b);
	in = open_input(path, true);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	add_packet(&more, 2);
	append(path, bytes_slice(buf_bytes(&more), 0, 7));
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	append(path, bytes_slice(buf_bytes(&more), 7, 100));
	assert_next_packet(in, 2);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	capture_input_close(in);
}

static void a_file_that_is_replaced_is_read_to_its_end_first(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(1), more = buf_init(1000), next = capture_of(3);
	struct capture_input *in;

	(void)state;
	put_file(path, &b);
	in = open_input(path, true);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	add_packet(&more, 2);
	append(path, bytes_slice(buf_bytes(&more), 0, more.n - 1));
	assert_int_equal(rename(path, other), 0);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	append(other, bytes_slice(buf_bytes(&more), more.n - 1, 1));
	append(other, bytes_str("cut"));
	put_file(path, &next);
	assert_next_packet(in, 2);
	assert_sentence(
		in, CAPTURE_INPUT_LOST,
		": packet 3 at offset 59 is cut off: 3 bytes of it are there, 16 are needed");
	assert_outcome(in, CAPTURE_INPUT_RENEWED);
	assert_header(in);
	for (uint32_t n = 1; n <= 3; n++)
		assert_next_packet(in, n);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	capture_input_close(in);
}

static void a_file_that_is_cut_off_begins_anew(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(100);
	struct capture_input *in;

	(void)state;
	put_file(path, &b);
	in = open_input(path, true);
	assert_header(in);
	for (uint32_t n = 1; n <= 100; n++)
		assert_next_packet(in, n);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	assert_int_equal(truncate(path, 0), 0);
	assert_outcome(in, CAPTURE_INPUT_RENEWED);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	append(path, bytes_slice(buf_bytes(&b), 0, 24 + 16 + 1));
	assert_header(in);
	assert_next_packet(in, 1);
	capture_input_close(in);
}

static void what_is_lost_is_over_until_there_is_a_new_file(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(1);
	struct capture_input *in;

	(void)state;
	put_file(path, &b);
	append(path, bytes_str("GET / HTTP/1.1\r\nHost: example\r\n"));
	in = open_input(path, true);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_outcome(in, CAPTURE_INPUT_LOST);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	append(path, bytes_str("what comes now is for nobody"));
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	put_file(path, &b);
	assert_outcome(in, CAPTURE_INPUT_RENEWED);
	assert_header(in);
	assert_next_packet(in, 1);
	capture_input_close(in);
}

static void a_signal_ends_it(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(1);
	volatile sig_atomic_t stop = 0;
	struct capture_input_options o = { .path = path, .tail = true, .stop = &stop };
	struct capture_input *in = NULL;

	(void)state;
	put_file(path, &b);
	append(path, bytes_str("a part"));
	assert_int_equal(capture_input_open(&o, &in, NULL), 0);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	stop = 1;
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
}

static void a_pipe_is_quiet_once_while_it_is_empty(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(2);
	struct capture_input *in;
	int ends[2], saved = dup(STDIN_FILENO);

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
	close(ends[0]);
	in = open_input("-", false);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	assert_int_equal(write(ends[1], b.p, 41), 41);
	assert_header(in);
	assert_next_packet(in, 1);
	assert_outcome(in, CAPTURE_INPUT_QUIET);
	assert_int_equal(write(ends[1], b.p + 41, b.n - 41), (ssize_t)b.n - 41);
	close(ends[1]);
	assert_next_packet(in, 2);
	assert_outcome(in, CAPTURE_INPUT_END);
	capture_input_close(in);
	assert_true(dup2(saved, STDIN_FILENO) >= 0);
	close(saved);
}

/* Secrets before the file is read */

static void add_block(struct buf *b, uint32_t type, struct bytes body)
{
	struct wr w = wr_init(b);

	wr_u32(&w, type);
	wr_u32(&w, (uint32_t)body.n + 12);
	wr_bytes(&w, body);
	wr_u32(&w, (uint32_t)body.n + 12);
	assert_int_equal(wr_end(&w, NULL), 0);
}

static void add_secrets(struct buf *b, uint32_t type, const char *text)
{
	AUTO(buf_fini) struct buf body = buf_init(1000);
	struct wr w = wr_init(&body);

	wr_u32(&w, type);
	wr_u32(&w, (uint32_t)strlen(text));
	wr_str(&w, text);
	assert_int_equal(wr_end(&w, NULL), 0);
	assert_int_equal(body.n % 4, 0);
	add_block(b, 10, buf_bytes(&body));
}

static void add_section(struct buf *b)
{
	static const uint8_t body[16] = { 0x1a, 0x2b, 0x3c, 0x4d, 0, 1 };

	add_block(b, 0x0a0d0d0a, bytes_of(body, sizeof(body)));
}

static int collect(void *ctx, struct bytes keylog, struct err *e)
{
	return buf_add(ctx, keylog, e);
}

static void assert_found(const char *expected)
{
	AUTO(buf_fini) struct buf found = buf_init(1000);
	struct capture_secrets_sink sink = { collect, &found };
	struct err e = { 0 };

	assert_int_equal(capture_input_secrets(path, &sink, &e), 0);
	assert_int_equal(found.n, strlen(expected));
	assert_true(bytes_equal(buf_bytes(&found), bytes_str(expected)));
}

static void secrets_are_found_wherever_they_stand(void **state)
{
	static const uint8_t big[100000];
	AUTO(buf_fini) struct buf b = buf_init(FILE_MAX);

	(void)state;
	add_section(&b);
	add_secrets(&b, CAPTURE_SECRETS_TLS, "one\n");
	for (size_t n = 0; n < 2000; n++)
		add_block(&b, 6, bytes_of(big, n * 4));
	add_block(&b, 6, bytes_of(big, sizeof(big)));
	add_secrets(&b, 0x57474b4c, "for WireGuard...");
	add_secrets(&b, CAPTURE_SECRETS_TLS, "two\n");
	add_section(&b);
	add_secrets(&b, CAPTURE_SECRETS_TLS, "the end\n");
	put_file(path, &b);
	assert_found("one\ntwo\nthe end\n");
	/* What stands before the damage. */
	append(path, bytes_str("damage, and more of it"));
	assert_found("one\ntwo\nthe end\n");
	b.n -= 12;
	put_file(path, &b);
	assert_found("one\ntwo\n");
}

static void what_has_no_secrets_gives_none(void **state)
{
	AUTO(buf_fini) struct buf b = capture_of(3), empty = buf_init(1);
	struct capture_secrets_sink sink = { collect, &b };

	(void)state;
	put_file(path, &b);
	assert_found("");
	gzip_file(path, &b);
	assert_found("");
	put_file(path, &empty);
	assert_found("");
	assert_int_equal(capture_input_secrets("-", &sink, NULL), 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_found("");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(capture_input_secrets(path, &sink, NULL), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_file_of_many_pieces),
		cmocka_unit_test(reads_a_packed_file),
		cmocka_unit_test(damage_of_the_packing_costs_what_follows),
		cmocka_unit_test(garbage_behind_gzip_is_told_at_the_end),
		cmocka_unit_test(what_is_held_stays_where_it_is),
		cmocka_unit_test(a_cut_is_told_once),
		cmocka_unit_test(an_empty_file_is_no_capture),
		cmocka_unit_test(what_cannot_be_opened_is_told),
		cmocka_unit_test(a_growing_file_is_followed),
		cmocka_unit_test(a_file_that_is_replaced_is_read_to_its_end_first),
		cmocka_unit_test(a_file_that_is_cut_off_begins_anew),
		cmocka_unit_test(what_is_lost_is_over_until_there_is_a_new_file),
		cmocka_unit_test(a_signal_ends_it),
		cmocka_unit_test(a_pipe_is_quiet_once_while_it_is_empty),
		cmocka_unit_test(secrets_are_found_wherever_they_stand),
		cmocka_unit_test(what_has_no_secrets_gives_none),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
