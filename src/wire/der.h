/* DER (X.690): a reader over struct rd and a writer over struct wr. Only what certificates need:
 * tags of one byte, definite lengths in their shortest form, at most 4 GiB. Whatever is not DER
 * raises the reader's flag; nothing is allocated and values are views of what was read. */
#ifndef WIRE_DER_H
#define WIRE_DER_H

#include "base/rd.h"
#include "base/wr.h"

enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_NULL = 0x05,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_UTF8_STRING = 0x0c,
	DER_NUMERIC_STRING = 0x12,
	DER_PRINTABLE_STRING = 0x13,
	DER_T61_STRING = 0x14,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_VISIBLE_STRING = 0x1a,
	DER_UNIVERSAL_STRING = 0x1c,
	DER_BMP_STRING = 0x1e,
	DER_SEQUENCE = 0x30,
	DER_SET = 0x31,
};
/* Context-specific tags: [n] of a primitive and of a constructed type. n <= 30. */
#define DER_CONTEXT(n) (0x80 | (n))
#define DER_CONTEXT_OPEN(n) (0xa0 | (n))

struct der {
	uint8_t tag;
	struct bytes value; /* the content */
	struct bytes whole; /* tag, length and content */
};

/* Takes the next element, whatever it is. Of the universal types SEQUENCE and SET are constructed, the
 * rest is primitive (X.690, 10.2). */
struct der der_next(struct rd *r);
/* Is the content of an element of any type (ANY) fit for its tag? Of universal primitive types:
 * BOOLEAN, INTEGER, ENUMERATED, BIT STRING, NULL, OID, BMPString and UniversalString are looked at;
 * what is constructed or not universal is not opened. */
bool der_is_valid(struct der d);
/* The tag of the next element; 0 at the end. */
uint8_t der_peek(const struct rd *r);
/* Takes the next element, which must have this tag, and yields its content, a reader of its
 * content, or the whole of it. */
struct bytes der_value(struct rd *r, uint8_t tag);
struct rd der_open(struct rd *r, uint8_t tag);
struct bytes der_whole(struct rd *r, uint8_t tag);

bool der_bool(struct rd *r); /* TRUE is 0xff, FALSE is 0 */
/* The content of an INTEGER in two's complement: at least one byte, none superfluous. */
struct bytes der_integer(struct rd *r);
/* A number from 0 to 2^63 - 1; bad when negative or larger. */
uint64_t der_uint(struct rd *r);
/* A BIT STRING: its bytes; *unused says how many of the last bits are not part of it (they are
 * zero). unused may be NULL: then it must be 0. */
struct bytes der_bits(struct rd *r, unsigned *unused);
struct bytes der_oid(struct rd *r); /* content, well-formed */
/* UTCTime or GeneralizedTime as RFC 5280, 4.1.2.5 wants them: with seconds, with Z, without
 * fractions; UTCTime years 50 to 99 are 19xx. UNIX seconds (years 0 to 9999, leap seconds refused). */
int64_t der_time(struct rd *r);

/* Is this the content of a well-formed OBJECT IDENTIFIER? */
bool oid_is_valid(struct bytes oid);
/* The content as "1.2.840.113549"; numbers above 2^64 - 1 print as "?"; cut off with "..." when too
 * long for size bytes. Returns out. */
const char *oid_text(struct bytes oid, char *out, size_t size);

/* A day of the proleptic Gregorian calendar, UTC. */
struct civil {
	int year;	/* 0 to 9999 */
	int month, day; /* from 1 */
	int hour, minute, second;
};
struct civil civil_of(int64_t unix_s); /* clamped to the years 0 to 9999 */
int64_t civil_to_unix(const struct civil *c);

/* Writing. der_begin opens an element, der_end puts its length in; they may nest. */
struct der_mark {
	size_t at; /* where its content starts, counted from the front of the buf */
};
struct der_mark der_begin(struct wr *w, uint8_t tag);
void der_end(struct wr *w, struct der_mark m);
void der_put(struct wr *w, uint8_t tag, struct bytes content);
void der_put_bool(struct wr *w, bool v);
void der_put_uint(struct wr *w, uint64_t v);
/* A non-negative INTEGER from its big-endian magnitude, which may have leading zeros or be empty. */
void der_put_unsigned(struct wr *w, struct bytes magnitude);
void der_put_bits(struct wr *w, struct bytes content, unsigned unused);
/* A BIT STRING of named bits (X.680, 22.7): bit 0 is the most significant of the first byte;
 * bits holds bit i at 1 << i; trailing zeros are left out. */
void der_put_named_bits(struct wr *w, uint16_t bits);
void der_put_null(struct wr *w);
/* UTCTime from 1950 to 2049, GeneralizedTime otherwise (RFC 5280, 4.1.2.5). */
void der_put_time(struct wr *w, int64_t unix_s);

#endif
