/* An X.509 certificate (RFC 5280) as our own reader sees it: borrowed views of its DER. It explains
 * and mints; the verdict is libcrypto's (verify.h), and a certificate on which the two disagree
 * counts as unverifiable. */
#ifndef PKI_CERT_H
#define PKI_CERT_H

#include "base/buf.h"

struct x509_st; /* libcrypto's X509 */

enum key_type {
	KEY_TYPE_UNKNOWN,
	KEY_TYPE_RSA,
	KEY_TYPE_RSA_PSS,
	KEY_TYPE_EC,
	KEY_TYPE_ED25519,
	KEY_TYPE_ED448,
	KEY_TYPE_DSA,
};

struct cert_key {
	enum key_type type;
	unsigned bits;	     /* of the modulus or the curve; 0: not known */
	struct bytes curve;  /* OID of a named EC curve; else empty */
	struct bytes oid;    /* of the algorithm */
	struct bytes public; /* content of the BIT STRING */
};

/* Bits of cert.key_usage: 1u << bit (RFC 5280, 4.2.1.3). */
enum key_usage {
	USAGE_DIGITAL_SIGNATURE,
	USAGE_NON_REPUDIATION,
	USAGE_KEY_ENCIPHERMENT,
	USAGE_DATA_ENCIPHERMENT,
	USAGE_KEY_AGREEMENT,
	USAGE_KEY_CERT_SIGN,
	USAGE_CRL_SIGN,
	USAGE_ENCIPHER_ONLY,
	USAGE_DECIPHER_ONLY,
};

/* The extensions that were decoded: bits of cert.has. */
enum cert_has {
	CERT_HAS_SAN = 1 << 0,
	CERT_HAS_KEY_USAGE = 1 << 1,
	CERT_HAS_EKU = 1 << 2,
	CERT_HAS_BASIC_CONSTRAINTS = 1 << 3,
	CERT_HAS_PATH_LENGTH = 1 << 4,
	CERT_HAS_SKI = 1 << 5,
	CERT_HAS_AKI = 1 << 6,
};

#define CERT_EXTENSIONS_MAX 64
#define CERT_SIZE_MAX (1 << 20)

/* Everything borrows from der. "Whole" means with tag and length. */
struct cert {
	struct bytes der;
	struct bytes tbs;	    /* whole */
	unsigned version;	    /* 1, 2 or 3 */
	struct bytes serial;	    /* content of the INTEGER, two's complement */
	struct bytes signature_oid; /* of the algorithm that signed it */
	struct bytes issuer;	    /* whole Name */
	struct bytes subject;	    /* whole Name */
	int64_t not_before;	    /* UNIX seconds, both inclusive */
	int64_t not_after;
	struct bytes spki; /* whole */
	struct cert_key key;
	struct bytes extensions; /* content of the SEQUENCE OF Extension; empty: none */

	unsigned has;	      /* of enum cert_has */
	struct bytes san;     /* content of GeneralNames */
	struct bytes eku;     /* content of SEQUENCE OF OID */
	struct bytes ski;     /* the key identifier */
	struct bytes aki;     /* the issuer's key identifier; may be empty although CERT_HAS_AKI */
	uint16_t key_usage;   /* of enum key_usage */
	bool is_ca;	      /* basicConstraints says so */
	unsigned path_length; /* with CERT_HAS_PATH_LENGTH */
};

/* Reads a certificate; nothing may follow it. Fails with ERR_DER (not DER, or not the structure of a
 * certificate) or ERR_CERT (a value that RFC 5280 forbids: an unknown version, two extensions of one
 * kind, more than CERT_EXTENSIONS_MAX of them), *c then untouched. Serial numbers of any sign and
 * size, empty names and versions 1 and 2 are read. */
int cert_parse(struct bytes der, struct cert *c, struct err *e) MUST_CHECK;
/* Reads a SubjectPublicKeyInfo alone. Fails with ERR_DER. A key of an unknown type, or an RSA key
 * that is none, is read: its type or its bits are then 0. */
int spki_parse(struct bytes spki, struct cert_key *key, struct err *e) MUST_CHECK;
/* Only cuts the first element off bytes that may hold more: its length, or 0. */
size_t cert_length(struct bytes der);

struct cert_extension {
	struct bytes oid; /* content */
	bool critical;
	struct bytes value; /* content of the OCTET STRING */
};
/* Walks the content of a SEQUENCE that cert_parse has checked: start with *rest = c->extensions.
 * False at the end. */
bool cert_extension_next(struct bytes *rest, struct cert_extension *out);
bool cert_extension_find(const struct cert *c, struct bytes oid, struct cert_extension *out);

/* The tag number of a GeneralName (RFC 5280, 4.2.1.6). */
enum san_kind {
	SAN_OTHER,
	SAN_EMAIL,
	SAN_DNS,
	SAN_X400,
	SAN_DIRECTORY,
	SAN_EDI,
	SAN_URI,
	SAN_IP, /* 4 or 16 bytes, by a certificate that is in order */
	SAN_REGISTERED_ID,
};
struct san {
	enum san_kind kind;
	struct bytes value; /* content; SAN_DIRECTORY: a whole Name */
};
/* As cert_extension_next, with *rest = c->san. */
bool san_next(struct bytes *rest, struct san *out);
/* As above, with *rest = c->eku: OIDs. */
bool eku_next(struct bytes *rest, struct bytes *oid);

/* Issuer and subject are the same, byte for byte (RFC 5280 calls that self-issued). */
static inline bool cert_is_self_issued(const struct cert *c)
{
	return bytes_equal(c->issuer, c->subject);
}

/* Is this, whole, a Name (RFC 5280, 4.1.2.4), its strings readable by their types? */
bool name_is_valid(struct bytes name);

static inline bool name_is_empty(struct bytes name)
{
	return name.n <= 2;
}

/* One line of text for a person, through the escaper, NUL at the end, cut off with "..." when too
 * long. Each returns out. */
/* "CN=a.example,O=Acme\, Inc.,C=US" (RFC 4514, with the order of the certificate reversed);
 * "(empty)" for an empty name. name is whole. */
const char *name_text(struct bytes name, char *out, size_t size);
/* The last commonName, else organisation, else the whole as name_text. */
const char *name_short_text(struct bytes name, char *out, size_t size);
/* "a.example, 192.0.2.1 and 3 more": DNS names and addresses only; "no name" without any. */
const char *cert_names_text(const struct cert *c, char *out, size_t size);
/* "EC P-256", "RSA 2048", "Ed25519", "an unknown algorithm (1.2.3)" */
const char *cert_key_text(const struct cert_key *k, char *out, size_t size);
/* "2025-03-01" */
const char *date_text(int64_t unix_s, char out[16]);

/* Do our reader and libcrypto see the same serial, issuer, subject, validity and alternative names?
 * Fails with ERR_CERT, naming the field, when they do not. */
int cert_agrees_with_libcrypto(const struct cert *c, const struct x509_st *x,
			       struct err *e) MUST_CHECK;

#endif
