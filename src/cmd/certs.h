/* `oriel certs`: what its actions share. The verb's own file is verb_certs.c. */
#ifndef CMD_CERTS_H
#define CMD_CERTS_H

#include "cmd/args.h"

/* Rows for the verb's table of options that only `show` and `verify` understand; each with a comma
 * at its end. */
/* clang-format off */
#define CERTS_SHOW_OPTIONS                                                                         \
	{ "password-file", 0, "FILE", "show, verify: the password of a PKCS#12 file" },
#define CERTS_VERIFY_OPTIONS                                                                       \
	{ "ca", 0, "FILE", "show, verify: trusted roots, instead of this machine's; may be repeated" }, \
	{ "untrusted", 0, "FILE", "verify: certificates to build paths with; may be repeated" },   \
	{ "name", 0, "NAME", "show, verify: the host name or address that it must be for" },       \
	{ "purpose", 0, "WHAT", "verify: server, client or any; server with --name, else any" },   \
	{ "at", 0, "TIME", "show, verify: as of then: 2026-03-01, with T12:00:00Z or not" },       \
	{ "crl", 0, "FILE", "verify: revocation lists; then every certificate needs one; may be repeated" }, \
	{ "policy", 0, "OID", "verify: a certificate policy that is acceptable; may be repeated" },  \
	{ "require-policy", 0, NULL, "verify: some policy must be valid along the whole path" },   \
	{ "inhibit-mapping", 0, NULL, "verify: policies may not be mapped" },                      \
	{ "inhibit-any-policy", 0, NULL, "verify: anyPolicy matches nothing" },                    \
	{ "allow-weak", 0, NULL, "verify: also keys and signatures below 112 bits of strength" },
/* clang-format on */

/* `oriel certs show FILE|HOST` and `oriel certs verify FILE...`: a->operands[0] is the action. Each
 * returns the exit status; what went wrong was printed. Also with --json. */
int certs_show(const struct args *a);
int certs_verify(const struct args *a);

#endif
