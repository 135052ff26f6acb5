#include "wire/der.h"

#include <assert.h>
#include <stdio.h>

#define LENGTH_BYTES_MAX 4
#define YEAR_MAX 9999

static void spoil(struct rd *r)
{
	*r->bad = true;
	r->n = 0;
}

/* The length after its first byte, which said that count bytes follow (X.690, 8.1.3.5 and 10.1). */
static size_t long_length(struct rd *r, size_t count)
{
	uint64_t n;

	if (count == 0 || count > LENGTH_BYTES_MAX) {
		spoil(r);
		return 0;
	}
	n = rd_uint(r, count);
	if (n < 0x80 || n >> (8 * (count - 1)) == 0)
		spoil(r);
	return (size_t)n;
}

/* Of the universal types only SEQUENCE and SET are constructed here, and they always. 0 is no type;
 * 31 says that the number follows in bytes of its own. The types that hold values of foreign syntax
 * (EXTERNAL, EMBEDDED PDV, CHARACTER STRING) have no place in certificates. */
static bool tag_is_valid(uint8_t tag)
{
	unsigned number = tag & 0x1f;

	if (number == 31)
		return false;
	if (tag & 0xc0)
		return true;
	switch (number) {
	case DER_SEQUENCE & 0x1f:
	case DER_SET & 0x1f:
		return tag & 0x20;
	case 0:
	case 8:
	case 11:
	case 29:
		return false;
	default:
		return !(tag & 0x20);
	}
}

struct der der_next(struct rd *r)
{
	struct bytes all = rd_rest(r);
	uint8_t tag = rd_u8(r);
	size_t n = rd_u8(r);
	struct der d = { .tag = tag };

	if (!tag_is_valid(tag))
		spoil(r);
	if (n & 0x80)
		n = long_length(r, n & 0x7f);
	if (all.n < 2 || n > r->n) {
		spoil(r);
		return (struct der){ 0 };
	}
	d.value = rd_take(r, n);
	d.whole = bytes_of(all.p, all.n - r->n);
	return d;
}

uint8_t der_peek(const struct rd *r)
{
	return r->n ? r->p[0] : 0;
}

static struct der expect(struct rd *r, uint8_t tag)
{
	struct der d = { 0 };

	if (der_peek(r) != tag || r->n == 0)
		spoil(r);
	else
		d = der_next(r);
	return d;
}

struct bytes der_value(struct rd *r, uint8_t tag)
{
	return expect(r, tag).value;
}

struct rd der_open(struct rd *r, uint8_t tag)
{
	return rd_init(expect(r, tag).value, r->bad);
}

struct bytes der_whole(struct rd *r, uint8_t tag)
{
	return expect(r, tag).whole;
}

bool der_bool(struct rd *r)
{
	struct bytes v = der_value(r, DER_BOOLEAN);

	if (v.n != 1 || (v.p[0] != 0 && v.p[0] != 0xff)) {
		spoil(r);
		return false;
	}
	return v.p[0] != 0;
}

/* X.690, 8.3.2: the first nine bits of a number are neither all ones nor all zeros. */
static bool is_minimal(struct bytes v)
{
	bool padded = v.n > 1 &&
		      ((v.p[0] == 0 && !(v.p[1] & 0x80)) || (v.p[0] == 0xff && (v.p[1] & 0x80)));

	return v.n > 0 && !padded;
}

struct bytes der_integer(struct rd *r)
{
	struct bytes v = der_value(r, DER_INTEGER);

	if (!is_minimal(v)) {
		spoil(r);
		return (struct bytes){ 0 };
	}
	return v;
}

uint64_t der_uint(struct rd *r)
{
	struct bytes v = der_integer(r);
	uint64_t n = 0;

	if (v.n == 0 || v.n > 8 || (v.p[0] & 0x80)) {
		spoil(r);
		return 0;
	}
	for (size_t i = 0; i < v.n; i++)
		n = n << 8 | v.p[i];
	return n;
}

struct bytes der_bits(struct rd *r, unsigned *unused)
{
	struct bytes v = der_value(r, DER_BIT_STRING);
	uint8_t last = v.n ? v.p[v.n - 1] : 0;
	unsigned n = v.n ? v.p[0] : 8;

	if (n > 7 || (n && v.n == 1) || (n && (last & ((1u << n) - 1))) || (n && !unused)) {
		spoil(r);
		return (struct bytes){ 0 };
	}
	if (unused)
		*unused = n;
	return bytes_slice(v, 1, v.n);
}

