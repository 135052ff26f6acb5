#include "wire/extension.h"

#include "base/rd.h"

bool codes_have(struct bytes list, uint16_t code)
{
	for (size_t i = 0; i < codes_count(list); i++) {
		if (codes_get(list, i) == code)
			return true;
	}
	return false;
}

size_t codes_copy(struct bytes list, uint16_t *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < codes_count(list) && n < max; i++) {
		uint16_t code = codes_get(list, i);

		if (!code_is_grease(code))
			out[n++] = code;
	}
	return n;
}

bool extension_next(struct bytes *list, struct extension *out)
{
	bool bad = false;
	struct rd r = rd_init(*list, &bad);
	struct extension ext = { 0 };

	if (list->n == 0)
		return false;
	ext.type = rd_u16(&r);
	ext.body = rd_take(&r, rd_u16(&r));
	*list = rd_rest(&r);
	if (bad)
		return false;
	*out = ext;
	return true;
}

bool alpn_next(struct bytes *list, struct bytes *name)
{
	bool bad = false;
	struct rd r = rd_init(*list, &bad);

	if (list->n == 0)
		return false;
	struct bytes val = rd_take(&r, rd_u8(&r));
	*list = rd_rest(&r);
	if (bad)
		return false;
	*name = val;
	return true;
}

bool alpn_has(struct bytes list, struct bytes name)
{
	struct bytes each;

	while (alpn_next(&list, &each)) {
		if (bytes_equal(each, name))
			return true;
	}
	return false;
}

int alpn_check(struct bytes list, struct err *e)
{
	bool bad = list.n == 0;
	struct rd r = rd_init(list, &bad);

	while (r.n) {
		if (rd_take(&r, rd_u8(&r)).n == 0)
			bad = true;
	}
	if (bad)
		return FAIL(e, TLS_DECODE, "a malformed list of application protocols (ALPN)");
	return 0;
}

bool key_share_next(struct bytes *list, uint16_t *group, struct bytes *key)
{
	bool bad = false;
	struct rd r = rd_init(*list, &bad);

	if (list->n == 0)
		return false;
	uint16_t g = rd_u16(&r);
	struct bytes k = rd_take(&r, rd_u16(&r));
	*list = rd_rest(&r);
	if (bad)
		return false;
	*group = g;
	*key = k;
	return true;
}
