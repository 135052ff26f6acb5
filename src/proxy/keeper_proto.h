/* The messages between a lane of the worker and the keeper. The worker asks with the real
 * certificate, never with a digest or something to be signed; the keeper alone decides what the
 * mimic says. One message a datagram; a malformed one ends the channel. */
#ifndef PROXY_KEEPER_PROTO_H
#define PROXY_KEEPER_PROTO_H

#include "base/buf.h"
#include "pki/mint.h"

#define KEEPER_MESSAGE_MAX ((size_t)120 << 10)

enum keeper_message_type {
	KEEPER_MINT = 1, /* worker: a mimic of this certificate, please */
	KEEPER_KEY,	 /* keeper: a leaf key, sent before the first leaf that uses it */
	KEEPER_LEAF,	 /* keeper: the mimic */
	KEEPER_REFUSED,	 /* keeper: no mimic, and why */
};

enum mint_mode {
	MINT_TRUSTED, /* signed by the bump root */
	MINT_ALLOWED, /* the same, repaired, as the origin does not verify: a rule says so */
	MINT_TWIN,    /* signed by its untrusted twin: the origin's issuer is unknown, too */
};

/* Which members mean something depends on the type. Views borrow from the message. */
struct keeper_message {
	enum keeper_message_type type;
	uint32_t id;	     /* of the request: MINT, LEAF, REFUSED */
	enum mint_mode mode; /* MINT */
	uint32_t key_id;     /* KEY, LEAF */
	enum key_kind kind;  /* KEY, LEAF */
	bool temporary;	     /* LEAF: a better key is being made; not to be kept */
	struct bytes name;   /* MINT: that the mimic is for besides, with MINT_ALLOWED; or empty */
	struct bytes der;    /* MINT: the origin's leaf; KEY: PKCS#8; LEAF: the mimic */
	struct bytes text;   /* LEAF: why the key differs, or empty; REFUSED: a sentence */
};

int keeper_message_write(const struct keeper_message *m, struct buf *out, struct err *e) MUST_CHECK;
/* Fails with ERR_WIRE_DECODE. */
int keeper_message_parse(struct bytes b, struct keeper_message *out, struct err *e) MUST_CHECK;

#endif
