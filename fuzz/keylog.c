/* A key log, line by line: what is taken reads the same when it is written and read again, and no
 * complaint repeats a digit of a secret. */
#include <assert.h>

#include "keylog/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct keylog_line *line)
{
	static struct keylog_line again;
	static char out[KEYLOG_LINE_MAX];
	struct keylog_entry entry = { .label = line->label,
				      .generation = line->generation,
				      .key = bytes_of(line->key, line->key_n),
				      .secret = bytes_of(line->secret, line->secret_n) };
	size_t n = 0;
	int failed = keylog_line_write(&entry, out, sizeof(out), &n, NULL);

	assert(!failed);
	assert(keylog_line_parse(bytes_of(out, n), &again, NULL) == KEYLOG_LINE);
	assert(again.label == line->label && again.generation == line->generation);
	assert(bytes_equal(entry.key, bytes_of(again.key, again.key_n)));
	assert(bytes_equal(entry.secret, bytes_of(again.secret, again.secret_n)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct keylog_line line;
	struct bytes rest = bytes_of(data, size);

	while (rest.n) {
		size_t end = bytes_index(rest, '\n');
		struct bytes text = bytes_slice(rest, 0, end + 1);
		struct err e = { 0 };

		switch (keylog_line_parse(text, &line, &e)) {
		case KEYLOG_LINE:
			check_line(&line);
			break;
		case KEYLOG_BAD:
			assert(e.code == ERR_WIRE_DECODE && e.sentence[0]);
			break;
		default:
			assert(e.code == ERR_NONE);
		}
		assert(keylog_line_label(text).n <= text.n);
		rest = bytes_slice(rest, end + 1, rest.n);
	}
	return 0;
}
