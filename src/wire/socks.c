#include "wire/socks.h"

#include "base/rd.h"

enum { ATYP_IP4 = 1, ATYP_DOMAIN = 3, ATYP_IP6 = 4 };

static enum socks_outcome bad_version(uint8_t version, unsigned want, const char *what,
				      struct err *e)
{
	FAIL(e, WIRE_DECODE, "SOCKS %s of version %u, not %u", what, version, want);
	return SOCKS_BAD;
}

enum socks_outcome socks_greeting_parse(struct bytes in, struct socks_greeting *out, size_t *used,
					struct err *e)
{
	bool more = false;
	struct rd r = rd_init(in, &more);
	struct socks_greeting greeting = { 0 };
	uint8_t version = rd_u8(&r);

	if (!more && version != 5)
		return bad_version(version, 5, "greeting", e);
	struct rd methods = rd_vec8(&r);
	if (more)
		return SOCKS_MORE;
	*used = in.n - r.n;
	while (methods.n) {
		uint8_t method = rd_u8(&methods);

		greeting.no_auth |= method == SOCKS_NO_AUTH;
		greeting.password |= method == SOCKS_PASSWORD;
	}
	*out = greeting;
	return SOCKS_DONE;
}

enum socks_outcome socks_password_parse(struct bytes in, struct socks_password *out, size_t *used,
					struct err *e)
{
	bool more = false;
	struct rd r = rd_init(in, &more);
	struct socks_password password = { 0 };
	uint8_t version = rd_u8(&r);

	if (!more && version != 1)
		return bad_version(version, 1, "user name and password", e);
	password.user = rd_take(&r, rd_u8(&r));
	password.password = rd_take(&r, rd_u8(&r));
	if (more)
		return SOCKS_MORE;
	*used = in.n - r.n;
	*out = password;
	return SOCKS_DONE;
}

static enum socks_outcome refuse(enum socks_reply which, enum socks_reply *reply)
{
	*reply = which;
	return SOCKS_BAD;
}

/* An address as in RFC 1928, 5; IPv4 mapped into IPv6 becomes IPv4 by way of its text. */
static bool set_addr(struct bytes ip, struct host *host)
{
	struct addr a = { .family = ip.n == 4 ? ADDR_IP4 : ADDR_IP6 };
	char text[ADDR_TEXT_MAX];

	memcpy(a.ip, ip.p, ip.n);
	host->kind = HOST_ADDR;
	return addr_parse_ip(bytes_str(addr_ip_text(&a, text)), 0, &host->addr);
}

static enum socks_outcome set_host(uint8_t type, struct bytes where, uint16_t port,
				   struct host *host, struct err *e)
{
	if (type == ATYP_DOMAIN) {
		/* Some clients send a literal address as a domain. */
		if (host_parse(where, port, host, e) < 0)
			return SOCKS_BAD;
	} else if (!set_addr(where, host)) {
		FAIL(e, WIRE_DECODE, "SOCKS request: an address that cannot be");
		return SOCKS_BAD;
	}
	host->port = host->addr.port = port;
	return SOCKS_DONE;
}

static struct bytes take_where(uint8_t type, struct rd *r)
{
	switch (type) {
	case ATYP_IP4:
		return rd_take(r, 4);
	case ATYP_IP6:
		return rd_take(r, 16);
	default:
		return rd_take(r, rd_u8(r));
	}
}

enum socks_outcome socks_request_parse(struct bytes in, struct socks_request *out, size_t *used,
				       enum socks_reply *reply, struct err *e)
{
	bool more = false;
	struct rd r = rd_init(in, &more);
	struct socks_request request = { 0 };
	uint8_t version = rd_u8(&r), type;

	*reply = SOCKS_FAILURE;
	if (!more && version != 5)
		return bad_version(version, 5, "request", e);
	request.command = rd_u8(&r);
	if (!more && (request.command < SOCKS_CONNECT || request.command > SOCKS_UDP_ASSOCIATE)) {
		FAIL(e, WIRE_DECODE, "SOCKS request with command %u", request.command);
		return refuse(SOCKS_BAD_COMMAND, reply);
	}
	rd_skip(&r, 1); /* reserved; some clients do not send zero */
	type = rd_u8(&r);
	if (!more && type != ATYP_IP4 && type != ATYP_DOMAIN && type != ATYP_IP6) {
		FAIL(e, WIRE_DECODE, "SOCKS request with address type %u", type);
		return refuse(SOCKS_BAD_ADDRESS, reply);
	}
	struct bytes where = take_where(type, &r);
	uint16_t port = rd_u16(&r);
	if (more)
		return SOCKS_MORE;
	if (set_host(type, where, port, &request.host, e) == SOCKS_BAD)
		return refuse(SOCKS_BAD_ADDRESS, reply);
	if (request.command == SOCKS_CONNECT && port == 0) {
		FAIL(e, WIRE_DECODE, "SOCKS request for port 0");
		return SOCKS_BAD;
	}
	*used = in.n - r.n;
	*out = request;
	return SOCKS_DONE;
}

void socks_method_write(enum socks_method method, uint8_t out[SOCKS_METHOD_SIZE])
{
	out[0] = 5;
	out[1] = (uint8_t)method;
}

void socks_password_write(bool accepted, uint8_t out[SOCKS_STATUS_SIZE])
{
	out[0] = 1;
	out[1] = accepted ? 0 : 1;
}

size_t socks_reply_write(enum socks_reply reply, const struct addr *bound,
			 uint8_t out[SOCKS_REPLY_MAX])
{
	static const struct addr none = { .family = ADDR_IP4 };
	const struct addr *a = bound && bound->family != ADDR_NONE ? bound : &none;
	struct bytes ip = addr_ip(a);

	out[0] = 5;
	out[1] = (uint8_t)reply;
	out[2] = 0;
	out[3] = a->family == ADDR_IP4 ? ATYP_IP4 : ATYP_IP6;
	memcpy(out + 4, ip.p, ip.n);
	out[4 + ip.n] = (uint8_t)(a->port >> 8);
	out[5 + ip.n] = (uint8_t)a->port;
	return 6 + ip.n;
}

const char *socks_reply_text(uint8_t reply)
{
	static const char *const texts[] = {
		[SOCKS_SUCCEEDED] = "succeeded",
		[SOCKS_FAILURE] = "general failure",
		[SOCKS_NOT_ALLOWED] = "not allowed by the rules",
		[SOCKS_NETWORK_UNREACHABLE] = "network unreachable",
		[SOCKS_HOST_UNREACHABLE] = "host unreachable",
		[SOCKS_REFUSED] = "connection refused",
		[SOCKS_TTL_EXPIRED] = "time to live expired",
		[SOCKS_BAD_COMMAND] = "command not supported",
		[SOCKS_BAD_ADDRESS] = "address type not supported",
	};

	return reply < ARRAY_LEN(texts) ? texts[reply] : "unassigned";
}

void socks4_refusal_write(uint8_t out[SOCKS4_REPLY_SIZE])
{
	memset(out, 0, SOCKS4_REPLY_SIZE);
	out[1] = 91;
}
