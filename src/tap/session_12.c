#include "tap/session_12.h"

#include "base/mem.h"
#include "base/rd.h"
#include "wire/client_hello.h"
#include "wire/server_hello.h"

#define EXTENSION_TRUNCATED_HMAC 4
#define COMPRESSION_DEFLATE 1 /* RFC 3749 */
#define NAMED_CURVE 3	      /* RFC 8422, 5.4 */
#define CHAIN_BLOCK_MAX 64

/* What belongs to one handshake and not to the next. */
static void forget(struct session_12 *o)
{
	buf_fini(&o->exchange);
	buf_fini(&o->hello);
	buf_fini(&o->said[0]);
	buf_fini(&o->said[1]);
	protect_free(o->pair[0]);
	protect_free(o->pair[1]);
	mem_wipe(o, sizeof(*o));
}

void session_12_free(struct session_12 *o)
{
	if (!o)
		return;
	forget(o);
	mem_free(o);
}

static void set_id(struct short_id *id, struct bytes from)
{
	id->n = (uint8_t)(from.n <= sizeof(id->b) ? from.n : 0);
	if (id->n)
		memcpy(id->b, from.p, id->n);
}

/* Tickets are long: they go by their hash. */
static void set_ticket(struct short_id *id, struct bytes ticket)
{
	struct sha256 h;

	if (ticket.n && sha256_of(&ticket, 1, &h, NULL) == 0)
		set_id(id, sha256_bytes(&h));
}

static void keep(struct session_12 *o, struct buf *in, struct bytes message)
{
	if (o->keeps && buf_add(in, message, NULL) < 0)
		o->keeps = false;
}

/* The handshake that begins with this hello: a new one, unless the other side's came just before. */
static struct session_12 *begin(struct session *s, bool again)
{
	struct session_12 *o = s->old;

	if (!o)
		o = s->old = mem_new(sizeof(*o));
	else if (!again)
		return o;
	if (!o)
		return NULL; /* without memory the session stays dark, and says so */
	forget(o);
	o->exchange = buf_init(EXCHANGE_MAX);
	o->hello = buf_init(TRANSCRIPT_MAX);
	o->said[0] = o->said[1] = buf_init(TRANSCRIPT_MAX);
	o->keeps = true;
	return o;
}

/* With the master secret at hand, nothing is made of the messages. */
static bool needs_messages(const struct session *s)
{
	const struct bytes random = bytes_of(s->client_random, SESSION_RANDOM);

	return !tap_secret_next(s->flow, random, NULL) ||
	       session_secret(s, KEYLOG_PMS_CLIENT_RANDOM, KEYLOG_NEXT, NULL);
}

void session_hello_12(struct session *s, const struct client_hello *h)
{
	struct session_12 *o;

	if (session_is_13(s))
		return;
	o = begin(s, s->old && s->old->has_client);
	if (!o)
		return;
	o->has_client = true;
	set_id(&o->offered, h->session_id);
	set_ticket(&o->ticket, h->session_ticket);
	o->keeps &= h->has_extended_master_secret && needs_messages(s);
	keep(o, &o->hello, h->raw);
}

void session_agreed_12(struct session *s, const struct server_hello *h)
{
	struct session_12 *o = begin(s, s->old && s->old->has_server);
	struct bytes list = h->extensions;
	struct extension ext;

	if (!o)
		return;
	o->has_server = true;
	o->extended = h->has_extended_master_secret;
	o->keeps &= o->extended;
	o->encrypt_then_mac = h->has_encrypt_then_mac;
	o->compression = h->compression;
	while (extension_next(&list, &ext))
		o->truncated_hmac |= ext.type == EXTENSION_TRUNCATED_HMAC;
	set_id(&o->given, h->session_id);
	s->resumed =
		o->given.n && bytes_equal(short_id_bytes(&o->given), short_id_bytes(&o->offered));
	s->group = 0;
}

static void on_new_ticket(struct session *s, struct bytes body, struct tap_at at)
{
	bool bad = false;
	struct rd r = rd_init(body, &bad);

	rd_skip(&r, 4); /* lifetime */
	struct rd ticket = rd_vec16(&r);
	if (bad)
		return;
	set_ticket(&s->old->new_ticket, rd_rest(&ticket));
	master_learned(s, at);
}

static void on_server_key_exchange(struct session *s, struct bytes body)
{
	const char *cipher = cipher_name(s->cipher);
	bool bad = false;
	struct rd r = rd_init(body, &bad);
	uint8_t form = rd_u8(&r);
	uint16_t group = rd_u16(&r);

	if (!bad && form == NAMED_CURVE && cipher && strstr(cipher, "_ECDH"))
		s->group = group;
}

