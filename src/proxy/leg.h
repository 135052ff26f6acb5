/* One side of a flow: a TCP connection, with TLS on it or not. A leg moves bytes between its
 * socket and the plaintext; it decides nothing. */
#ifndef PROXY_LEG_H
#define PROXY_LEG_H

#include "base/buf.h"
#include "net/loop.h"
#include "net/sock.h"
#include "tls/tls.h"
#include "wire/addr.h"

/* What one read of a socket may bring, and the plaintext that can come of it. */
#define LEG_READ_SIZE ((size_t)128 << 10)
#define LEG_PLAIN_SIZE (LEG_READ_SIZE + ((size_t)32 << 10))
/* Bytes that may wait in one direction when nothing else is said, and what an answer may need. */
#define LEG_LIMIT ((size_t)256 << 10)
/* Ciphertext kept between reads: never more than one read, and what a hello may need. */
#define LEG_IN_MAX (LEG_READ_SIZE + ((size_t)160 << 10))

enum leg_state {
	LEG_NONE,	 /* no connection yet */
	LEG_CONNECTING,	 /* being dialled */
	LEG_HELLO,	 /* connected; the first bytes are being read as they are */
	LEG_PAUSED,	 /* the ClientHello is complete; nothing has been answered */
	LEG_HANDSHAKING, /* TLS is being agreed */
	LEG_OPEN,	 /* bytes go both ways */
	LEG_PEER_DONE,	 /* the peer has ended its direction */
	LEG_SELF_DONE,	 /* we have ended ours */
	LEG_CLOSED,	 /* both have, or the connection is gone */
	LEG_STATE_COUNT
};
const char *leg_state_text(enum leg_state s);

struct leg {
	int fd; /* -1: none */
	enum leg_state state;
	struct loop_watch *watch;
	struct tls *tls; /* NULL: bytes as they are */
	struct buf in;	 /* came from the socket, not used yet */
	struct buf out;	 /* for the socket, not sent yet */
	size_t limit;	 /* of bytes that may wait in out; half of it is read at a time */
	size_t unsent;	 /* sock_unsent when somebody last asked whether it moves */
	bool fin_due;	 /* when out is empty, the socket's direction is ended */
	bool more_plain; /* the session may hold plaintext that was not taken */
	bool drained;	 /* the last read took all that the socket had */
	struct addr local, remote;
};

/* Scratch memory of a loop, shared by its flows: nothing in it outlives a step. */
struct leg_scratch {
	uint8_t cipher[LEG_READ_SIZE];
	uint8_t plain[LEG_PLAIN_SIZE];
};

void leg_init(struct leg *l, size_t limit);
/* Takes the connected socket and watches it. On failure fd is closed. */
int leg_open(struct leg *l, struct loop *loop, int fd, struct loop_watch_call call,
	     struct err *e) MUST_CHECK;
void leg_close(struct leg *l);	     /* frees everything; the peer sees FIN */
void leg_close_reset(struct leg *l); /* the peer sees RST */
/* Moves to another state; asserts that the table allows it. */
void leg_go(struct leg *l, enum leg_state to);
bool leg_may_read(const struct leg *l);	 /* the peer may still send */
bool leg_may_write(const struct leg *l); /* we may still send */

enum leg_io {
	LEG_IO_DATA,  /* something came */
	LEG_IO_AGAIN, /* nothing now */
	LEG_IO_END,   /* a clean end: close_notify, or FIN without TLS */
	LEG_IO_CUT,   /* FIN without close_notify under TLS */
	LEG_IO_RESET,
	LEG_IO_FAULT, /* TLS failed; err says how */
};

/* Raw bytes from the socket to l->in (at most LEG_IN_MAX in all). */
enum leg_io leg_fill(struct leg *l, struct leg_scratch *s, struct err *e);
/* Plaintext into s->plain. Without TLS: the socket's bytes. *got is set with LEG_IO_DATA, and may
 * be set besides an end. */
enum leg_io leg_read(struct leg *l, struct leg_scratch *s, size_t *got, struct err *e);
/* There is room for what one read of the other side can bring. */
bool leg_has_room(const struct leg *l);
/* Plaintext to the peer: encrypts into out. The caller has asked leg_has_room. */
int leg_write(struct leg *l, struct bytes plain, struct err *e) MUST_CHECK;
/* Sends what is in out, and FIN when that is due. LEG_IO_DATA: all is sent; LEG_IO_AGAIN: some waits. */
enum leg_io leg_flush(struct leg *l);
/* Ends our direction: close_notify under TLS (unless cut), then FIN once all is sent. */
void leg_finish(struct leg *l, bool cut);
/* Goes on with the handshake: reads, runs, flushes. LEG_IO_DATA: the session is open. */
enum leg_io leg_shake(struct leg *l, struct leg_scratch *s, struct err *e);
/* Something can be read without waiting for the socket. */
bool leg_has_pending(const struct leg *l);

#endif
