#include "flow/expr_value.h"

#include "base/suggest.h"

#define NS_S 1000000000LL

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit sizes[] = {
	{ "k", 1000 },	    { "M", 1000000 },	  { "G", 1000000000 }, { "T", 1000000000000 },
	{ "Ki", 1 << 10 },  { "Mi", 1 << 20 },	  { "Gi", 1 << 30 },   { "kB", 1000 },
	{ "MB", 1000000 },  { "GB", 1000000000 }, { "KiB", 1 << 10 },  { "MiB", 1 << 20 },
	{ "GiB", 1 << 30 }, { "B", 1 },
};

static const struct unit durations[] = {
	{ "ns", 1 },	    { "us", 1000 },	  { "ms", 1000000 },	{ "s", NS_S },
	{ "m", 60 * NS_S }, { "min", 60 * NS_S }, { "h", 3600 * NS_S }, { "d", 86400 * NS_S },
};

static bool is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

/* "12", "1.5" times unit. False when it is no number, has digits below one, or is too large. */
static bool scale(struct bytes t, int64_t unit, int64_t *out)
{
	size_t point = bytes_index(t, '.');
	uint64_t whole;
	int64_t n;

	if (!bytes_decimal(bytes_slice(t, 0, point), INT64_MAX / (uint64_t)unit, &whole))
		return false;
	n = (int64_t)whole * unit;
	if (point + 1 == t.n)
		return false;
	for (size_t i = point + 1; i < t.n; i++) {
		unit /= 10;
		if (!is_digit(t.p[i]) || (unit == 0 && t.p[i] != '0') || n > INT64_MAX - 9 * unit)
			return false;
		n += (t.p[i] - '0') * unit;
	}
	*out = n;
	return true;
}

/* A number and perhaps a unit out of the table. */
static bool measure(struct bytes t, const struct unit *units, size_t count, int64_t alone,
		    int64_t *out)
{
	size_t n = 0;
	struct bytes unit;

	while (n < t.n && (is_digit(t.p[n]) || t.p[n] == '.'))
		n++;
	unit = bytes_slice(t, n, t.n);
	t = bytes_slice(t, 0, n);
	if (unit.n == 0)
		return scale(t, alone, out);
	for (size_t i = 0; i < count; i++)
		if (bytes_equal(unit, bytes_str(units[i].name)))
			return scale(t, units[i].factor, out);
	return false;
}

static bool hex(struct bytes t, int64_t *out)
{
	int64_t n = 0;

	if (t.n < 3 || t.n > 17 || t.p[0] != '0' || (t.p[1] | 0x20) != 'x')
		return false;
	for (size_t i = 2; i < t.n; i++) {
		uint8_t c = t.p[i] | 0x20;

		if (!is_digit(t.p[i]) && (c < 'a' || c > 'f'))
			return false;
		n = n << 4 | (is_digit(t.p[i]) ? t.p[i] - '0' : c - 'a' + 10);
	}
	*out = n;
	return n >= 0;
}

static bool number(struct bytes t, int64_t *out)
{
	return hex(t, out) || measure(t, sizes, ARRAY_LEN(sizes), 1, out);
}

static bool flow_number(struct bytes t, int64_t *out)
{
	uint64_t n;

	if (t.n && (t.p[0] | 0x20) == 'u') {
		if (!bytes_decimal(bytes_slice(t, 1, t.n), FLOW_UDP - 1, &n))
			return false;
		*out = (int64_t)(FLOW_UDP | n);
		return true;
	}
	return number(t, out);
}

/* Takes digits as many as width and the character after them, unless that is 0. */
static bool part(struct bytes *t, size_t width, char after, unsigned *out)
{
	uint64_t n;

	if (!bytes_decimal(bytes_slice(*t, 0, width), 9999, &n) || t->n < width + (after != 0) ||
	    (after && (t->p[width] | 0x20) != ((uint8_t)after | 0x20)))
		return false;
	*out = (unsigned)n;
	*t = bytes_slice(*t, width + (after != 0), t->n);
	return true;
}

