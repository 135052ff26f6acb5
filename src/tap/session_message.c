#include "tap/session_part.h"

#include "base/rd.h"
#include "wire/client_hello.h"
#include "wire/server_hello.h"

/* Can it be read as what it says it is? */
static bool reads(const struct handshake *m)
{
	struct client_hello client;
	struct server_hello server;
	struct encrypted_extensions extensions;

	switch (m->type) {
	case HANDSHAKE_CLIENT_HELLO:
		return client_hello_parse(m->raw, &client, NULL, NULL) == 0;
	case HANDSHAKE_SERVER_HELLO:
		return server_hello_parse(m->raw, &server, NULL, NULL) == 0;
	case HANDSHAKE_ENCRYPTED_EXTENSIONS:
		return encrypted_extensions_parse(m->raw, &extensions, NULL, NULL) == 0;
	default:
		return true;
	}
}

static void on_finished(struct session *s, enum flow_dir dir, struct tap_at at)
{
	s->sides[dir].finished = true;
	if (session_is_13(s))
		session_finished_13(s, dir);
	if (s->sides[dir_other(dir)].finished)
		tell_done(s, at);
}

static void on_13(struct session *s, enum flow_dir dir, const struct handshake *m)
{
	switch (m->type) {
	case HANDSHAKE_ENCRYPTED_EXTENSIONS:
		session_extensions(s, m);
		break;
	case HANDSHAKE_END_OF_EARLY_DATA:
		session_early_end(s);
		break;
	case HANDSHAKE_KEY_UPDATE:
		session_key_update(s, dir);
		break;
	default:
		break;
	}
}

static void on_message(struct session *s, enum flow_dir dir, const struct handshake *m,
		       bool encrypted, struct tap_at at)
{
	if (event_bus_wants(s->flow->shared->bus, EV_HANDSHAKE_MESSAGE)) {
		const struct ev_handshake_message ev = {
			.content = RECORD_HANDSHAKE,
			.type = m->type,
			.encrypted = encrypted,
			.bad = !reads(m),
			.raw = m->raw,
		};

		tell_message(s, dir, &ev, at);
	}
	if (m->type == HANDSHAKE_CLIENT_HELLO && dir == DIR_UP)
		session_client_hello(s, m, at);
	else if (m->type == HANDSHAKE_SERVER_HELLO && dir == DIR_DOWN)
		session_server_hello(s, m, at);
	else if (session_is_13(s))
		on_13(s, dir, m);
	if (s->old)
		session_message_12(s, dir, m, at);
	if (m->type == HANDSHAKE_CERTIFICATE)
		tell_certificates(s, dir, m, at);
	else if (m->type == HANDSHAKE_FINISHED)
		on_finished(s, dir, at);
}

/* After a loss: do messages begin here, and end where the record does? */
static bool is_whole(struct bytes in)
{
	struct handshake m;

	while (in.n) {
		if (handshake_next(in, SESSION_MESSAGES_MAX, &m) != HANDSHAKE_DONE ||
		    strcmp(handshake_type_name(m.type), "unknown") == 0)
			return false;
		in = bytes_slice(in, m.raw.n, in.n);
	}
	return true;
}

/* The messages that are whole; what is left. */
static struct bytes take_messages(struct session *s, enum flow_dir dir, struct bytes in,
				  bool encrypted)
{
	struct side *side = &s->sides[dir];
	struct handshake m;

	while (in.n && side->state != SIDE_DARK) {
		enum handshake_outcome outcome = handshake_next(in, SESSION_MESSAGES_MAX, &m);

		if (outcome == HANDSHAKE_TOO_LONG) {
			side->broken = true;
			return (struct bytes){ 0 };
		}
		if (outcome == HANDSHAKE_MORE)
			break;
		on_message(s, dir, &m, encrypted, side->at);
		in = bytes_slice(in, m.raw.n, in.n);
	}
	return in;
}

void session_messages(struct session *s, enum flow_dir dir, struct bytes in, bool encrypted,
		      struct tap_at at)
{
	struct side *side = &s->sides[dir];
	struct bytes rest;

	side->at = at;
	if (side->broken) {
		if (!is_whole(in))
			return;
		side->broken = false;
	}
	if (side->messages.n == 0) {
		rest = take_messages(s, dir, in, encrypted);
		if (rest.n && buf_add(&side->messages, rest, NULL) < 0)
			side->broken = true;
		return;
	}
	if (buf_add(&side->messages, in, NULL) < 0) {
		side->broken = true;
		buf_clear(&side->messages);
		return;
	}
	rest = take_messages(s, dir, buf_bytes(&side->messages), encrypted);
	buf_take(&side->messages, side->messages.n - rest.n);
	buf_shrink(&side->messages);
}
