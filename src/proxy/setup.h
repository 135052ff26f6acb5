/* What a configuration becomes once its files were read: the configuration, and everything made
 * from it once and shared by all lanes. Immutable, counted; flows keep theirs over a reload. */
#ifndef PROXY_SETUP_H
#define PROXY_SETUP_H

#include <stdatomic.h>

#include "pki/verify.h"
#include "proxy/config.h"
#include "proxy/policy.h"

#define SETUP_KEYLOGS_MAX 2

/* Where secrets go. */
struct setup_keylog {
	int fd;
	struct config_ranges local, remote;
};

/* A set of roots, and which assets it was made of; [0] is what holds where a rule says nothing. */
struct setup_trust {
	const int *assets; /* borrowed from the configuration; NULL: the system's roots */
	struct trust *trust;
};

struct setup {
	uint64_t generation; /* no two of a process are the same */
	struct proxy_config *config;
	struct setup_trust *trusts;
	size_t trust_count;
	struct setup_keylog keylogs[SETUP_KEYLOGS_MAX]; /* their descriptors are its own */
	size_t keylog_count;
	struct policy_self self; /* addresses that are ours */
	struct bytes *secrets;	 /* by asset: passwords and tokens, owned, wiped; else empty */
	size_t secret_count;
	uint8_t **owned_secrets;		 /* the memory behind them */
	struct addr *listener_addrs, *own_addrs; /* behind self */
	atomic_uint refs;
};

struct setup *setup_ref(struct setup *s);
void setup_free(struct setup *s); /* drops one count; NULL is fine */

/* Bytes of the assets by their index in the configuration (empty: not read). */
struct setup_options {
	struct proxy_config *config; /* a count is taken over, on failure too */
	const struct bytes *assets;
	struct bytes system_roots;	    /* PEM */
	struct bytes own_root;		    /* DER of the bump root: never trusted upstream */
	const struct setup_keylog *keylogs; /* descriptors are taken, on failure too */
	size_t keylog_count;
	const struct addr *listeners; /* bound addresses */
	size_t listener_count;
	const struct addr *own; /* the machine's */
	size_t own_count;
};
/* Reads all roots: tens of milliseconds. */
int setup_new(const struct setup_options *o, struct setup **out, struct err *e) MUST_CHECK;
/* The roots for a rule. */
struct trust *setup_trust_for(const struct setup *s, const struct config_rule *rule);

#endif
