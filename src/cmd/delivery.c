#include "cmd/delivery.h"

#include "base/rd.h"
#include "base/wr.h"

static void vec_write(struct wr *w, struct bytes b)
{
	struct wr_mark m = wr_open(w, 3);

	wr_bytes(w, b);
	wr_close(w, m);
}

void delivery_addr_write(struct wr *w, const struct addr *a)
{
	wr_u8(w, (uint8_t)a->family);
	wr_bytes(w, bytes_of(a->ip, sizeof(a->ip)));
	wr_u16(w, a->port);
	wr_u32(w, a->scope);
}

struct addr delivery_addr_read(struct rd *r)
{
	struct addr a = { .family = (enum addr_family)rd_u8(r) };
	struct bytes ip = rd_take(r, sizeof(a.ip));

	if (ip.n)
		memcpy(a.ip, ip.p, ip.n);
	a.port = rd_u16(r);
	a.scope = rd_u32(r);
	*r->bad |= a.family > ADDR_IP6;
	return a;
}

static void addrs_write(struct wr *w, const struct addr *list, size_t count)
{
	wr_u16(w, (uint16_t)count);
	for (size_t i = 0; i < count; i++)
		delivery_addr_write(w, &list[i]);
}

int delivery_write(const struct delivery *d, struct buf *out, struct err *e)
{
	struct wr w = wr_init(out);

	vec_write(&w, d->config);
	vec_write(&w, d->system_roots);
	vec_write(&w, d->bump_cert);
	vec_write(&w, d->hosts_file);
	vec_write(&w, d->settings);
	wr_u16(&w, (uint16_t)d->asset_count);
	for (size_t i = 0; i < d->asset_count; i++)
		vec_write(&w, d->assets[i]);
	addrs_write(&w, d->listeners, d->listener_count);
	addrs_write(&w, d->own, d->own_count);
	wr_u32(&w, d->utc_offset_s);
	wr_u8(&w, d->terminal);
	wr_u16(&w, d->width);
	return wr_end(&w, e);
}

static struct bytes vec_read(struct rd *r)
{
	struct rd part = rd_vec24(r);

	return rd_rest(&part);
}

static size_t addrs_read(struct rd *r, struct addr *list)
{
	size_t count = rd_u16(r);

	if (count > DELIVERY_ADDRS_MAX) {
		*r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		list[i] = delivery_addr_read(r);
	return count;
}

int delivery_parse(struct bytes b, struct delivery *out, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(b, &bad);

	*out = (struct delivery){ .config = vec_read(&r) };
	out->system_roots = vec_read(&r);
	out->bump_cert = vec_read(&r);
	out->hosts_file = vec_read(&r);
	out->settings = vec_read(&r);
	out->asset_count = rd_u16(&r);
	if (out->asset_count > DELIVERY_ASSETS_MAX)
		return FAIL(e, WIRE_DECODE, "more than %d files", DELIVERY_ASSETS_MAX);
	for (size_t i = 0; i < out->asset_count; i++)
		out->assets[i] = vec_read(&r);
	out->listener_count = addrs_read(&r, out->listeners);
	out->own_count = addrs_read(&r, out->own);
	out->utc_offset_s = rd_u32(&r);
	out->terminal = rd_u8(&r) == 1;
	out->width = rd_u16(&r);
	rd_end(&r);
	return bad ? FAIL(e, WIRE_DECODE, "a malformed delivery of %zu bytes", b.n) : 0;
}
