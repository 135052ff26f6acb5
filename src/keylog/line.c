#include "keylog/line.h"

#include <stdio.h>

#include "base/mem.h"

/* How long the two values of each label are, in bytes. */
static const struct {
	const char *name; /* of traffic secrets: what comes before the generation */
	uint16_t key_min, key_max;
	uint16_t secret_min, secret_max;
} labels[] = {
	[KEYLOG_CLIENT_RANDOM] = { "CLIENT_RANDOM", 32, 32, 48, 48 },
	[KEYLOG_CLIENT_EARLY_TRAFFIC_SECRET] = { "CLIENT_EARLY_TRAFFIC_SECRET", 32, 32, 32, 64 },
	[KEYLOG_EARLY_EXPORTER_SECRET] = { "EARLY_EXPORTER_SECRET", 32, 32, 32, 64 },
	[KEYLOG_CLIENT_HANDSHAKE_TRAFFIC_SECRET] = { "CLIENT_HANDSHAKE_TRAFFIC_SECRET", 32, 32, 32,
						     64 },
	[KEYLOG_SERVER_HANDSHAKE_TRAFFIC_SECRET] = { "SERVER_HANDSHAKE_TRAFFIC_SECRET", 32, 32, 32,
						     64 },
	[KEYLOG_CLIENT_TRAFFIC_SECRET] = { "CLIENT_TRAFFIC_SECRET_", 32, 32, 32, 64 },
	[KEYLOG_SERVER_TRAFFIC_SECRET] = { "SERVER_TRAFFIC_SECRET_", 32, 32, 32, 64 },
	[KEYLOG_EXPORTER_SECRET] = { "EXPORTER_SECRET", 32, 32, 32, 64 },
	[KEYLOG_ECH_SECRET] = { "ECH_SECRET", 32, 32, 16, 66 },
	[KEYLOG_ECH_CONFIG] = { "ECH_CONFIG", 32, 32, 1, KEYLOG_SECRET_MAX },
	[KEYLOG_RSA] = { "RSA", 8, 8, 48, 48 },
	[KEYLOG_RSA_SESSION_ID] = { "RSA Session-ID:", 1, 32, 48, 48 },
	[KEYLOG_PMS_CLIENT_RANDOM] = { "PMS_CLIENT_RANDOM", 32, 32, 1, KEYLOG_SECRET_MAX },
};

static bool is_traffic_secret(enum keylog_label label)
{
	return label == KEYLOG_CLIENT_TRAFFIC_SECRET || label == KEYLOG_SERVER_TRAFFIC_SECRET;
}

/* The value of each hexadecimal digit, plus one; 0: none. By table, since digits and letters come in
 * no order that a processor could guess. */