void session_message_12(struct session *s, enum flow_dir dir, const struct handshake *m,
			struct tap_at at)
{
	struct session_12 *o = s->old;
	bool open = dir == DIR_UP ? !o->exchanged : !o->hello_done;

	if (open && m->type != HANDSHAKE_CLIENT_HELLO && m->type != HANDSHAKE_HELLO_REQUEST)
		keep(o, &o->said[dir], m->raw);
	switch (m->type) {
	case HANDSHAKE_SERVER_KEY_EXCHANGE:
		on_server_key_exchange(s, m->body);
		break;
	case HANDSHAKE_SERVER_HELLO_DONE:
		o->hello_done = true;
		s->moved = true;
		break;
	case HANDSHAKE_CLIENT_KEY_EXCHANGE:
		o->exchanged = true;
		buf_clear(&o->exchange);
		/* A longer one is not encrypted with RSA: there is nothing in it for us. */
		(void)!buf_add(&o->exchange, m->body, NULL);
		s->moved = true;
		break;
	case HANDSHAKE_NEW_SESSION_TICKET:
		on_new_ticket(s, m->body, at);
		break;
	default:
		break;
	}
}

void session_ccs_12(struct session *s, enum flow_dir dir, struct tap_at at)
{
	struct side *side = &s->sides[dir];

	(void)at;
	if (dir == DIR_DOWN && s->old)
		s->resumed = !s->old->hello_done;
	protect_free(side->protect);
	side->protect = NULL;
	inflater_free(side->inflater);
	side->inflater = NULL;
	side->epoch = EPOCH_SESSION;
	side->seq = 0;
	side->failed = 0;
	buf_clear(&side->messages);
	s->moved = true;
}

/* The other direction has the same master secret: its key is made along with the first. */
static bool fits_pair(struct session *s, enum flow_dir dir, struct key_trial *t)
{
	struct session_12 *o = s->old;
	struct protect *p = o->pair[dir];

	if (!p || !t->fits(s, dir, p, t))
		return false;
	o->pair[dir] = NULL;
	session_adopt(s, dir, p, EPOCH_SESSION);
	return true;
}

static bool fits_master(struct session *s, enum flow_dir dir, const struct master_walk *w,
			struct key_trial *t)
{
	struct session_12 *o = s->old;
	const struct protect_12 in = {
		.suite = s->suite,
		.version = s->version,
		.encrypt_then_mac = o->encrypt_then_mac,
		.truncated_hmac = o->truncated_hmac,
		.master = bytes_of(w->master, MASTER_SIZE),
		.client_random = bytes_of(s->client_random, SESSION_RANDOM),
		.server_random = bytes_of(s->server_random, SESSION_RANDOM),
	};
	struct protect *pair[2] = { 0 };
	struct err e;

	if (protect_new_12(&in, pair, &e) < 0) {
		t->unsupported |= e.code == ERR_UNSUPPORTED;
		return false;
	}
	if (!t->fits(s, dir, pair[dir], t)) {
		protect_free(pair[0]);
		protect_free(pair[1]);
		return false;
	}
	protect_free(o->pair[0]);
	protect_free(o->pair[1]);
	o->pair[dir] = NULL;
	o->pair[dir_other(dir)] = pair[dir_other(dir)];
	memcpy(o->master, w->master, MASTER_SIZE);
	o->master_known = true;
	session_adopt(s, dir, pair[dir], EPOCH_SESSION);
	return true;
}

bool session_pick_12(struct session *s, enum flow_dir dir, struct key_trial *t)
{
	struct master_walk w = { 0 };
	bool found = fits_pair(s, dir, t);

	while (!found && master_next(s, &w)) {
		t->tried++;
		t->name = w.name;
		found = fits_master(s, dir, &w, t);
		if (!found)
			continue;
		if (w.line)
			session_tell_secret(s, w.line->label, dir);
		master_learned(s, s->at);
	}
	mem_wipe(w.master, sizeof(w.master));
	return found;
}

static bool fits_first(struct session *s, enum flow_dir dir, struct protect *p, struct key_trial *t)
{
	(void)dir;
	return tap_spend(s->flow, 1) && protect_open(p, 0, t->record, session_room(s), t->opened);
}

