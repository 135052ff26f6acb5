/* Messages between our own processes: a SOCK_SEQPACKET pair, a type and a payload each, descriptors
 * with it where needed. Sending never blocks: what the kernel does not take waits in a bounded
 * queue. Order is kept. The peer may be compromised: whatever breaks the form ends the channel. */
#ifndef PROC_CHANNEL_H
#define PROC_CHANNEL_H

#include "base/buf.h"
#include "net/loop.h"

#define CHANNEL_PAYLOAD_MAX (128u << 10) /* larger ones travel in a memfd, as blobs */
#define CHANNEL_FDS_MAX 16

struct channel;

/* Two ends, non-blocking, close-on-exec; plain descriptors, to be handed to channel_new on either
 * side of a fork. */
int channel_pair(int fds[2], struct err *e) MUST_CHECK;

struct channel_options {
	size_t queue_max; /* bytes waiting to be sent; 0: 4 MiB */
	size_t blob_max;  /* largest blob taken from the peer; 0: none is */
	size_t fds_max;	  /* descriptors that the peer may send with one message; 0: none */
};

/* Takes fd, on failure too. */
int channel_new(int fd, const struct channel_options *o, struct channel **out,
		struct err *e) MUST_CHECK;
void channel_free(
	struct channel
		*c); /* closes; what waits is dropped. Also NULL, and from inside its calls */
int channel_fd(const struct channel *c);

struct channel_message {
	uint16_t type;
	struct bytes payload;	  /* borrows, until the next call on the channel */
	int fds[CHANNEL_FDS_MAX]; /* received: yours to close; set to -1 what you keep */
	size_t fd_count;
};

/* Queues and tries to send. Fails with ERR_LIMIT (payload too large, queue full), ERR_CLOSED (the
 * peer is gone), ERR_NOMEM, ERR_SYSTEM. */
int channel_send(struct channel *c, uint16_t type, struct bytes payload, struct err *e) MUST_CHECK;
/* With its descriptors, which are duplicated: the caller keeps his. */
int channel_send_message(struct channel *c, const struct channel_message *m,
			 struct err *e) MUST_CHECK;
/* Any size up to the peer's blob_max: through a memfd when larger than CHANNEL_PAYLOAD_MAX. The
 * peer receives an ordinary message. */
int channel_send_blob(struct channel *c, uint16_t type, struct bytes payload,
		      struct err *e) MUST_CHECK;

enum channel_result {
	CHANNEL_OK,
	CHANNEL_AGAIN,	/* nothing there now */
	CHANNEL_CLOSED, /* the peer closed its end, or is dead */
	CHANNEL_BROKEN, /* it sent what is no message; e says what */
};
enum channel_result channel_receive(struct channel *c, struct channel_message *m, struct err *e);
void channel_message_fini(struct channel_message *m); /* closes what fds are left */

/* Without a loop: poll the descriptor for reading, and for writing while channel_wants_write;
 * then channel_flush (CHANNEL_OK, CHANNEL_CLOSED, CHANNEL_BROKEN with e). */
bool channel_wants_write(const struct channel *c);
enum channel_result channel_flush(struct channel *c, struct err *e);

/* With a loop: the channel watches its descriptor itself from now on. */
struct channel_handler {
	/* The descriptors that it leaves in m are closed. */
	void (*message)(void *ctx, struct channel_message *m);
	/* Once: CHANNEL_CLOSED, or CHANNEL_BROKEN with the reason. The channel still has to be freed,
	 * which is allowed here. */
	void (*closed)(void *ctx, enum channel_result why, const struct err *reason);
	void *ctx;
};
int channel_watch(struct channel *c, struct loop *l, const struct channel_handler *h,
		  struct err *e) MUST_CHECK;

#endif
