/* For the tests of this room: keys, a root and leaves of every type. */
#ifndef CA_TESTKIT_H
#define CA_TESTKIT_H

#include "ca/issue.h"

#define TESTKIT_NOW 1717200000
#define TESTKIT_DAY 86400

struct made {
	struct evp_pkey_st *key;
	struct buf der;
	struct cert cert;
};

/* Asserts that it works. by NULL: self-signed. p->subject and dates may be left out. */
struct made made_by(const struct made *by, enum key_type type, unsigned bits, struct profile p,
		    const char *subject);
struct ca_issuer made_issuer(const struct made *m);
void made_fini(struct made *m);

#endif