static const uint8_t hex_values[256] = {
	['0'] = 1,  ['1'] = 2,	['2'] = 3,  ['3'] = 4,	['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,	['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16, ['A'] = 11, ['B'] = 12,
	['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* False: not hexadecimal, an odd number of digits, or more than max bytes. */
static bool parse_hex(struct bytes text, uint8_t *out, size_t max, size_t *n)
{
	bool bad = false;

	if (text.n % 2 || text.n / 2 > max)
		return false;
	for (size_t i = 0; i < text.n / 2; i++) {
		uint8_t high = hex_values[text.p[2 * i]], low = hex_values[text.p[2 * i + 1]];

		bad |= high == 0 || low == 0;
		out[i] = (uint8_t)(((high - 1) & 15) << 4 | ((low - 1) & 15));
	}
	*n = text.n / 2;
	return !bad;
}

static struct bytes strip_end(struct bytes line)
{
	if (line.n && line.p[line.n - 1] == '\n')
		line.n--;
	if (line.n && line.p[line.n - 1] == '\r')
		line.n--;
	return line;
}

static struct bytes take_word(struct bytes *line)
{
	size_t space = bytes_index(*line, ' ');
	struct bytes word = bytes_slice(*line, 0, space);

	*line = bytes_slice(*line, space + 1, line->n);
	return word;
}

/* "…_0", "…_12", and OpenSSL's "…_N", which leaves the number to be counted. */
static bool parse_generation(struct bytes text, uint32_t *out)
{
	uint64_t v;

	if (bytes_equal(text, bytes_str("N"))) {
		*out = KEYLOG_NEXT;
		return true;
	}
	if (!bytes_decimal(text, KEYLOG_NEXT - 1, &v) || (text.n > 1 && text.p[0] == '0'))
		return false;
	*out = (uint32_t)v;
	return true;
}

static enum keylog_label find_label(struct bytes word, uint32_t *generation)
{
	*generation = 0;
	for (size_t i = 1; i < ARRAY_LEN(labels); i++) {
		struct bytes name = bytes_str(labels[i].name);

		if (bytes_equal(word, name))
			return is_traffic_secret((enum keylog_label)i) ? KEYLOG_NONE
								       : (enum keylog_label)i;
		if (is_traffic_secret((enum keylog_label)i) && bytes_starts(word, name) &&
		    parse_generation(bytes_slice(word, name.n, word.n), generation))
			return (enum keylog_label)i;
	}
	return KEYLOG_NONE;
}

/* "RSA Session-ID:<hex> Master-Key:<hex>", what openssl s_client's output was once turned into. */
static bool take_session_id(struct bytes *rest, struct bytes *key)
{
	struct bytes id = bytes_str("Session-ID:"), master = bytes_str("Master-Key:");

	if (!bytes_starts(*rest, id))
		return false;
	*rest = bytes_slice(*rest, id.n, rest->n);
	*key = take_word(rest);
	if (bytes_starts(*rest, master))
		*rest = bytes_slice(*rest, master.n, rest->n);
	else
		*rest = (struct bytes){ 0 };
	return true;
}

static int parse_values(struct bytes key, struct bytes secret, struct keylog_line *line,
			struct err *e)
{
	const char *name = labels[line->label].name;

	if (!parse_hex(key, line->key, sizeof(line->key), &line->key_n) ||
	    line->key_n < labels[line->label].key_min || line->key_n > labels[line->label].key_max)
		return FAIL(
			e, WIRE_DECODE,
			"key log: %s with an identifier of %zu characters; %d to %d hexadecimal "
			"digits are needed",
			name, key.n, 2 * labels[line->label].key_min,
			2 * labels[line->label].key_max);
	if (!parse_hex(secret, line->secret, sizeof(line->secret), &line->secret_n) ||
	    line->secret_n < labels[line->label].secret_min ||
	    line->secret_n > labels[line->label].secret_max)
		return FAIL(e, WIRE_DECODE,
			    "key log: %s with a secret of %zu characters; %d to %d hexadecimal "
			    "digits are needed",
			    name, secret.n, 2 * labels[line->label].secret_min,
			    2 * labels[line->label].secret_max);
	return 0;
}

enum keylog_outcome keylog_line_parse(struct bytes text, struct keylog_line *out, struct err *e)
{
	struct bytes rest = strip_end(text), word, key;
	AUTO(keylog_line_wipe) struct keylog_line line;

	if (bytes_trim(rest).n == 0 || rest.p[0] == '#')
		return KEYLOG_EMPTY;
	word = take_word(&rest);
	line.label = find_label(word, &line.generation);
	line.key_n = line.secret_n = 0;
	if (line.label == KEYLOG_NONE)
		return KEYLOG_OTHER;
	if (line.label == KEYLOG_RSA && take_session_id(&rest, &key))
		line.label = KEYLOG_RSA_SESSION_ID;
	else
		key = take_word(&rest);
	/* Words after the third are nobody's: other readers ignore them too. */
	if (parse_values(key, take_word(&rest), &line, e) < 0)
		return KEYLOG_BAD;
	out->label = line.label;
	out->generation = line.generation;
	out->key_n = line.key_n;
	out->secret_n = line.secret_n;
	memcpy(out->key, line.key, line.key_n);
	memcpy(out->secret, line.secret, line.secret_n);
	return KEYLOG_LINE;
}

void keylog_line_wipe(struct keylog_line *line)
{
	mem_wipe(line, sizeof(*line));
}

/* What stands before the identifier. */
static int write_label(const struct keylog_entry *entry, char *out, size_t size)
{
	const char *name = labels[entry->label].name;

	if (!is_traffic_secret(entry->label))
		return snprintf(out, size, "%s%s", name,
				entry->label == KEYLOG_RSA_SESSION_ID ? "" : " ");
	if (entry->generation == KEYLOG_NEXT)
		return snprintf(out, size, "%sN ", name);
	return snprintf(out, size, "%s%u ", name, entry->generation);
}

static size_t write_hex(struct bytes b, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < b.n; i++) {
		out[2 * i] = digits[b.p[i] >> 4];
		out[2 * i + 1] = digits[b.p[i] & 15];
	}
	return 2 * b.n;
}

int keylog_line_write(const struct keylog_entry *entry, char *out, size_t size, size_t *n,
		      struct err *e)
{
	const char *between = entry->label == KEYLOG_RSA_SESSION_ID ? " Master-Key:" : " ";
	char label[48];
	size_t label_n = (size_t)write_label(entry, label, sizeof(label));
	size_t between_n = strlen(between);
	size_t need = label_n + 2 * entry->key.n + between_n + 2 * entry->secret.n + 1, at = 0;

	if (entry->key.n > KEYLOG_KEY_MAX || entry->secret.n > KEYLOG_SECRET_MAX || need > size)
		return FAIL(e, LIMIT, "key log: a line of %zu bytes into a room of %zu", need,
			    size);
	memcpy(out, label, label_n);
	at += label_n;
	at += write_hex(entry->key, out + at);
	memcpy(out + at, between, between_n);
	at += between_n;
	at += write_hex(entry->secret, out + at);
	out[at++] = '\n';
	*n = at;
	return 0;
}

const char *keylog_label_name(enum keylog_label label)
{
	switch (label) {
	case KEYLOG_CLIENT_TRAFFIC_SECRET:
		return "CLIENT_TRAFFIC_SECRET_0";
	case KEYLOG_SERVER_TRAFFIC_SECRET:
		return "SERVER_TRAFFIC_SECRET_0";
	case KEYLOG_RSA_SESSION_ID:
		return "RSA";
	case KEYLOG_NONE:
	case KEYLOG_LABEL_COUNT:
		return "none";
	default:
		return labels[label].name;
	}
}

struct bytes keylog_line_label(struct bytes line)
{
	return bytes_slice(strip_end(line), 0, bytes_index(strip_end(line), ' '));
}