static int64_t days_of(unsigned year, unsigned month, unsigned day)
{
	/* Years begin in March, so that the odd day of a leap year is the last one. */
	unsigned y = year - (month <= 2), era = y / 400, yoe = y % 400;
	unsigned doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

	return (int64_t)era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* "+01:00"; what is not there, or "Z", is UTC. */
static bool offset(struct bytes t, int64_t *seconds)
{
	unsigned hours, minutes;
	int sign;

	*seconds = 0;
	if (t.n == 0 || (t.n == 1 && (t.p[0] | 0x20) == 'z'))
		return true;
	if (t.p[0] != '+' && t.p[0] != '-')
		return false;
	sign = t.p[0] == '-' ? -1 : 1;
	t = bytes_slice(t, 1, t.n);
	if (!part(&t, 2, ':', &hours) || !part(&t, 2, 0, &minutes) || t.n)
		return false;
	*seconds = sign * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

/* The time of day, with a fraction and an offset perhaps, in ns. */
static bool clock_time(struct bytes t, int64_t *out)
{
	unsigned hour, minute, second;
	int64_t fraction = 0, shift, unit = NS_S;

	if (!part(&t, 2, ':', &hour) || !part(&t, 2, ':', &minute) || !part(&t, 2, 0, &second) ||
	    hour > 23 || minute > 59 || second > 60)
		return false;
	if (t.n && t.p[0] == '.') {
		for (t = bytes_slice(t, 1, t.n); t.n && is_digit(t.p[0]);
		     t = bytes_slice(t, 1, t.n)) {
			unit /= 10;
			fraction += (t.p[0] - '0') * unit;
		}
	}
	if (!offset(t, &shift))
		return false;
	*out = ((int64_t)(hour * 3600 + minute * 60 + second) - shift) * NS_S + fraction;
	return true;
}

/* RFC 3339; the time of day may be left out. Or seconds since 1970. */
static bool point_in_time(struct bytes t, int64_t *out)
{
	unsigned year, month, day;
	int64_t of_day = 0;

	if (bytes_index(t, '-') == t.n)
		return scale(t, NS_S, out);
	if (!part(&t, 4, '-', &year) || !part(&t, 2, '-', &month) || !part(&t, 2, 0, &day) ||
	    year < 1970 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 31)
		return false;
	if (t.n) {
		bool separated = t.p[0] == ' ' || (t.p[0] | 0x20) == 't';

		if (!separated || !clock_time(bytes_slice(t, 1, t.n), &of_day))
			return false;
	}
	*out = days_of(year, month, day) * 86400 * NS_S + of_day;
	return true;
}

/* "TLS 1.3" is also called 1.3 and TLSv1.3. */
static bool is_called(const char *name, struct bytes word)
{
	struct bytes n = bytes_str(name), rest;

	if (bytes_equal_nocase(n, word))
		return true;
	if (!bytes_starts(n, bytes_str("TLS ")))
		return false;
	rest = bytes_slice(n, 4, n.n);
	if (bytes_equal_nocase(bytes_slice(word, 0, 4), bytes_str("TLSv")))
		word = bytes_slice(word, 4, word.n);
	return bytes_equal(rest, word);
}

static int code(const struct expr_field *f, struct bytes word, int64_t *out, struct err *e)
{
	struct suggest s = suggest_init(word);
	char hint[SUGGEST_MAX];

	for (uint64_t c = 0; c <= f->code_max; c++) {
		const char *name = f->name_of(c);

		if (!name)
			continue;
		if (is_called(name, word)) {
			*out = (int64_t)c;
			return 0;
		}
		suggest_offer(&s, name);
	}
	if (number(word, out) && (uint64_t)*out <= f->code_max)
		return 0;
	return FAIL(e, USAGE, "%s is compared with a name such as %s or its number%s", f->name,
		    f->example, suggest_text(&s, "", hint));
}

static bool yes_or_no(struct bytes word, int64_t *out)
{
	static const char *const words[] = { "false", "true", "no", "yes", "0", "1" };

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (!bytes_equal_nocase(word, bytes_str(words[i])))
			continue;
		*out = i % 2;
		return true;
	}
	return false;
}

static int one(const struct expr_field *f, struct bytes word, int64_t *out, struct err *e)
{
	switch (f->type) {
	case EXPR_CODE:
		return code(f, word, out, e);
	case EXPR_YES:
		if (yes_or_no(word, out))
			return 0;
		return FAIL(e, USAGE, "%s is yes or no: expected true or false", f->name);
	case EXPR_DURATION:
		if (measure(word, durations, ARRAY_LEN(durations), f->unit, out))
			return 0;
		return FAIL(e, USAGE, "%s is a duration: expected one such as 1.5s, 20ms, 3us",
			    f->name);
	case EXPR_TIME:
		if (point_in_time(word, out))
			return 0;
		return FAIL(e, USAGE, "%s is a time: expected one such as 2026-03-01T12:34:56Z",
			    f->name);
	case EXPR_FLOW:
		if (flow_number(word, out))
			return 0;
		return FAIL(e, USAGE, "%s is a number: expected one such as 12 or u1", f->name);
	default:
		if (number(word, out))
			return 0;
		return FAIL(e, USAGE, "%s is a number: expected one such as 200, 0x1f, 1.5M",
			    f->name);
	}
}

static bool is_text(enum expr_type t)
{
	return t == EXPR_TEXT || t == EXPR_WORD;
}

static bool has_order(enum expr_type t)
{
	return t == EXPR_NUMBER || t == EXPR_FLOW || t == EXPR_DURATION || t == EXPR_TIME ||
	       t == EXPR_CODE;
}

const char *expr_op_fault(enum expr_op op, enum expr_type type)
{
	switch (op) {
	case EXPR_LT:
	case EXPR_LE:
	case EXPR_GT:
	case EXPR_GE:
		if (has_order(type))
			return NULL;
		return is_text(type) ? "==, !=, in, contains and matches" : "==, != and in";
	case EXPR_CONTAINS:
	case EXPR_MATCHES:
		if (is_text(type) || type == EXPR_CODE)
			return NULL;
		return has_order(type) ? "==, !=, <, <=, >, >= and in" : "==, != and in";
	default:
		return NULL;
	}
}

/* Where ".." is in word; its length when it is not there. */
static size_t dots(struct bytes word)
{
	for (size_t i = 0; i + 1 < word.n; i++)
		if (word.p[i] == '.' && word.p[i + 1] == '.')
			return i;
	return word.n;
}

int expr_literal_parse(const struct expr_field *f, enum expr_op op, struct bytes word,
		       struct expr_literal *out, struct err *e)
{
	size_t at = op == EXPR_IN ? dots(word) : word.n;
	struct err why;

	*out = (struct expr_literal){ .text = word };
	if (is_text(f->type) || op == EXPR_CONTAINS || op == EXPR_MATCHES)
		return 0;
	if (f->type == EXPR_ADDR) {
		if (addr_range_parse(word, &out->range, &why) == 0)
			return 0;
		return FAIL(e, USAGE, "%s is an address, or a range such as 10.0.0.0/8: %s",
			    f->name, why.sentence);
	}
	if (one(f, bytes_slice(word, 0, at), &out->low, e) < 0)
		return -1;
	out->high = out->low;
	if (at < word.n && one(f, bytes_slice(word, at + 2, word.n), &out->high, e) < 0)
		return -1;
	if (out->high < out->low)
		return FAIL(e, USAGE, "the range ends before it begins");
	return 0;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static bool contains_nocase(struct bytes text, struct bytes part_of)
{
	for (size_t i = 0; i + part_of.n <= text.n; i++) {
		size_t n = 0;

		while (n < part_of.n && lower(text.p[i + n]) == lower(part_of.p[n]))
			n++;
		if (n == part_of.n)
			return true;
	}
	return false;
}

static bool contains(struct bytes text, struct bytes part_of)
{
	return part_of.n == 0 || (text.n && memmem(text.p, text.n, part_of.p, part_of.n) != NULL);
}

struct bytes expr_value_text(const struct expr_field *f, const struct expr_value *v)
{
	if (f->type == EXPR_CODE)
		return bytes_str(f->name_of((uint64_t)v->n));
	return v->text;
}

static bool text_fits(const struct expr_field *f, enum expr_op op, struct bytes text,
		      struct bytes wanted)
{
	bool exact = f->type == EXPR_TEXT;

	if (op == EXPR_CONTAINS)
		return exact ? contains(text, wanted) : contains_nocase(text, wanted);
	return exact ? bytes_equal(text, wanted) : bytes_equal_nocase(text, wanted);
}

bool expr_value_fits(const struct expr_field *f, enum expr_op op, const struct expr_value *v,
		     const struct expr_literal *l)
{
	if (is_text(f->type) || op == EXPR_CONTAINS)
		return text_fits(f, op, expr_value_text(f, v), l->text);
	if (f->type == EXPR_ADDR)
		return addr_in_range(v->addr, &l->range);
	switch (op) {
	case EXPR_LT:
		return v->n < l->low;
	case EXPR_LE:
		return v->n <= l->low;
	case EXPR_GT:
		return v->n > l->low;
	case EXPR_GE:
		return v->n >= l->low;
	default:
		return v->n >= l->low && v->n <= l->high;
	}
}
