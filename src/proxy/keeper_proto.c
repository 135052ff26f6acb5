#include "proxy/keeper_proto.h"

#include "base/rd.h"
#include "base/wr.h"

int keeper_message_write(const struct keeper_message *m, struct buf *out, struct err *e)
{
	struct wr w = wr_init(out);
	struct wr_mark mark;

	wr_u8(&w, (uint8_t)m->type);
	wr_u32(&w, m->id);
	wr_u8(&w, (uint8_t)m->mode);
	wr_u32(&w, m->key_id);
	wr_u8(&w, (uint8_t)m->kind);
	wr_u8(&w, m->temporary);
	mark = wr_open(&w, 1);
	wr_bytes(&w, m->name);
	wr_close(&w, mark);
	mark = wr_open(&w, 3);
	wr_bytes(&w, m->der);
	wr_close(&w, mark);
	mark = wr_open(&w, 2);
	wr_bytes(&w, m->text);
	wr_close(&w, mark);
	return wr_end(&w, e);
}

int keeper_message_parse(struct bytes b, struct keeper_message *out, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(b, &bad), part;
	struct keeper_message m = { 0 };
	uint8_t temporary;

	m.type = (enum keeper_message_type)rd_u8(&r);
	m.id = rd_u32(&r);
	m.mode = (enum mint_mode)rd_u8(&r);
	m.key_id = rd_u32(&r);
	m.kind = (enum key_kind)rd_u8(&r);
	temporary = rd_u8(&r);
	m.temporary = temporary;
	part = rd_vec8(&r);
	m.name = rd_rest(&part);
	part = rd_vec24(&r);
	m.der = rd_rest(&part);
	part = rd_vec16(&r);
	m.text = rd_rest(&part);
	rd_end(&r);
	bad |= m.type < KEEPER_MINT || m.type > KEEPER_REFUSED || m.mode > MINT_TWIN ||
	       m.kind >= KEY_KIND_COUNT || temporary > 1;
	if (bad)
		return FAIL(e, WIRE_DECODE,
			    "a malformed message of %zu bytes between worker and keeper", b.n);
	*out = m;
	return 0;
}