/* No master secret opens the first record: now, or for good? */
static enum took not_opened(struct session *s, enum flow_dir dir, const struct record *r,
			    const struct key_trial *t)
{
	const struct side *other = &s->sides[dir_other(dir)];
	bool more = other->state == SIDE_READ && other->epoch == EPOCH_PLAIN && !other->tcp_ended;
	char random[RANDOM_TEXT], code[NAMES_CODE_MAX];
	struct tap_at at = s->sides[dir].at;
	struct err why;

	if (t->unsupported && cipher_available(s->suite->cipher, &why))
		tell_dark(s, DARK_CIPHER, at,
			  "the cipher suite %s is not one of this version of TLS",
			  names_or_code(cipher_name(s->cipher), s->cipher, code));
	else if (t->unsupported)
		tell_dark(s, DARK_CIPHER, at, "the cipher suite %s is not supported: %s",
			  names_or_code(cipher_name(s->cipher), s->cipher, code), why.sentence);
	else if ((more && !s->impatient) || session_secrets_may_come(s))
		return TOOK_WAITS;
	else if (t->tried)
		tell_dark(s, DARK_TAG, at, "the %s for client random %s opens no record", t->name,
			  random_text(s, random));
	else if (s->resumed)
		tell_dark(
			s, DARK_NO_SECRET, at,
			"no secret for client random %s, which resumes a session that is not known",
			random_text(s, random));
	else
		tell_dark(s, DARK_NO_SECRET, at, "no secret for client random %s",
			  random_text(s, random));
	session_darken(s, dir, r->raw.n);
	return TOOK_ALL;
}

bool session_sends_nonces(const struct session *s)
{
	return cipher_info(s->suite->cipher)->class == CIPHER_CLASS_AEAD &&
	       s->suite->cipher != CIPHER_CHACHA20_POLY1305;
}

static void opened(const struct session *s, struct side *side, const struct record *r)
{
	bool bad = false;
	struct rd rd = rd_init(r->body, &bad);

	side->last_size = r->raw.n;
	if (session_sends_nonces(s))
		side->nonce = rd_u64(&rd);
}

/* What was compressed is now plain. */
static void inflate_opened(struct session *s, enum flow_dir dir, const struct record *r,
			   struct protect_opened *o)
{
	struct side *side = &s->sides[dir];

	if (s->old->compression == 0)
		return;
	if (!side->inflater && inflater_new(&side->inflater) < 0) {
		session_darken(s, dir, r->raw.n);
		o->type = 0;
		return;
	}
	if (inflater_run(side->inflater, o->plain, &o->plain))
		return;
	tell_dark(s, DARK_GAP, side->at,
		  "what the %s sends is compressed, and cannot be undone without what was lost",
		  session_who(s, dir));
	session_darken(s, dir, r->raw.n);
	o->type = 0;
}

/* A record went bad: the one after it is opened all the same. */
static enum took pass_over(struct session *s, enum flow_dir dir, const struct record *r)
{
	struct side *side = &s->sides[dir];
	size_t last = r->body.n < CHAIN_BLOCK_MAX ? 0 : r->body.n - CHAIN_BLOCK_MAX;

	protect_skip(side->protect, r->body.n, bytes_slice(r->body, last, CHAIN_BLOCK_MAX));
	return session_lost_record(s, dir, r);
}

enum took session_open_12(struct session *s, enum flow_dir dir, const struct record *r,
			  struct protect_opened *o)
{
	struct side *side = &s->sides[dir];
	struct key_trial t = { .fits = fits_first, .record = r, .opened = o };

	if (!s->old || s->old->compression > COMPRESSION_DEFLATE) {
		tell_dark(s, DARK_CIPHER, side->at,
			  "the compression method %u of TLS is not supported",
			  s->old ? s->old->compression : 0);
		session_darken(s, dir, r->raw.n);
		return TOOK_ALL;
	}
	if (side->epoch == EPOCH_PLAIN) {
		/* Its ChangeCipherSpec was lost. */
		session_seek_on(s, dir);
		return TOOK_AGAIN;
	}
	if (side->protect) {
		if (!session_opens_now(s, dir, r, o))
			return pass_over(s, dir, r);
	} else if (session_pick_12(s, dir, &t)) {
		side->seq = 1;
	} else {
		return not_opened(s, dir, r, &t);
	}
	opened(s, side, r);
	inflate_opened(s, dir, r, o);
	return TOOK_ALL;
}

bool session_12_wants_one_random(const struct session *s)
{
	return s->old && s->old->hello_done && s->suite->exchange != EXCHANGE_RSA;
}
