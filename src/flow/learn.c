#include "flow/learn.h"

#include "wire/packet.h"
#include "wire/record.h"

#define NAME_MAX_BYTES 255
#define TEXT_MAX_BYTES 512

static void on_client_hello(struct flow_slot *f, const struct event *ev)
{
	const struct ev_client_hello *h = &ev->u.client_hello;

	if (ev->depth > f->info.capture.depth)
		f->info.capture.depth = ev->depth;
	if (!ev->depth)
		f->info.leg[ev->leg].hello_ns = ev->mono_ns;
	if (ev->leg != LEG_CLIENT)
		return;
	if (ev->depth) {
		flow_slot_set(f, &f->info.capture.inner_sni, h->sni, NAME_MAX_BYTES);
		return;
	}
	/* A renegotiation may leave the name out, which was said already. */
	if (h->sni.n || !f->info.hello_seen || f->info.way != WAY_CAPTURE)
		flow_slot_set(f, &f->info.sni, h->sni, NAME_MAX_BYTES);
	f->info.hello_seen = true;
	f->info.offered_version = h->version;
	flow_slot_set(f, &f->info.ja4, h->ja4, 64);
}

static void on_server_hello(struct flow_slot *f, const struct event *ev)
{
	const struct ev_server_hello *h = &ev->u.server_hello;
	struct leg_info *leg = &f->info.leg[ev->leg];

	if (ev->depth)
		return;
	if (h->version)
		leg->version = h->version;
	leg->cipher = h->cipher;
	leg->group = h->group;
	leg->resumed = h->resumed;
	flow_slot_set(f, &leg->alpn, h->alpn, NAME_MAX_BYTES);
}

static void on_cert_chain(struct flow_slot *f, const struct event *ev)
{
	if (ev->depth)
		return;
	f->info.verdict = ev->u.cert_chain.verdict;
	flow_slot_set(f, &f->info.verdict_reason, ev->u.cert_chain.reason, TEXT_MAX_BYTES);
}

static void on_handshake_done(struct flow_slot *f, const struct event *ev)
{
	const struct ev_handshake_done *h = &ev->u.handshake_done;
	struct leg_info *leg = &f->info.leg[ev->leg];

	f->info.capture.encrypted = true;
	if (ev->depth)
		return;
	leg->version = h->version;
	leg->cipher = h->cipher;
	leg->group = h->group;
	leg->resumed = h->resumed;
	leg->local = h->local;
	leg->remote = h->remote;
	if (h->took_ns)
		leg->handshake_ns = h->took_ns;
	else if (leg->hello_ns && ev->mono_ns > leg->hello_ns)
		leg->handshake_ns = ev->mono_ns - leg->hello_ns;
	flow_slot_set(f, &leg->alpn, h->alpn, NAME_MAX_BYTES);
	flow_slot_set(f, &leg->issuer, h->issuer, TEXT_MAX_BYTES);
}

static void on_alert(struct flow_slot *f, const struct event *ev)
{
	struct leg_info *leg = &f->info.leg[ev->leg];

	/* close_notify is the ordinary end, and must not hide what came before it. */
	if (ev->u.alert.description == 0)
		return;
	leg->alert_seen = true;
	leg->alert_sent = ev->u.alert.sent;
	leg->alert_level = ev->u.alert.level;
	leg->alert = ev->u.alert.description;
}

static void on_gap(struct flow_slot *f, const struct event *ev)
{
	f->info.gap_bytes += ev->u.gap.bytes;
}

static void on_dark(struct flow_slot *f, const struct event *ev)
{
	struct capture_info *c = &f->info.capture;

	c->encrypted = true;
	if (c->darks++)
		return;
	c->why = ev->u.dark.why;
	flow_slot_set(f, &f->info.dark, ev->u.dark.reason, TEXT_MAX_BYTES);
}

static void on_leg_end(struct flow_slot *f, const struct event *ev)
{
	struct leg_info *leg = &f->info.leg[ev->leg];

	leg->ended = true;
	leg->end = ev->u.leg_end.how;
	flow_slot_set(f, &leg->end_reason, ev->u.leg_end.reason, TEXT_MAX_BYTES);
}

/* Either SYN: the other may have been lost. */
static void on_tcp(struct flow_slot *f, const struct event *ev)
{
	if (ev->u.tcp.flags & TCP_SYN)
		f->info.capture.mid = false;
}

static void on_handshake_message(struct flow_slot *f, const struct event *ev)
{
	const struct ev_handshake_message *m = &ev->u.handshake_message;

	f->info.capture.encrypted |= m->encrypted;
	if (m->content == RECORD_HANDSHAKE && m->type < 64)
		f->info.capture.handshake_types |= UINT64_C(1) << m->type;
}

static void on_note(struct flow_slot *f, const struct event *ev)
{
	if (f->info.capture.notes++ == 0)
		flow_slot_set(f, &f->info.capture.note, ev->u.note.text, TEXT_MAX_BYTES);
}

static void on_process(struct flow_slot *f, const struct event *ev)
{
	const struct ev_process *p = &ev->u.process;

	if (ev->dir == DIR_UP) {
		f->info.pid = p->pid;
		flow_slot_set(f, &f->info.process, p->name, NAME_MAX_BYTES);
	} else {
		f->info.capture.server_pid = p->pid;
		flow_slot_set(f, &f->info.capture.server_process, p->name, NAME_MAX_BYTES);
	}
}

void flow_learn(struct flow_slot *f, const struct event *ev)
{
	static void (*const note[EV_COUNT])(struct flow_slot * f, const struct event *ev) = {
		[EV_CLIENT_HELLO] = on_client_hello,
		[EV_SERVER_HELLO] = on_server_hello,
		[EV_CERT_CHAIN] = on_cert_chain,
		[EV_HANDSHAKE_DONE] = on_handshake_done,
		[EV_ALERT] = on_alert,
		[EV_GAP] = on_gap,
		[EV_DARK] = on_dark,
		[EV_LEG_END] = on_leg_end,
		[EV_TCP] = on_tcp,
		[EV_HANDSHAKE_MESSAGE] = on_handshake_message,
		[EV_NOTE] = on_note,
		[EV_PROCESS] = on_process,
	};

	if (ev->type < EV_COUNT && note[ev->type])
		note[ev->type](f, ev);
}
