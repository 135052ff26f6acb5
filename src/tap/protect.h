/* Opens the records of one direction under one key: TLS 1.3 (RFC 8446, 5.2), TLS 1.2 AEAD, CBC with
 * MAC-then-encrypt or encrypt-then-MAC (RFC 7366), stream and NULL ciphers, SSL 3.0's MAC. */
#ifndef TAP_PROTECT_H
#define TAP_PROTECT_H

#include "tap/suite.h"
#include "wire/record.h"

struct protect;

/* Keys from a traffic secret of TLS 1.3. Fails with ERR_UNSUPPORTED, ERR_CRYPTO, ERR_NOMEM. */
int protect_new_13(const struct suite *suite, struct bytes secret, struct protect **out,
		   struct err *e) MUST_CHECK;
/* The next generation after a KeyUpdate (7.2). */
int protect_next_13(const struct protect *p, struct protect **out, struct err *e) MUST_CHECK;

struct protect_12 {
	const struct suite *suite;
	uint16_t version; /* 0x0300 to 0x0303 */
	bool encrypt_then_mac;
	bool truncated_hmac;
	struct bytes master;			   /* 48 */
	struct bytes client_random, server_random; /* 32 each */
};
/* Both directions from a master secret; client writes with out[0]. */
int protect_new_12(const struct protect_12 *in, struct protect *out[2], struct err *e) MUST_CHECK;
void protect_free(struct protect *p);

struct protect_opened {
	uint8_t type;	    /* the inner one in TLS 1.3 */
	struct bytes plain; /* in out */
};
/* Opens a record as number seq of this key. out has room for the record's body. False: the tag (MAC,
 * padding) does not fit, and nothing has changed. Where the MAC fits, the answer is sure but for
 * NULL ciphers without one. */
bool protect_open(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
		  struct protect_opened *opened);
/* The shortest body that a record can have under this key. */
size_t protect_overhead(const struct protect *p);
/* True when a record can be opened only after all before it (stream ciphers; CBC of TLS 1.0 and SSL
 * 3.0 needs the last block of the one before). */
bool protect_is_chained(const struct protect *p);
/* The record before was lost: n bytes of body are skipped (stream ciphers), or its last bytes are
 * given (CBC with a chained vector) so that the next record can be opened. */
void protect_skip(struct protect *p, uint64_t n, struct bytes last_block);

#endif
