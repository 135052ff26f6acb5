#include "tap/session_part.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/rd.h"

#define CHAIN_MAX 32 /* certificates that are told of */
#define SENTENCE_MAX 300

static struct event event_of(const struct session *s, enum event_type type, enum flow_dir dir)
{
	return (struct event){ .type = type, .dir = session_role(s, dir), .depth = s->depth };
}

void tell_message(struct session *s, enum flow_dir dir, const struct ev_handshake_message *m,
		  struct tap_at at)
{
	struct event ev = event_of(s, EV_HANDSHAKE_MESSAGE, dir);

	ev.u.handshake_message = *m;
	tap_emit(s->flow, &ev, at);
}

/* The chain of a Certificate message (RFC 8446, 4.4.2; RFC 5246, 7.4.2); how many, or -1. */
static int chain_parse(struct bytes body, bool is_13, struct bytes out[CHAIN_MAX])
{
	bool bad = false;
	struct rd r = rd_init(body, &bad);
	int count = 0;

	if (is_13)
		(void)rd_vec8(&r);
	for (struct rd list = rd_vec24(&r); list.n;) {
		struct rd der = rd_vec24(&list);

		if (is_13)
			(void)rd_vec16(&list);
		if (count < CHAIN_MAX)
			out[count++] = rd_rest(&der);
	}
	rd_end(&r);
	return bad ? -1 : count;
}

bool tell_certificates(struct session *s, enum flow_dir dir, const struct handshake *m,
		       struct tap_at at)
{
	struct event ev = event_of(s, EV_CERT_CHAIN, dir);
	struct bytes der[CHAIN_MAX];
	int count;

	if (!event_bus_wants(s->flow->shared->bus, EV_CERT_CHAIN))
		return true;
	count = chain_parse(m->body, session_is_13(s), der);
	if (count <= 0)
		return count == 0;
	ev.u.cert_chain = (struct ev_cert_chain){
		.der = der,
		.count = (size_t)count,
		.verdict = CHAIN_UNCHECKED,
	};
	tap_emit(s->flow, &ev, at);
	return true;
}

void session_tell_alert(struct session *s, enum flow_dir dir, struct bytes body, struct tap_at at)
{
	struct event ev = event_of(s, EV_ALERT, dir);
	struct side *side = &s->sides[dir];
	uint8_t level, description;

	if (alert_parse(body, &level, &description, NULL) < 0)
		return;
	ev.u.alert = (struct ev_alert){ .level = level, .description = description };
	tap_emit(s->flow, &ev, at);
	if (description != ALERT_CLOSE_NOTIFY)
		return;
	side->closed = true;
	s->flow->closed |= s->sides[dir_other(dir)].closed;
	side->state = SIDE_OVER;
	s->moved = true;
	tell_above_end(s, dir, END_CLEAN, at);
}

void session_tell_secret(struct session *s, enum keylog_label label, enum flow_dir dir)
{
	struct event ev = event_of(s, EV_SECRET_SEEN, dir);

	if (s->labels_told & 1u << label)
		return;
	s->labels_told |= 1u << label;
	ev.u.secret_seen.label = bytes_str(keylog_label_name(label));
	tap_emit(s->flow, &ev, s->sides[dir].at);
}

void tell_gap(struct session *s, enum flow_dir dir, uint64_t n, struct tap_at at)
{
	struct event ev = event_of(s, EV_GAP, dir);

	if (n == 0)
		return;
	ev.u.gap.bytes = n;
	tap_emit(s->flow, &ev, at);
}

void tell_done(struct session *s, struct tap_at at)
{
	struct event ev = event_of(s, EV_HANDSHAKE_DONE, DIR_DOWN);

	if (s->done)
		return;
	s->done = true;
	ev.u.handshake_done = (struct ev_handshake_done){
		.version = s->version,
		.cipher = s->cipher,
		.group = s->group,
		.alpn = bytes_of(s->alpn, s->alpn_n),
		.resumed = s->resumed,
	};
	tap_emit(s->flow, &ev, at);
}

void tell_dark(struct session *s, enum dark_why why, struct tap_at at, const char *sentence, ...)
{
	char text[SENTENCE_MAX];
	va_list args;

	if (s->dark)
		return;
	s->dark = true;
	va_start(args, sentence);
	(void)vsnprintf(text, sizeof(text), sentence, args);
	va_end(args);
	tap_dark(s->flow, why, at, "%s", text);
}

static struct layer *above(struct session *s)
{
	if (s->above || s->above_failed || !s->make_above)
		return s->above;
	if (s->make_above(s->ctx, bytes_of(s->alpn, s->alpn_n), s->late, &s->above, NULL) < 0) {
		s->above = NULL;
		s->above_failed = true;
	}
	return s->above;
}

void tell_application(struct session *s, enum flow_dir dir, struct bytes plain, struct tap_at at)
{
	struct side *side = &s->sides[dir];
	struct layer *l;

	if (side->epoch == EPOCH_EARLY) {
		/* The server has not read it, and the client sends it again. */
		if (s->early_known && !s->early_accepted)
			return;
	} else if (!s->done) {
		tell_done(s, at);
	}
	if (plain.n == 0)
		return;
	l = above(s);
	if (l)
		layer_feed(l, session_role(s, dir), plain, at);
}

void tell_above_gap(struct session *s, enum flow_dir dir, uint64_t n, struct tap_at at)
{
	if (s->above && n)
		layer_gap(s->above, session_role(s, dir), n, s->sides[dir].seek.truncated, at);
}

void tell_above_end(struct session *s, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	struct side *side = &s->sides[dir];

	if (side->above_ended)
		return;
	side->above_ended = true;
	if (s->above)
		layer_end(s->above, session_role(s, dir), how, at);
}

const char *random_text(const struct session *s, char out[RANDOM_TEXT])
{
	(void)snprintf(out, RANDOM_TEXT, "%02x%02x%02x%02x…", s->client_random[0],
		       s->client_random[1], s->client_random[2], s->client_random[3]);
	return out;
}
