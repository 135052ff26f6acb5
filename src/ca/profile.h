/* What a certificate is to say, as plain data; everything is borrowed. How it is encoded and signed
 * is in issue.h, one row an extension in extension.h. */
#ifndef CA_PROFILE_H
#define CA_PROFILE_H

#include "pki/cert.h"

struct ca_names {
	const struct san *list;
	size_t count;
};

struct ca_texts {
	const struct bytes *list;
	size_t count;
};

struct profile {
	struct bytes subject;  /* whole Name */
	struct ca_names names; /* subjectAltName; SAN_IP: 4 or 16 bytes */
	int64_t not_before;    /* UNIX seconds, both inclusive */
	int64_t not_after;
	struct bytes serial; /* big-endian magnitude; at random: 16 bytes, the first bit clear */
	bool is_ca;
	int path_length;		     /* of a CA; -1: not said */
	uint16_t key_usage;		     /* 1u << enum key_usage; 0: not said */
	struct ca_texts ext_key_usage;	     /* OIDs, content */
	struct ca_names permitted, excluded; /* name constraints; SAN_IP: address and mask */
	struct ca_texts crl_urls, ocsp_urls;
	bool must_staple; /* TLS feature status_request (RFC 7633) */
};

#endif
