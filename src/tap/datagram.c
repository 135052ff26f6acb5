#include "tap/datagram.h"

#include "base/rd.h"

#define QUIC_LONG_FIXED 0xc0 /* header form and fixed bit */
#define QUIC_V1 0x00000001u
#define QUIC_V2 0x6b3343cfu
#define QUIC_DRAFT 0xff0000u /* in the upper three bytes */
#define QUIC_ID_MAX 20

static bool is_quic(struct bytes b)
{
	bool bad = false;
	struct rd r = rd_init(b, &bad);
	uint8_t first = rd_u8(&r);
	uint32_t version = rd_u32(&r);
	uint8_t id_n = rd_u8(&r);

	rd_skip(&r, id_n);
	if (rd_u8(&r) > QUIC_ID_MAX || id_n > QUIC_ID_MAX || bad)
		return false;
	return (first & QUIC_LONG_FIXED) == QUIC_LONG_FIXED &&
	       (version == QUIC_V1 || version == QUIC_V2 || version >> 8 == QUIC_DRAFT);
}

static bool is_dtls(struct bytes b)
{
	bool bad = false;
	struct rd r = rd_init(b, &bad);
	uint8_t type = rd_u8(&r);
	uint16_t version = rd_u16(&r);
	uint16_t epoch = rd_u16(&r);
	struct bytes body;

	rd_skip(&r, 6); /* sequence number */
	body = rd_take(&r, rd_u16(&r));
	if (bad || body.n == 0)
		return false;
	/* A flow begins with a hello; its first record in plaintext is of epoch 0. */
	return type >= 20 && type <= 25 &&
	       (version == 0xfeff || version == 0xfefd || version == 0x0100) && epoch <= 1;
}

enum datagram datagram_sniff(struct bytes payload)
{
	if (is_quic(payload))
		return DATAGRAM_QUIC;
	return is_dtls(payload) ? DATAGRAM_DTLS : DATAGRAM_OTHER;
}
