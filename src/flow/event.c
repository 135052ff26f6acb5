#include "flow/event.h"

#define TEXT_OF(table, i) ((size_t)(i) < ARRAY_LEN(table) ? table[i] : "unknown")

const char *flow_proto_text(enum flow_proto p)
{
	static const char *const text[] = {
		[PROTO_UNKNOWN] = "unknown",	 [PROTO_HTTP1] = "http1", [PROTO_HTTP2] = "http2",
		[PROTO_WEBSOCKET] = "websocket", [PROTO_GRPC] = "grpc",	  [PROTO_BYTES] = "bytes",
	};

	return TEXT_OF(text, p);
}

const char *flow_way_text(enum flow_way w)
{
	static const char *const text[] = {
		[WAY_CONNECT] = "connect", [WAY_HTTP] = "http",		[WAY_SOCKS5] = "socks5",
		[WAY_TLS] = "tls",	   [WAY_REDIRECT] = "redirect", [WAY_TPROXY] = "tproxy",
		[WAY_CAPTURE] = "capture",
	};

	return TEXT_OF(text, w);
}

const char *flow_action_text(enum flow_action a)
{
	static const char *const text[] = {
		[ACTION_UNDECIDED] = "undecided", [ACTION_BUMP] = "bump",
		[ACTION_SPLICE] = "splice",	  [ACTION_BLOCK] = "block",
		[ACTION_PLAIN] = "plain",
	};

	return TEXT_OF(text, a);
}

const char *leg_end_text(enum leg_end e)
{
	static const char *const text[] = {
		[END_CLEAN] = "clean",	   [END_TRUNCATED] = "truncated", [END_RESET] = "reset",
		[END_TIMEOUT] = "timeout", [END_REFUSED] = "refused",	  [END_LOCAL] = "local",
	};

	return TEXT_OF(text, e);
}

const char *chain_verdict_text(enum chain_verdict v)
{
	static const char *const text[] = {
		[CHAIN_UNCHECKED] = "unchecked",
		[CHAIN_OK] = "ok",
		[CHAIN_EXPIRED] = "expired",
		[CHAIN_NOT_YET_VALID] = "not-yet-valid",
		[CHAIN_WRONG_NAME] = "wrong-name",
		[CHAIN_UNKNOWN_ISSUER] = "unknown-issuer",
		[CHAIN_SELF_SIGNED] = "self-signed",
		[CHAIN_INCOMPLETE] = "incomplete",
		[CHAIN_WRONG_PURPOSE] = "wrong-purpose",
		[CHAIN_WEAK] = "weak",
		[CHAIN_UNREADABLE] = "unreadable",
		[CHAIN_OTHER] = "other",
	};

	return TEXT_OF(text, v);
}

const char *dark_why_text(enum dark_why w)
{
	static const char *const text[] = {
		[DARK_NO_SECRET] = "no-secret",
		[DARK_TAG] = "tag",
		[DARK_NO_HANDSHAKE] = "no-handshake",
		[DARK_CIPHER] = "cipher",
		[DARK_TRUNCATED] = "truncated",
		[DARK_GAP] = "gap",
		[DARK_BUDGET] = "budget",
		[DARK_MALFORMED] = "malformed",
		[DARK_QUIC] = "quic",
		[DARK_DTLS] = "dtls",
	};

	return TEXT_OF(text, w);
}

int event_bus_add(struct event_bus *bus, struct event_sink sink, struct err *e)
{
	if (bus->count == EVENT_SINKS_MAX)
		return FAIL(e, LIMIT, "an event bus has room for %d consumers", EVENT_SINKS_MAX);
	bus->sinks[bus->count++] = sink;
	bus->mask |= sink.mask;
	return 0;
}

void event_bus_emit(const struct event_bus *bus, const struct event *ev)
{
	if (!event_bus_wants(bus, ev->type))
		return;
	for (size_t i = 0; i < bus->count; i++)
		if (bus->sinks[i].mask & EV_BIT(ev->type))
			bus->sinks[i].on_event(bus->sinks[i].ctx, ev);
}
