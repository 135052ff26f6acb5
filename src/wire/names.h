/* IANA's names for TLS's numbers (the "TLS Parameters" registries), and a few in wide use that
 * IANA does not list. Each returns NULL for a number without a name; names_or_code makes a text of
 * that. GREASE values are called "GREASE". */
#ifndef WIRE_NAMES_H
#define WIRE_NAMES_H

#include "base/bytes.h"

const char *version_name(uint16_t version);	       /* "TLS 1.3", "SSL 3.0", "DTLS 1.2" */
const char *cipher_name(uint16_t cipher);	       /* "TLS_AES_128_GCM_SHA256" */
const char *group_name(uint16_t group);		       /* "X25519MLKEM768", "secp256r1" */
const char *sigalg_name(uint16_t sigalg);	       /* "rsa_pss_rsae_sha256" */
const char *extension_name(uint16_t type);	       /* "server_name" */
const char *cert_compression_name(uint16_t algorithm); /* "brotli" */

#define NAMES_CODE_MAX 7 /* "0x1234" and NUL */
/* name, or when that is NULL, the number into out. */
const char *names_or_code(const char *name, uint16_t code, char out[NAMES_CODE_MAX]);

#endif
