/* What a peel is made of. Only for peel.c and its parts:
 *
 *   peel.c           the layer: what is held, to whom it goes
 *   peel_look.c      what first bytes are
 *   peel_starttls.c  a plaintext dialogue that leads to TLS
 *   peel_tunnel.c    SOCKS
 *
 *   LOOK   undecided: bytes are held     → SOCKS, TALK, PASS
 *   SOCKS  a dialogue before anything    → LOOK (what is tunnelled), TALK (it was something else)
 *   TALK   plaintext, goes to an observer → PASS (TLS began, or will not any more), LOOK (a tunnel
 *                                          began, or something is missing)
 *   PASS   decided for good
 *   DEAD   there was no memory */
#ifndef TAP_PEEL_PART_H
#define TAP_PEEL_PART_H

#include "base/buf.h"
#include "tap/peel.h"
#include "wire/name.h"

/* What is held of a direction until it is decided; and how long a plaintext dialogue can be that
 * leads to TLS. */
#define PEEL_HELD_MAX (64 * 1024)
/* Of a turn of the dialogue, as much as a command or an answer needs. */
#define PEEL_TURN_MAX 512

enum peel_look {
	LOOK_MORE,
	LOOK_TLS,
	LOOK_PROXY, /* a PROXY protocol header */
	LOOK_SOCKS,
	LOOK_PLAIN,
};

struct peel_first {
	enum flow_dir dir;
	bool late;    /* what came before is not known */
	bool tls;     /* may be TLS */
	bool outer;   /* nothing is below: records may begin anywhere in late bytes */
	bool wrapped; /* headers and tunnels may come */
};

/* What bytes are that come first in their direction. LOOK_TLS: *skip bytes come before the first
 * record. LOOK_MORE is answered only as long as more bytes can change it. */
enum peel_look peel_look(const struct peel_first *first, struct bytes in, size_t *skip);
/* Whether in begins with a record that holds a ClientHello, and that alone, or its beginning:
 * LOOK_TLS, LOOK_MORE, LOOK_PLAIN. */
enum peel_look peel_look_hello(struct bytes in);

/* One side's present turn in a dialogue: the last bytes of it. */
struct peel_turn {
	size_t n;
	uint8_t text[PEEL_TURN_MAX];
};

struct starttls_rule;
struct starttls {
	bool any; /* somebody spoke */
	enum flow_dir last;
	struct peel_turn turn[2];
	const struct starttls_rule *asked; /* the client's last words ask for TLS; or NULL */
	const char *name;		   /* the server agreed: the protocol. Else NULL */
};

/* Bytes of the dialogue, before they are taken as such. */
void starttls_feed(struct starttls *s, enum flow_dir dir, struct bytes in);
/* The client asked for TLS and nobody has answered. */
bool starttls_waits(const struct starttls *s);
/* How many of in's bytes come before TLS can begin: a client need not wait for an answer in every
 * protocol. in.n: none of them is TLS. */
size_t starttls_before(const struct starttls *s, struct bytes in);

enum socks_step {
	SOCKS_STEP_GREETING,
	SOCKS_STEP_METHOD,
	SOCKS_STEP_LOGIN,
	SOCKS_STEP_STATUS,
	SOCKS_STEP_REQUEST,
	SOCKS_STEP_REPLY,
	SOCKS_STEP_REQUEST4,
	SOCKS_STEP_REPLY4,
	SOCKS_STEP_DONE,
};

struct socks_talk {
	enum socks_step step;
	size_t used[2]; /* of what is held */
	struct host target;
};

enum socks_talk_outcome { SOCKS_TALK_MORE, SOCKS_TALK_DONE, SOCKS_TALK_OTHER };
/* held: all that came, by direction. DONE: used[] bytes of them were SOCKS, the rest is tunnelled.
 * OTHER: it is not SOCKS, or was refused. */
enum socks_talk_outcome socks_talk_run(struct socks_talk *s, const struct bytes held[2]);

#endif
