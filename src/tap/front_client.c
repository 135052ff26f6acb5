#include "tap/front_client.h"

#include "base/rd.h"
#include "wire/sniff.h"

#define TLS_HANDSHAKE 22
#define TLS_CLIENT_HELLO 1
#define TLS_SERVER_HELLO 2

/* Ports above those of the system that services have, where captures are read for their TLS. */
static const uint16_t services[] = {
	1080, 1194, 1433, 1521, 1883, 2376, 2379, 3000, 3128, 3269, 3306, 3389,	 4433,	4443,  5000,
	5061, 5222, 5223, 5269, 5349, 5432, 5671, 5672, 6379, 6443, 6514, 6697,	 8000,	8008,  8080,
	8081, 8443, 8880, 8883, 8888, 9000, 9090, 9092, 9093, 9200, 9443, 10250, 11211, 27017,
};

/* The less, the more it looks like a service's. */
static unsigned rank(uint16_t port)
{
	if (port < 1024)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(services); i++) {
		if (services[i] == port)
			return 1;
	}
	return port < 32768 ? 2 : 3; /* systems take those above for clients */
}

enum says { SAYS_NOTHING, SAYS_CLIENT, SAYS_SERVER };

static enum says content_says(struct bytes payload)
{
	bool bad = false;
	struct rd r = rd_init(payload, &bad);
	uint8_t type = rd_u8(&r), major = rd_u8(&r), message;

	rd_skip(&r, 3);
	message = rd_u8(&r);
	if (!bad && type == TLS_HANDSHAKE && major == 3 && message == TLS_CLIENT_HELLO)
		return SAYS_CLIENT;
	if (!bad && type == TLS_HANDSHAKE && major == 3 && message == TLS_SERVER_HELLO)
		return SAYS_SERVER;
	if (bytes_starts(payload, bytes_str("HTTP/1.")))
		return SAYS_SERVER;
	return sniff_first(payload) == SNIFF_HTTP ? SAYS_CLIENT : SAYS_NOTHING;
}

bool front_from_client(const struct packet_segment *s)
{
	unsigned src = rank(s->src.port), dst = rank(s->dst.port);

	if (s->flags & TCP_SYN)
		return !(s->flags & TCP_ACK);
	switch (content_says(s->payload)) {
	case SAYS_CLIENT:
		return true;
	case SAYS_SERVER:
		return false;
	default:
		break;
	}
	if (src != dst && (!s->udp || src < 2 || dst < 2))
		return src > dst;
	/* Who speaks first asks, as a rule. */
	if (s->udp)
		return true;
	/* Linux gives even ports to who connects, and odd ones to who listens on any. */
	if (src == 3 && (s->src.port ^ s->dst.port) & 1)
		return !(s->src.port & 1);
	return s->src.port >= s->dst.port;
}