bool der_is_valid(struct der d)
{
	bool bad = false;
	struct rd r = rd_init(d.whole, &bad);
	unsigned unused;

	switch (d.tag) {
	case DER_BOOLEAN:
		(void)der_bool(&r);
		return !bad;
	case DER_INTEGER:
		(void)der_integer(&r);
		return !bad;
	case DER_ENUMERATED:
		return is_minimal(d.value);
	case DER_BIT_STRING:
		(void)der_bits(&r, &unused);
		return !bad;
	case DER_NULL:
		return d.value.n == 0;
	case DER_OID:
		return oid_is_valid(d.value);
	case DER_BMP_STRING:
		return d.value.n % 2 == 0;
	case DER_UNIVERSAL_STRING:
		return d.value.n % 4 == 0;
	default:
		return true;
	}
}

bool oid_is_valid(struct bytes oid)
{
	bool at_start = true;

	for (size_t i = 0; i < oid.n; i++) {
		if (at_start && oid.p[i] == 0x80)
			return false;
		at_start = !(oid.p[i] & 0x80);
	}
	return oid.n != 0 && at_start;
}

struct bytes der_oid(struct rd *r)
{
	struct bytes v = der_value(r, DER_OID);

	if (!oid_is_valid(v))
		spoil(r);
	return v;
}

/* Takes one arc off an OID; false when it does not fit. */
static bool oid_arc(struct bytes *oid, uint64_t *arc)
{
	bool fits = true, more = true;

	*arc = 0;
	while (more && oid->n) {
		fits = fits && *arc >> 57 == 0;
		*arc = *arc << 7 | (oid->p[0] & 0x7f);
		more = oid->p[0] & 0x80;
		*oid = bytes_slice(*oid, 1, oid->n);
	}
	return fits;
}

const char *oid_text(struct bytes oid, char *out, size_t size)
{
	size_t at = 0;
	bool first = true;

	if (size == 0)
		return out;
	out[0] = 0;
	while (oid.n) {
		char part[32];
		uint64_t arc, top;
		bool fits = oid_arc(&oid, &arc);
		int n;

		if (!fits)
			n = snprintf(part, sizeof(part), first ? "2.?" : ".?");
		else if (first) {
			top = arc < 80 ? arc / 40 : 2;
			n = snprintf(part, sizeof(part), "%u.%llu", (unsigned)top,
				     (unsigned long long)(arc - top * 40));
		} else
			n = snprintf(part, sizeof(part), ".%llu", (unsigned long long)arc);
		/* Room for "..." unless this is the last. */
		if (at + (size_t)n + (oid.n ? 4 : 1) > size) {
			snprintf(out + at, size - at, "...");
			break;
		}
		memcpy(out + at, part, (size_t)n + 1);
		at += (size_t)n;
		first = false;
	}
	return out;
}

/* Days from 1970-01-01 to a day of the proleptic Gregorian calendar; years begin in March, so that
 * the leap day is the last. */
