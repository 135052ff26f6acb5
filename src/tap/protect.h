/* Opens the records of one direction under one key: TLS 1.3 (RFC 8446, 5.2), TLS 1.2 AEAD, CBC with
 * MAC-then-encrypt or encrypt-then-MAC (RFC 7366), stream and NULL ciphers, SSL 3.0's MAC. */
#ifndef TAP_PROTECT_H
#define TAP_PROTECT_H

#include "tap/suite.h"
#include "wire/record.h"

struct protect;

/* Keys from a traffic secret of TLS 1.3, which is as long as the suite's hash. Fails with ERR_UNSUPPORTED, ERR_CRYPTO, ERR_NOMEM. */
int protect_new_13(const struct suite *suite, struct bytes secret, struct protect **out,
		   struct err *e) MUST_CHECK;
/* The next generation after a KeyUpdate (7.2). */
int protect_next_13(const struct protect *p, struct protect **out, struct err *e) MUST_CHECK;

/* The PRF of that version: master secret, key block, Finished. version 0x0300 to 0x0303. Fails with
 * ERR_CRYPTO. */
struct protect_derived {
	uint8_t *p;
	size_t n;
};
int protect_prf(const struct suite *suite, uint16_t version, const struct prf_input *in,
		struct protect_derived *out, struct err *e) MUST_CHECK;

#define PROTECT_TRUNCATED 10 /* bytes of a truncated HMAC: RFC 6066, 7 */

struct protect_12 {
	const struct suite *suite;
	uint16_t version; /* 0x0300 to 0x0303 */
	bool encrypt_then_mac;
	bool truncated_hmac;
	struct bytes master;			   /* 48 */
	struct bytes client_random, server_random; /* 32 each */
};
/* Both directions from a master secret; client writes with out[0]. Fails with ERR_UNSUPPORTED (also
 * for a suite that the version does not have), ERR_CRYPTO, ERR_NOMEM; out is then untouched. */
int protect_new_12(const struct protect_12 *in, struct protect *out[2], struct err *e) MUST_CHECK;
void protect_free(struct protect *p);

struct protect_opened {
	uint8_t type;	    /* the inner one in TLS 1.3 */
	struct bytes plain; /* in out */
};
/* Opens a record as number seq of this key. out has room for the record's body. False: the tag (MAC,
 * padding) does not fit, and nothing has changed but out. Where the MAC fits, the answer is sure but
 * for NULL ciphers without one. A record of TLS 1.3 that is nothing but padding has type 0.
 * In a search for the number of a record of TLS 1.3 most of the wrong ones cost a tenth of a
 * microsecond after the first few, however long the record is. */
bool protect_open(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
		  struct protect_opened *opened);
/* The shortest body that a record can have under this key. */
size_t protect_overhead(const struct protect *p);
/* True when a record can be opened only after all before it (stream ciphers; CBC of TLS 1.0 and SSL
 * 3.0 needs the last block of the one before). */
bool protect_is_chained(const struct protect *p);
/* A record before this one was lost: n bytes of bodies are passed over (stream ciphers); last, the
 * last bytes of the last one's body (64 are enough), lets the next be opened (CBC with a chained
 * vector), and without them it does not open. What a cipher has no use for is ignored. */
void protect_skip(struct protect *p, uint64_t n, struct bytes last);

#endif
