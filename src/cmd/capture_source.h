/* Where the bytes of a capture come from: a file, a pipe or standard input, unpacked on the way; a
 * file that grows or is replaced when that is wanted. */
#ifndef CMD_CAPTURE_SOURCE_H
#define CMD_CAPTURE_SOURCE_H

#include "cmd/capture_input.h"

enum source_outcome {
	SOURCE_GOT,
	SOURCE_QUIET,	/* as CAPTURE_INPUT_QUIET */
	SOURCE_RENEWED, /* the file ended; another stands in its place and is read from now on */
	SOURCE_END,
	SOURCE_STOPPED,
	SOURCE_DAMAGED, /* the packing; e says how, once. Nothing more comes of this file */
	SOURCE_FAULT,
};

struct capture_source;

int capture_source_open(const struct capture_input_options *o, struct capture_source **out,
			struct err *e) MUST_CHECK;
void capture_source_close(struct capture_source *s);
/* Reads at most room bytes, and at least one with SOURCE_GOT. Blocks, but for no longer than
 * CAPTURE_INPUT_WAIT_MS where there is something to wait for. */
struct source_room {
	uint8_t *to;
	size_t n, got;
};
enum source_outcome capture_source_read(struct capture_source *s, struct source_room *room,
					struct err *e) MUST_CHECK;
enum unpack_coding capture_source_coding(const struct capture_source *s);
uint64_t capture_source_position(const struct capture_source *s); /* in the file as it is */
uint64_t capture_source_ignored(const struct capture_source *s);  /* unpack_ignored */

#endif
