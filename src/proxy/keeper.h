/* The keeper: the process that alone holds the bump root's key. It takes real certificates, gives
 * mimics of them, and nothing else: it applies the extension table itself, limits the rate and
 * writes down what it issued. It has no network. */
#ifndef PROXY_KEEPER_H
#define PROXY_KEEPER_H

#include "base/buf.h"

#define KEEPER_LANES_MAX 64

struct keeper_options {
	const char *dir;       /* keys and the issuance log: issued.log (16 MiB, one older kept) */
	struct bytes cert_pem; /* of the bump root */
	struct bytes key_pem;  /* secret */
	const int *lanes;      /* descriptors of the lanes' channels; the keeper's */
	size_t lane_count;
	int control; /* descriptor of the channel to the supervisor */
};

/* Messages of the supervisor on the control channel. */
enum keeper_control {
	KEEPER_CONTROL_LANES = 1, /* with descriptors: channels of a new worker's lanes */
};

/* The keeper's whole life: until the supervisor goes away. Returns the exit status. */
int keeper_run(const struct keeper_options *o);

#endif
