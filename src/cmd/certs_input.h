/* What `oriel certs show` and `verify` read: files in whatever form, roots, moments, and the chain
 * that a server sends. */
#ifndef CMD_CERTS_INPUT_H
#define CMD_CERTS_INPUT_H

#include "cmd/args.h"
#include "pki/cert.h"
#include "pki/material.h"

/* Appends what the file has; "-" is standard input. Fails with the name in front, also (ERR_CERT)
 * when there is nothing but private keys in it. */
int certs_read(const char *path, const char *password, struct material *m,
	       struct err *e) MUST_CHECK;
/* The first line of the file of --password-file, into out, which must be .secret; *password points
 * there, or is NULL when the option was not given. */
int certs_password(const struct args *a, struct buf *out, const char **password,
		   struct err *e) MUST_CHECK;
/* --ca FILE..., or without one what this machine trusts. */
int certs_roots(const struct args *a, struct material *m, struct err *e) MUST_CHECK;
/* --at TIME: "2026-03-01", "2026-03-01T12:00:00Z" or UNIX seconds; now when it was not given. */
int certs_moment(const struct args *a, int64_t *now_s, struct err *e) MUST_CHECK;

/* "HOST", "HOST:PORT", "[IPV6]:PORT"; host borrows. Fails with ERR_USAGE. */
int certs_target(const char *text, struct bytes *host, uint16_t *port, struct err *e) MUST_CHECK;
/* What this server sends in a TLS handshake, after which nothing is asked of it. Fails
 * with ERR_DNS, ERR_CONNECT, ERR_TIMEOUT, ERR_TLS_ALERT, ERR_TLS_PROTOCOL, ERR_CLOSED. */
int certs_fetch(struct bytes host, uint16_t port, struct material *m, struct err *e) MUST_CHECK;

/* The certificates of m as DER, in order; room for count of them. */
size_t certs_list(const struct material *m, enum material_kind kind, struct bytes *out, size_t max);

#endif
