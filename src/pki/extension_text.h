/* The extensions of a certificate in words: what they are called, and what they say. */
#ifndef PKI_EXTENSION_TEXT_H
#define PKI_EXTENSION_TEXT_H

#include "pki/cert.h"

/* "key usage", or the OID in dotted form into room. */
const char *extension_title(struct bytes oid, char room[64]);
/* Appends one line without its end, escaped: "digitalSignature, keyEncipherment". What is malformed
 * or of an unknown kind is told by its length and first bytes. Fails as buf_add does. */
int extension_text(const struct cert_extension *x, struct buf *out, struct err *e) MUST_CHECK;
/* "DNS:a.example", "IP:192.0.2.1", escaped. */
const char *san_kind_text(const struct san *s, char *out, size_t size);
/* "serverAuth", or the OID in dotted form into room. */
const char *eku_title(struct bytes oid, char room[64]);
/* "keyCertSign" */
const char *key_usage_name(enum key_usage u);

#endif
