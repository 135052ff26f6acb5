/* Writes text into a buf quickly: room is reserved for many small pieces at once, and a failure
 * sticks until put_end reports it and takes back what was written. Only for the views. */
#ifndef FLOW_PUT_H
#define FLOW_PUT_H

#include "base/buf.h"
#include "wire/addr.h"

struct put {
	struct buf *b;
	struct err *e;
	uint8_t *base, *p; /* what was reserved, and how far it is written */
	size_t room;	   /* left after p */
	size_t start;	   /* bytes in b at the beginning */
	bool failed;
};

struct put put_init(struct buf *b, struct err *e);
/* 0, or -1 with b as long as it was. */
int put_end(struct put *w) MUST_CHECK;
bool put_grow(struct put *w, size_t n);
void put_flush(struct put *w); /* all written so far is in b */

static inline void put_bytes(struct put *w, struct bytes b)
{
	if (b.n == 0 || (b.n > w->room && !put_grow(w, b.n)))
		return;
	memcpy(w->p, b.p, b.n);
	w->p += b.n;
	w->room -= b.n;
}

static inline void put_str(struct put *w, const char *s)
{
	put_bytes(w, bytes_of(s, strlen(s)));
}

static inline void put_char(struct put *w, char c)
{
	put_bytes(w, bytes_of(&c, 1));
}

#define DIGITS_MAX 20
/* A number in decimal, in room. */
struct bytes digits_of(uint64_t v, char room[DIGITS_MAX]);

void put_fill(struct put *w, char c, size_t n);
void put_u64(struct put *w, uint64_t v);
void put_padded(struct put *w, uint64_t v, size_t digits); /* zeros in front */
void put_hex(struct put *w, uint64_t v, size_t digits);
/* Nanoseconds as milliseconds with three decimals, "12.345". Negative ones are 0. */
void put_ms(struct put *w, int64_t ns);
/* "2026-03-01T12:34:56.789Z" (RFC 3339); years 0001 to 9999. */
void put_time(struct put *w, int64_t wall_ns);
void put_clock(struct put *w, int64_t wall_ns, int utc_offset_s); /* "12:34:56.789" */

/* As addr_text, or addr_ip_text without the port, and much faster for IPv4. */
void put_addr(struct put *w, const struct addr *a, bool port);

void put_escaped(struct put *w, struct bytes text);   /* for a terminal or log */
void put_json(struct put *w, struct bytes text);      /* a JSON string with its quotes */
void put_json_part(struct put *w, struct bytes text); /* the same without */
/* Characters, not bytes: what the escaper lets through takes one column as a rule. */
size_t columns_of(struct bytes text);
/* "name": with a comma before it unless an object has just been opened. */
void put_key(struct put *w, const char *name);
void put_base64(struct put *w, struct bytes data);

#endif
