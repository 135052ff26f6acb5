#include "http/message.h"

const struct bytes *http_find(const struct http_header *headers, size_t count, const char *name)
{
	struct bytes wanted = bytes_str(name);

	for (size_t i = 0; i < count; i++)
		if (bytes_equal_nocase(headers[i].name, wanted))
			return &headers[i].value;
	return NULL;
}

bool http_has_token(struct bytes list, const char *token)
{
	struct bytes wanted = bytes_str(token);

	while (list.n) {
		size_t comma = bytes_index(list, ',');

		if (bytes_equal_nocase(bytes_trim(bytes_slice(list, 0, comma)), wanted))
			return true;
		list = bytes_slice(list, comma + 1, list.n);
	}
	return false;
}

bool http_is_token(struct bytes b)
{
	static const char others[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < b.n; i++) {
		uint8_t c = b.p[i], lower = c | 0x20;

		if ((c < '0' || c > '9') && (lower < 'a' || lower > 'z') &&
		    !memchr(others, c, sizeof(others) - 1))
			return false;
	}
	return b.n > 0;
}

bool http_is_value(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		if ((b.p[i] < 0x20 && b.p[i] != '\t') || b.p[i] == 0x7f)
			return false;
	return true;
}
