#include "flow/har_part.h"

/* Takes what comes before c from the front of *rest, and c itself. */
static struct bytes take_to(struct bytes *rest, uint8_t c)
{
	size_t n = bytes_index(*rest, c);
	struct bytes part = bytes_slice(*rest, 0, n);

	*rest = bytes_slice(*rest, n + 1, rest->n);
	return part;
}

/* {"name":…,"value":…} without the closing brace. */
static void put_pair(struct put *w, bool first, struct bytes pair, bool mask)
{
	struct bytes value = pair, name = take_to(&value, '=');

	/* Without a name it may be a secret. */
	if (mask && value.n == 0) {
		value = name;
		name = (struct bytes){ 0 };
	}
	put_str(w, first ? "{\"name\":" : ",{\"name\":");
	put_json(w, bytes_trim(name));
	put_str(w, ",\"value\":");
	put_json(w, mask && value.n ? bytes_str("***") : bytes_trim(value));
}

static size_t put_pairs(struct put *w, size_t before, struct bytes list, char separator, bool mask)
{
	while (list.n) {
		struct bytes pair = take_to(&list, (uint8_t)separator);

		if (bytes_trim(pair).n == 0)
			continue;
		put_pair(w, before++ == 0, pair, mask);
		put_char(w, '}');
	}
	return before;
}

void har_query(struct put *w, struct bytes path, bool mask)
{
	struct bytes query = bytes_slice(path, bytes_index(path, '?') + 1, path.n);

	put_key(w, "queryString");
	put_char(w, '[');
	put_pairs(w, 0, bytes_slice(query, 0, bytes_index(query, '#')), '&', mask);
	put_char(w, ']');
}

void har_cookies(struct put *w, const struct message *m, bool mask)
{
	size_t n = 0;

	put_key(w, "cookies");
	put_char(w, '[');
	/* HTTP/2 may send each cookie in a header of its own. */
	for (size_t i = 0; i < m->header_count; i++)
		if (bytes_equal_nocase(m->headers[i].name, bytes_str("cookie")))
			n = put_pairs(w, n, m->headers[i].value, ';', mask);
	put_char(w, ']');
}

static void put_attribute(struct put *w, struct bytes attribute)
{
	struct bytes value = attribute, name = bytes_trim(take_to(&value, '='));

	value = bytes_trim(value);
	if (bytes_equal_nocase(name, bytes_str("path"))) {
		put_key(w, "path");
		put_json(w, value);
	} else if (bytes_equal_nocase(name, bytes_str("domain"))) {
		put_key(w, "domain");
		put_json(w, value);
	} else if (bytes_equal_nocase(name, bytes_str("httponly"))) {
		put_key(w, "httpOnly");
		put_str(w, "true");
	} else if (bytes_equal_nocase(name, bytes_str("secure"))) {
		put_key(w, "secure");
		put_str(w, "true");
	}
}

void har_set_cookies(struct put *w, const struct message *m, bool mask)
{
	bool first = true;

	put_key(w, "cookies");
	put_char(w, '[');
	for (size_t i = 0; i < m->header_count; i++) {
		struct bytes rest = m->headers[i].value;

		if (!bytes_equal_nocase(m->headers[i].name, bytes_str("set-cookie")))
			continue;
		put_pair(w, first, take_to(&rest, ';'), mask);
		while (rest.n)
			put_attribute(w, take_to(&rest, ';'));
		put_char(w, '}');
		first = false;
	}
	put_char(w, ']');
}

static void put_cut(struct put *w, const struct view_body *body)
{
	if (body->cut)
		put_str(w, ",\"comment\":\"only the first bytes were kept\"");
	else if (body->coded)
		put_str(w, ",\"comment\":\"the content coding could not be undone\"");
}

void har_post_data(struct put *w, const struct message *m, const struct har_options *o)
{
	struct bytes type = message_header(m, "content-type");
	struct view_body body;
	struct bytes text;

	put_key(w, "postData");
	put_str(w, "{\"mimeType\":");
	put_json(w, type);
	put_str(w, ",\"params\":[");
	view_body_init(&body, m, o->body_max);
	text = body.data;
	if (bytes_starts(type, bytes_str("application/x-www-form-urlencoded")))
		put_pairs(w, 0, text, '&', o->mask);
	put_str(w, "],\"text\":");
	if (o->mask) {
		put_str(w, "\"\"");
	} else if (view_is_text(&text, body.cut)) {
		put_json(w, text);
	} else {
		/* The format knows no encoding here; other tools do it like this. */
		put_char(w, '"');
		put_base64(w, body.data);
		put_str(w, "\",\"_encoding\":\"base64\"");
	}
	put_cut(w, &body);
	put_char(w, '}');
	view_body_fini(&body);
}

void har_content(struct put *w, const struct message *m, const struct har_options *o)
{
	struct bytes type = message_header(m, "content-type"), text;
	struct view_body body;
	bool decoded;

	view_body_init(&body, m, o->body_max);
	text = body.data;
	decoded = body.data.n && body.data.p != m->body.p && !body.cut;
	put_key(w, "content");
	put_str(w, "{\"size\":");
	put_u64(w, decoded ? body.data.n : m->body_bytes);
	if (decoded && body.data.n >= m->body_bytes) {
		put_key(w, "compression");
		put_u64(w, body.data.n - m->body_bytes);
	}
	put_key(w, "mimeType");
	put_json(w, type.n ? type : bytes_str("x-unknown"));
	if (body.data.n && !o->mask) {
		put_key(w, "text");
		if (view_is_text(&text, body.cut)) {
			put_json(w, text);
		} else {
			put_char(w, '"');
			put_base64(w, body.data);
			put_str(w, "\",\"encoding\":\"base64\"");
		}
		put_cut(w, &body);
	}
	put_char(w, '}');
	view_body_fini(&body);
}
