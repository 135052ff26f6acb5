/* A borrowed view of bytes. It is a loan: never stored where it may outlive its owner. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define AUTO(cleaner) __attribute__((cleanup(cleaner)))
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* Takes the value out of a pointer that cleans itself up: STEAL(p) yields p and leaves NULL. */
#define STEAL(p) ((__typeof__(p))steal_pointer((void *)&(p)))

static inline void *steal_pointer(void *where)
{
	void *value, *none = NULL;

	memcpy(&value, where, sizeof(value));
	memcpy(where, &none, sizeof(none));
	return value;
}

struct bytes {
	const uint8_t *p;
	size_t n;
};

/* For printf: "%.*s", BYTES_FMT(b). Only for bytes known to be clean; others go through escape.h. */
#define BYTES_FMT(b) (int)(b).n, (const char *)(b).p

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ .p = p, .n = n };
}

static inline struct bytes bytes_str(const char *s)
{
	return bytes_of(s, s ? strlen(s) : 0);
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII letters compare without case; nothing else is folded. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);
bool bytes_starts(struct bytes b, struct bytes prefix);
bool bytes_ends_nocase(struct bytes b, struct bytes suffix);
/* The position of the first c, or b.n when there is none. */
size_t bytes_index(struct bytes b, uint8_t c);
/* The part of b from position from (clamped) of at most n bytes. */
struct bytes bytes_slice(struct bytes b, size_t from, size_t n);
/* Without leading and trailing spaces and tabs. */
struct bytes bytes_trim(struct bytes b);
/* Reads a whole decimal number of at most 19 digits. False when b is anything else or above max. */
bool bytes_decimal(struct bytes b, uint64_t max, uint64_t *out);

#endif