static int64_t days_of(int year, int month, int day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

int64_t civil_to_unix(const struct civil *c)
{
	return days_of(c->year, c->month, c->day) * 86400 + c->hour * 3600 + c->minute * 60 +
	       c->second;
}

struct civil civil_of(int64_t unix_s)
{
	int64_t least = days_of(0, 1, 1) * 86400, most = days_of(YEAR_MAX + 1, 1, 1) * 86400 - 1;
	int64_t s = unix_s < least ? least : unix_s > most ? most : unix_s;
	int64_t days = (s - least) / 86400 + days_of(0, 1, 1) + 719468;
	int64_t rest = (s - least) % 86400;
	int64_t era = (days >= 0 ? days : days - 146096) / 146097;
	int64_t of_era = days - era * 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t month = (5 * of_year + 2) / 153;
	struct civil c = { .day = (int)(of_year - (153 * month + 2) / 5 + 1),
			   .month = (int)(month < 10 ? month + 3 : month - 9),
			   .hour = (int)(rest / 3600),
			   .minute = (int)(rest / 60 % 60),
			   .second = (int)(rest % 60) };

	c.year = (int)(year + era * 400) + (c.month <= 2);
	return c;
}

static int digits(struct rd *r, size_t count)
{
	int v = 0;

	for (size_t i = 0; i < count; i++) {
		uint8_t c = rd_u8(r);

		if (c < '0' || c > '9') {
			spoil(r);
			return 0;
		}
		v = v * 10 + (c - '0');
	}
	return v;
}

static int month_days(int year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

int64_t der_time(struct rd *r)
{
	bool is_utc = der_peek(r) == DER_UTC_TIME;
	struct rd t = der_open(r, is_utc ? DER_UTC_TIME : DER_GENERALIZED_TIME);
	struct civil c = { .year = digits(&t, is_utc ? 2 : 4) };

	if (is_utc)
		c.year += c.year < 50 ? 2000 : 1900;
	c.month = digits(&t, 2);
	c.day = digits(&t, 2);
	c.hour = digits(&t, 2);
	c.minute = digits(&t, 2);
	c.second = digits(&t, 2);
	if (rd_u8(&t) != 'Z' || t.n || c.month < 1 || c.month > 12 || c.day < 1 ||
	    c.day > month_days(c.year, c.month) || c.hour > 23 || c.minute > 59 || c.second > 59) {
		spoil(r);
		return 0;
	}
	return civil_to_unix(&c);
}

struct der_mark der_begin(struct wr *w, uint8_t tag)
{
	wr_u8(w, tag);
	wr_u8(w, 0);
	return (struct der_mark){ .at = w->b->n };
}

void der_end(struct wr *w, struct der_mark m)
{
	size_t n, more = 0;
	uint8_t *content;

	if (w->failed)
		return;
	n = w->b->n - m.at;
	while (n >= 0x80 && more < sizeof(n) && n >> (8 * more))
		more++;
	/* The one byte that was kept for the length does not do: the content moves up. */
	if (more)
		wr_uint(w, 0, more);
	if (w->failed)
		return;
	content = w->b->p + m.at;
	if (more)
		memmove(content + more, content, n);
	content[-1] = (uint8_t)(more ? 0x80 | more : n);
	for (size_t i = 0; i < more; i++)
		content[i] = (uint8_t)(n >> (8 * (more - 1 - i)));
}

void der_put(struct wr *w, uint8_t tag, struct bytes content)
{
	size_t size = 1;

	wr_u8(w, tag);
	while (size < 8 && (uint64_t)content.n >> (8 * size))
		size++;
	if (content.n >= 0x80)
		wr_u8(w, (uint8_t)(0x80 | size));
	wr_uint(w, content.n, size);
	wr_bytes(w, content);
}

void der_put_bool(struct wr *w, bool v)
{
	uint8_t b = v ? 0xff : 0;

	der_put(w, DER_BOOLEAN, bytes_of(&b, 1));
}

void der_put_unsigned(struct wr *w, struct bytes magnitude)
{
	static const uint8_t zero;
	struct der_mark m = der_begin(w, DER_INTEGER);

	while (magnitude.n && magnitude.p[0] == 0)
		magnitude = bytes_slice(magnitude, 1, magnitude.n);
	if (magnitude.n == 0 || (magnitude.p[0] & 0x80))
		wr_bytes(w, bytes_of(&zero, 1));
	wr_bytes(w, magnitude);
	der_end(w, m);
}

void der_put_uint(struct wr *w, uint64_t v)
{
	uint8_t b[8];

	for (size_t i = 0; i < sizeof(b); i++)
		b[i] = (uint8_t)(v >> (8 * (7 - i)));
	der_put_unsigned(w, bytes_of(b, sizeof(b)));
}

void der_put_bits(struct wr *w, struct bytes content, unsigned unused)
{
	struct der_mark m = der_begin(w, DER_BIT_STRING);

	assert(unused < 8);
	wr_u8(w, (uint8_t)unused);
	wr_bytes(w, content);
	der_end(w, m);
}

void der_put_named_bits(struct wr *w, uint16_t bits)
{
	uint8_t b[2] = { 0 };
	size_t n = bits >> 8 ? 2 : bits ? 1 : 0;
	unsigned unused = 0;

	for (unsigned i = 0; i < 16; i++) {
		if (bits & (1u << i))
			b[i / 8] |= (uint8_t)(0x80 >> i % 8);
	}
	while (n && !(b[n - 1] & (1u << unused)))
		unused++;
	der_put_bits(w, bytes_of(b, n), unused);
}

void der_put_null(struct wr *w)
{
	der_put(w, DER_NULL, (struct bytes){ 0 });
}

void der_put_time(struct wr *w, int64_t unix_s)
{
	struct civil c = civil_of(unix_s);
	bool is_utc = c.year >= 1950 && c.year <= 2049;
	char text[32];
	int n = snprintf(text, sizeof(text), "%04d%02d%02d%02d%02d%02dZ", c.year, c.month, c.day,
			 c.hour, c.minute, c.second);
	size_t skip = is_utc ? 2 : 0;

	assert(n == 15);
	der_put(w, is_utc ? DER_UTC_TIME : DER_GENERALIZED_TIME,
		bytes_of(text + skip, (size_t)n - skip));
}
