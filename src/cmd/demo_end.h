/* One end of a TLS connection of the demonstration, on a socket that blocks; and the tape of what
 * really went over the socket, which becomes packets afterwards. */
#ifndef CMD_DEMO_END_H
#define CMD_DEMO_END_H

#include "base/buf.h"
#include "tls/tls.h"
#include "wire/addr.h"

#define DEMO_TAPE_MAX 256

struct demo_tape {
	struct addr client, server; /* of the TCP connection */
	int64_t open_ns, close_ns;  /* wall; open_ns 0: nothing is on it */
	bool server_closed;	    /* first */
	struct {
		bool by_server;
		int64_t wall_ns;
		size_t n;
	} turns[DEMO_TAPE_MAX];
	size_t count;
	struct buf bytes; /* of all turns, one after another */
};

struct demo_end {
	int fd;
	bool is_server; /* of this TCP connection */
	struct tls *tls;
	struct buf in, out; /* ciphertext */
	struct demo_tape *tape;
};

void demo_tape_init(struct demo_tape *t);
void demo_tape_fini(struct demo_tape *t);

/* Takes the descriptor, on failure too; every wait on it is bounded. */
int demo_end_init(struct demo_end *d, int fd, bool is_server, struct demo_tape *tape,
		  struct err *e) MUST_CHECK;
/* Says goodbye as far as it still can, and closes. */
void demo_end_fini(struct demo_end *d);
/* Plain bytes, before TLS. */
int demo_end_send(struct demo_end *d, struct bytes b, struct err *e) MUST_CHECK;
int demo_end_receive(struct demo_end *d, struct buf *out, struct err *e) MUST_CHECK;
/* The handshake of d->tls, which the caller made with d->out; returns when it is done or when the
 * peer's chain is to be judged. */
int demo_end_shake(struct demo_end *d, struct err *e) MUST_CHECK;
int demo_end_write(struct demo_end *d, struct bytes b, struct err *e) MUST_CHECK;
/* Appends at least one byte to out; fails with ERR_CLOSED at the end. */
int demo_end_read(struct demo_end *d, struct buf *out, struct err *e) MUST_CHECK;
/* A whole HTTP/1.1 message with Content-Length. */
int demo_end_read_message(struct demo_end *d, struct buf *out, struct err *e) MUST_CHECK;

#endif
