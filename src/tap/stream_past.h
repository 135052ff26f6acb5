/* What a stream remembers of the bytes that it handed out: enough to notice when they come again and are
 * others. Shared by the stream*.c only. */
#ifndef TAP_STREAM_PAST_H
#define TAP_STREAM_PAST_H

#include "tap/stream.h"

/* b, from seq on, is handed out now. */
void past_add(struct stream *s, uint32_t seq, struct bytes b);
/* b came again, from seq on. False when it is not what was handed out; *at is then where the piece
 * begins that differs. True when it is the same, as far as is known. */
bool past_agrees(const struct stream *s, uint32_t seq, struct bytes b, uint32_t *at);

#endif
