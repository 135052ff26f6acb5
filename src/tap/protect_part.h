/* What the files of protect.h share: a key of one direction and the ways to open with it. */
#ifndef TAP_PROTECT_PART_H
#define TAP_PROTECT_PART_H

#include "base/secret.h"
#include "tap/protect.h"

#define BLOCK_MAX 16

/* The answers of a look at 64 numbers that stand together. A search may go up and down at once. */
#define PROTECT_LOOKED 4
struct protect_looked {
	bool filled;
	uint8_t byte; /* the last but for the tag */
	size_t at;    /* where it stands */
	uint64_t group, possible;
};

typedef bool protect_way(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
			 struct protect_opened *opened);

struct protect {
	const struct suite *suite;
	const struct cipher_info *info; /* of the suite's cipher */
	protect_way *open;
	struct cipher *cipher;
	uint16_t version; /* 0x0304: TLS 1.3 */
	bool encrypt_then_mac;
	bool implicit_iv; /* CBC: the record before ends with it */
	size_t mac_n;	  /* bytes of MAC in a record */
	struct secret mac_key;
	struct secret
		iv; /* AEAD: the fixed part of the nonce; of CBC the next vector, if implicit */
	/* Whose vector iv is, if implicit: with the MAC outside a record with a wrong one would look
	 * right but for its first block. */
	uint64_t iv_seq;
	bool iv_given;	      /* by protect_skip, for whatever record is next */
	struct secret secret; /* TLS 1.3: of the traffic */
	/* For searches in TLS 1.3, from some records on that did not open. */
	unsigned misses;
	bool keystream_failed;
	struct keystream *keystream;
	struct protect_looked looked[PROTECT_LOOKED];
};

protect_way protect_open_aead_12, protect_open_chacha_12, protect_open_cbc, protect_open_stream;

/* The MAC of TLS 1.2 and before, SSL 3.0's too (RFC 5246, 6.2.3.1; RFC 6101, 5.2.3.1): does it stand
 * in got? */
bool protect_mac_fits(const struct protect *p, uint64_t seq, const struct record *r,
		      struct bytes content, struct bytes got);

/* TLS 1.3: false when the record cannot have that number under this key. */
bool protect_may_fit(struct protect *p, uint64_t seq, const struct record *r);
/* Makes the key stream that it looks at; false when there is none for the cipher. */
bool protect_keystream(struct protect *p);

/* iv xor number, right-aligned (RFC 8446, 5.3). nonce has room for iv.n bytes, at least 8. */
void protect_nonce(struct bytes iv, uint64_t seq, uint8_t *nonce);
/* Big-endian. */
void protect_put_u64(uint8_t *out, uint64_t v);
void protect_put_u16(uint8_t *out, uint16_t v);

#endif
