#include "flow/view.h"

#include "base/escape.h"
#include "flow/diagnose.h"
#include "http/body.h"

void put_view(struct put *w, struct mask m, enum view_form form)
{
	struct bytes part;

	while (mask_next(&m, &part)) {
		if (form == VIEW_RAW)
			put_bytes(w, part);
		else if (form == VIEW_ESCAPED)
			put_escaped(w, part);
		else
			put_json_part(w, part);
	}
}

static void put_url_part(struct put *w, struct bytes part, bool mask, enum view_form form)
{
	put_view(w, mask ? mask_url(part) : mask_none(part), form);
}

void put_url(struct put *w, const struct exchange *x, bool mask, enum view_form form)
{
	/* CONNECT has no path, and OPTIONS may ask for "*": the server as a whole. */
	bool whole = bytes_equal(x->path, bytes_str("*"));

	if (x->scheme.n && x->path.n) {
		put_view(w, mask_none(x->scheme), form);
		put_str(w, "://");
	}
	put_url_part(w, x->authority, mask, form);
	if (!whole && x->path.n && x->path.p[0] != '/')
		put_char(w, '/');
	if (!whole)
		put_url_part(w, x->path, mask, form);
}

void put_header_value(struct put *w, const struct flow_header *h, bool mask, enum view_form form)
{
	put_view(w, mask ? mask_header(h->name, h->value) : mask_none(h->value), form);
}

void put_http_version(struct put *w, const struct exchange *x)
{
	put_u64(w, x->version_major);
	if (x->version_major < 2) {
		put_char(w, '.');
		put_u64(w, x->version_minor);
	}
}

void put_target(struct put *w, const struct flow_info *f, enum view_form form)
{
	bool brackets =
		bytes_index(f->target_host, ':') < f->target_host.n && f->target_host.p[0] != '[';

	if (brackets)
		put_char(w, '[');
	put_view(w, mask_none(f->target_host), form);
	if (brackets)
		put_char(w, ']');
	if (f->target_port) {
		put_char(w, ':');
		put_u64(w, f->target_port);
	}
}

static void undo_coding(struct view_body *v, struct bytes coding, size_t max)
{
	enum body_status status = BODY_DONE;
	struct bytes as_sent = v->data;

	v->room = buf_init(max);
	if (coding.n && !bytes_equal_nocase(coding, bytes_str("identity")) && as_sent.n) {
		if (body_decode(coding, as_sent, &v->room, &status, NULL) < 0) {
			v->coded = true;
		} else {
			v->data = buf_bytes(&v->room);
			v->cut |= status == BODY_CUT || status == BODY_MORE;
			/* Nothing came out: it is not in this coding. */
			v->coded = status == BODY_BAD && v->data.n == 0;
			if (v->coded)
				v->data = as_sent;
		}
	}
	v->cut |= v->data.n > max;
	v->data = bytes_slice(v->data, 0, max);
}

void view_body_init(struct view_body *v, const struct message *m, size_t max)
{
	*v = (struct view_body){ .data = m->body, .cut = m->body_cut };
	undo_coding(v, message_header(m, "content-encoding"), max);
}

void view_message_init(struct view_body *v, const struct flow_message *m, size_t max)
{
	*v = (struct view_body){ .data = m->data, .cut = m->bytes > m->data.n };
	undo_coding(v, m->coding, max);
}

void view_body_fini(struct view_body *v)
{
	buf_fini(&v->room);
}

bool view_is_text(struct bytes *text, bool cut)
{
	struct bytes rest = *text;
	uint32_t cp = 0;

	while (rest.n) {
		size_t n = rest.p[0] < 0x80 ? 1 : utf8_length(rest, &cp);

		if (n == 0 && cut && rest.n < 4 && rest.p[0] >= 0xc2) {
			text->n -= rest.n;
			return true;
		}
		if (n == 0 || (rest.p[0] < 0x20 && !memchr("\t\r\n", rest.p[0], 3)) ||
		    rest.p[0] == 0x7f)
			return false;
		rest = bytes_slice(rest, n, rest.n);
	}
	return true;
}

void put_flow(struct put *w, uint64_t flow)
{
	if (flow & FLOW_UDP)
		put_char(w, 'u');
	put_u64(w, flow & ~FLOW_UDP);
}

void put_exchange_name(struct put *w, uint64_t flow, uint64_t index)
{
	put_flow(w, flow);
	put_char(w, '.');
	put_u64(w, index);
}

const char *flow_state_text(const struct flow_info *f)
{
	const struct leg_info *leg = &f->leg[LEG_CLIENT];

	if (!f->ended || f->capture.open || !leg->ended)
		return "open";
	return leg->end == END_CLEAN ? "complete" : leg_end_text(leg->end);
}

const char *flow_sight_text(const struct flow_info *f)
{
	if (!f->capture.encrypted)
		return "plain";
	if (!f->capture.darks)
		return "decrypted";
	/* Bytes of UDP are counted as they are. */
	if (f->flow & FLOW_UDP)
		return "dark";
	return f->bytes_up || f->bytes_down || f->exchanges ? "partly" : "dark";
}

struct bytes view_reason(const struct flow_info *f, char *room, size_t size)
{
	struct diagnosis d;

	if (f->reason.n || !f->failure)
		return f->reason;
	d = diagnosis_of(f);
	return bytes_str(diagnose_to(room, size, &d));
}

const char *ws_opcode_text(unsigned opcode)
{
	switch (opcode) {
	case 1:
		return "text";
	case 2:
		return "binary";
	case 8:
		return "close";
	case 9:
		return "ping";
	case 10:
		return "pong";
	default:
		return "message";
	}
}
