/* A capture as the verbs read it: a file or standard input, packed with gzip or zstd or not, item by
 * item, in memory that does not depend on its size. With tail it does not end where the file ends
 * for now: what is appended is waited for, and the file's path is watched, since a capture may go
 * on in a new file of the same name. */
#ifndef CMD_CAPTURE_INPUT_H
#define CMD_CAPTURE_INPUT_H

#include <signal.h>

#include "pcap/capture.h"
#include "pcap/unpack.h"

struct capture_input;

struct capture_input_options {
	const char *path; /* "-": standard input */
	bool tail;
	/* Set by a signal: the input ends at once. May be NULL. */
	const volatile sig_atomic_t *stop;
};

enum capture_input_outcome {
	CAPTURE_INPUT_ITEM,  /* item is filled */
	CAPTURE_INPUT_BAD,   /* one block was bad; e says which. More may come */
	CAPTURE_INPUT_LOST,  /* what follows cannot be read; e says why. Then END comes (with tail:
				what a new file of that name holds) */
	CAPTURE_INPUT_QUIET, /* with tail: nothing more for now; the next call waits, for at most
				CAPTURE_INPUT_WAIT_MS, then it is quiet again */
	CAPTURE_INPUT_RENEWED, /* with tail: a new file stands at the path and is read from here on */
	CAPTURE_INPUT_END,
	CAPTURE_INPUT_FAULT, /* reading failed; e says why. As the end */
};
#define CAPTURE_INPUT_WAIT_MS 250

/* Fails with ERR_FILE, ERR_NOMEM. What is in the file is looked at by capture_input_next. */
int capture_input_open(const struct capture_input_options *o, struct capture_input **out,
		       struct err *e) MUST_CHECK;
void capture_input_close(struct capture_input *in); /* NULL is fine */
/* item is good until the next call, unless its memory is held. Sentences begin with the path. */
enum capture_input_outcome capture_input_next(struct capture_input *in, struct capture_item *item,
					      struct err *e) MUST_CHECK;

/* Keeps the bytes of the last item, and of all that lie in the same piece of memory, where they are
 * until the hold is released, from any thread, also after capture_input_close. The same piece gives
 * the same hold; each call needs its own release. A piece is CAPTURE_INPUT_PIECE bytes or one long
 * block: who holds many items may ask once for each new value only. */
struct capture_hold;
#define CAPTURE_INPUT_PIECE ((size_t)256 << 10)
struct capture_hold *capture_input_hold(struct capture_input *in);
void capture_hold_release(struct capture_hold *h);

struct capture_input_facts {
	enum capture_format format;
	enum unpack_coding coding;
	uint64_t read; /* bytes of the file, as they are in it */
	uint64_t bad;  /* blocks */
};
void capture_input_facts(const struct capture_input *in, struct capture_input_facts *out);

/* Looks through a file for its Decryption Secrets Blocks, before it is read: from the header of one
 * block to that of the next, packets are not looked at. Gives the data of each that holds lines of a
 * TLS key log to found, in order; a failure of found ends the search and is the result. What is not a
 * regular file in the pcapng format as it is (standard input, packed, pcap) has nothing to give; a
 * damaged file gives what stands before the damage, without a word. Fails with ERR_FILE, ERR_NOMEM. */
struct capture_secrets_sink {
	int (*found)(void *ctx, struct bytes keylog, struct err *e);
	void *ctx;
};
int capture_input_secrets(const char *path, const struct capture_secrets_sink *sink,
			  struct err *e) MUST_CHECK;

#endif
