/* For tests: writes down what a decoder hands over, one line a fact, pieces of one body put together
 * so that the text does not depend on how the bytes were cut. */
#ifndef HTTP_TRANSCRIPT_H
#define HTTP_TRANSCRIPT_H

#include "base/buf.h"
#include "http/message.h"

struct transcript {
	struct http_sink sink;
	struct buf text;
	struct buf body; /* of the piece that is being put together */
	struct http_chunk last;
	bool has_last;
	bool headers; /* write headers and trailers too */
};

void transcript_init(struct transcript *t);
void transcript_fini(struct transcript *t);
/* The text so far, with a NUL. */
const char *transcript_text(struct transcript *t);
void transcript_note(struct transcript *t, const char *line);

#endif
