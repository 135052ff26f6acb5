#include "flow/put.h"

#include "base/escape.h"
#include "wire/base64.h"

#define PUT_ROOM 512

struct put put_init(struct buf *b, struct err *e)
{
	return (struct put){ .b = b, .e = e, .start = b->n };
}

void put_flush(struct put *w)
{
	if (w->p != w->base)
		buf_commit(w->b, (size_t)(w->p - w->base));
	w->base = w->p = NULL;
	w->room = 0;
}

bool put_grow(struct put *w, size_t n)
{
	size_t want = n > PUT_ROOM ? n : PUT_ROOM;

	if (w->failed)
		return false;
	put_flush(w);
	/* Close to its limit the buffer gives what there is. */
	if (want > buf_room(w->b))
		want = n;
	if (buf_reserve(w->b, want, &w->base, w->e) < 0) {
		w->failed = true;
		w->base = NULL;
		return false;
	}
	w->p = w->base;
	w->room = want;
	return true;
}

int put_end(struct put *w)
{
	put_flush(w);
	if (!w->failed)
		return 0;
	w->b->n = w->start;
	return -1;
}

void put_fill(struct put *w, char c, size_t n)
{
	if (n == 0 || (n > w->room && !put_grow(w, n)))
		return;
	memset(w->p, c, n);
	w->p += n;
	w->room -= n;
}

struct bytes digits_of(uint64_t v, char room[DIGITS_MAX])
{
	size_t at = DIGITS_MAX;

	do {
		room[--at] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	return bytes_of(room + at, DIGITS_MAX - at);
}

void put_padded(struct put *w, uint64_t v, size_t digits)
{
	char room[DIGITS_MAX];
	struct bytes text = digits_of(v, room);

	put_fill(w, '0', text.n < digits ? digits - text.n : 0);
	put_bytes(w, text);
}

void put_u64(struct put *w, uint64_t v)
{
	put_padded(w, v, 1);
}

void put_hex(struct put *w, uint64_t v, size_t digits)
{
	while (digits--)
		put_char(w, "0123456789abcdef"[v >> (4 * digits) & 15]);
}

void put_ms(struct put *w, int64_t ns)
{
	uint64_t us = ns > 0 ? (uint64_t)ns / 1000 : 0;

	put_u64(w, us / 1000);
	put_char(w, '.');
	put_padded(w, us % 1000, 3);
}

/* The days since 1970-01-01 of the proleptic Gregorian calendar as year, month and day. */
static void civil(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
	/* Years begin in March here, so that the odd day of a leap year is the last one; 400 of
	 * them are an era of 146,097 days. */
	int64_t shifted = days + 719468;
	int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	unsigned doe = (unsigned)(shifted - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;

	*day = doy - (153 * mp + 2) / 5 + 1;
	*month = mp < 10 ? mp + 3 : mp - 9;
	*year = (int64_t)yoe + era * 400 + (*month <= 2);
}

#define NS_S 1000000000LL

static void put_hms(struct put *w, int64_t seconds_of_day, unsigned ms)
{
	put_padded(w, (uint64_t)seconds_of_day / 3600, 2);
	put_char(w, ':');
	put_padded(w, (uint64_t)seconds_of_day / 60 % 60, 2);
	put_char(w, ':');
	put_padded(w, (uint64_t)seconds_of_day % 60, 2);
	put_char(w, '.');
	put_padded(w, ms, 3);
}

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

void put_time(struct put *w, int64_t wall_ns)
{
	int64_t seconds = floor_div(wall_ns, NS_S), days = floor_div(seconds, 86400), year;
	unsigned month, day;

	civil(days, &year, &month, &day);
	put_padded(w, (uint64_t)year, 4);
	put_char(w, '-');
	put_padded(w, month, 2);
	put_char(w, '-');
	put_padded(w, day, 2);
	put_char(w, 'T');
	put_hms(w, seconds - days * 86400, (unsigned)((wall_ns - seconds * NS_S) / 1000000));
	put_char(w, 'Z');
}

void put_clock(struct put *w, int64_t wall_ns, int utc_offset_s)
{
	int64_t seconds = floor_div(wall_ns, NS_S), local = seconds + utc_offset_s;

	put_hms(w, local - floor_div(local, 86400) * 86400,
		(unsigned)((wall_ns - seconds * NS_S) / 1000000));
}

#define EACH(byte) (0x0101010101010101ULL * (byte))

/* The bytes at the front that no escaper changes: printable ASCII but quote and backslash. Most
 * text is nothing else, so eight bytes are looked at together: a byte's highest bit becomes 1 when
 * the byte is below 0x20, above 0x7e, or one of the two. (A borrow can only hide behind a byte
 * further down that is found anyway.) */
static size_t plain(struct bytes b)
{
	size_t i = 0;

	for (; b.n - i >= 8; i += 8) {
		uint64_t v, quote, backslash, found;

		memcpy(&v, b.p + i, 8);
		quote = v ^ EACH('"');
		backslash = v ^ EACH('\\');
		found = v | (v - EACH(0x20)) | (v + EACH(0x01)) | (quote - EACH(0x01)) |
			(backslash - EACH(0x01));
		if (found & EACH(0x80))
			break;
	}
	while (i < b.n && b.p[i] >= 0x20 && b.p[i] < 0x7f && b.p[i] != '\\' && b.p[i] != '"')
		i++;
	return i;
}

static void escape(struct put *w, struct bytes text,
		   int (*add)(struct buf *out, struct bytes text, struct err *e))
{
	size_t n = plain(text);

	put_bytes(w, bytes_of(text.p, n));
	if (n == text.n || w->failed)
		return;
	put_flush(w);
	if (add(w->b, bytes_slice(text, n, text.n), w->e) < 0)
		w->failed = true;
}

void put_escaped(struct put *w, struct bytes text)
{
	escape(w, text, escape_add);
}

void put_json_part(struct put *w, struct bytes text)
{
	escape(w, text, escape_json);
}

void put_json(struct put *w, struct bytes text)
{
	put_char(w, '"');
	escape(w, text, escape_json);
	put_char(w, '"');
}

size_t columns_of(struct bytes text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.n; i++)
		n += (text.p[i] & 0xc0) != 0x80;
	return n;
}

void put_key(struct put *w, const char *name)
{
	uint8_t last = 0;

	if (w->p != w->base)
		last = w->p[-1];
	else if (w->b->n)
		last = w->b->p[w->b->n - 1];
	if (last != '{')
		put_char(w, ',');
	put_char(w, '"');
	put_str(w, name);
	put_str(w, "\":");
}

void put_addr(struct put *w, const struct addr *a, bool port)
{
	char text[ADDR_TEXT_MAX];

	if (a->family != ADDR_IP4) {
		put_str(w, port ? addr_text(a, text) : addr_ip_text(a, text));
		return;
	}
	for (size_t i = 0; i < 4; i++) {
		if (i)
			put_char(w, '.');
		put_u64(w, a->ip[i]);
	}
	if (port) {
		put_char(w, ':');
		put_u64(w, a->port);
	}
}

void put_base64(struct put *w, struct bytes data)
{
	if (w->failed)
		return;
	put_flush(w);
	if (base64_write(data, w->b, w->e) < 0)
		w->failed = true;
}
