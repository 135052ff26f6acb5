#include "pki/mint.h"

#include <stdio.h>

#include "pki/authority.h"
#include "pki/cert.h"
#include "pki/mimic_table.h"
#include "wire/addr.h"
#include "wire/der.h"

#define SERIAL_SIZE 16
#define HOUR_S ((int64_t)3600)
#define WEEK_S (7 * 24 * HOUR_S)
#define BIT(usage) (1u << (usage))

static const char oid_usage[] = "\x55\x1d\x0f";
static const char oid_constraints[] = "\x55\x1d\x13";
static const char oid_ski[] = "\x55\x1d\x0e";
static const char oid_aki[] = "\x55\x1d\x23";
static const char oid_san[] = "\x55\x1d\x11";
static const char oid_eku[] = "\x55\x1d\x25";
static const char oid_any_usage[] = "\x55\x1d\x25\x00";
static const char oid_server_auth[] = "\x2b\x06\x01\x05\x05\x07\x03\x01";
static const char repaired[] = "a rule lets the origin's certificate pass as if it verified";

/* One mint under way. */
struct mint {
	const struct authority *by;
	struct cert origin;
	struct cert_key key; /* the mimic's */
	uint8_t key_id[20];
	struct wr w;
	struct mint_notes *notes;	  /* may be NULL */
	const struct mint_repair *repair; /* may be NULL */
};

static bool oid_is(struct bytes oid, const char *id_ce)
{
	return bytes_equal(oid, bytes_of(id_ce, 3));
}

static void note(struct mint *m, struct bytes oid, const char *what, const char *reason)
{
	struct mint_note *n;

	if (!m->notes)
		return;
	if (m->notes->count == MINT_NOTES_MAX) {
		m->notes->more++;
		return;
	}
	n = &m->notes->list[m->notes->count++];
	oid_text(oid, n->oid, sizeof(n->oid));
	n->what = what;
	n->reason = reason;
}

/* Only what the origin had can be told. */
static void note_recomputed(struct mint *m, struct bytes oid)
{
	struct cert_extension had;

	if (cert_extension_find(&m->origin, oid, &had))
		note(m, oid, mimic_action_text(MIMIC_RECOMPUTE), mimic_rule_find(oid)->reason);
}

static struct der_mark extension_begin(struct wr *w, struct bytes oid, bool critical)
{
	struct der_mark seq = der_begin(w, DER_SEQUENCE);

	der_put(w, DER_OID, oid);
	if (critical)
		der_put_bool(w, true);
	return seq;
}

static void put_copy(struct mint *m, const struct cert_extension *x)
{
	/* RFC 5280, 4.2.1.6: the only name there is has to be critical. */
	bool alone = oid_is(x->oid, oid_san) && name_is_empty(m->origin.subject);
	struct der_mark seq = extension_begin(&m->w, x->oid, x->critical || alone);

	der_put(&m->w, DER_OCTET_STRING, x->value);
	der_end(&m->w, seq);
}

static bool is_rsa(enum key_type t)
{
	return t == KEY_TYPE_RSA || t == KEY_TYPE_RSA_PSS;
}

/* What the mimic's key may be used for: as the origin's, but for what only a CA does and what a key
 * of its type cannot do. Oriel's side of a handshake always signs, where the origin may have
 * decrypted (RSA key exchange), so that a key for either purpose becomes a key that signs. */
static uint16_t fit_usage(const struct cert *origin, const struct cert_key *key)
{
	unsigned all =
		origin->key_usage & 0x1ff & ~(BIT(USAGE_KEY_CERT_SIGN) | BIT(USAGE_CRL_SIGN));
	unsigned encipher = BIT(USAGE_KEY_ENCIPHERMENT) | BIT(USAGE_DATA_ENCIPHERMENT);
	unsigned agree =
		BIT(USAGE_KEY_AGREEMENT) | BIT(USAGE_ENCIPHER_ONLY) | BIT(USAGE_DECIPHER_ONLY);
	unsigned handshake = BIT(USAGE_DIGITAL_SIGNATURE) | BIT(USAGE_KEY_ENCIPHERMENT) |
			     BIT(USAGE_KEY_AGREEMENT);
	unsigned keep = all;

	if (is_rsa(key->type) && !is_rsa(origin->key.type))
		keep &= ~agree;
	if (!is_rsa(key->type) && origin->key.type != key->type)
		keep &= ~encipher;
	if (all & handshake)
		keep |= BIT(USAGE_DIGITAL_SIGNATURE);
	return (uint16_t)keep;
}

static void put_usage(struct mint *m, const struct cert_extension *x)
{
	uint16_t usage = fit_usage(&m->origin, &m->key);
	struct der_mark seq, octets;

	if (m->repair)
		usage |= BIT(USAGE_DIGITAL_SIGNATURE);

	if (usage == 0) {
		note(m, x->oid, "dropped", "nothing is left of it that a server's key may do");
		return;
	}
	if (usage != m->origin.key_usage)
		note(m, x->oid, mimic_action_text(MIMIC_RECOMPUTE),
		     mimic_rule_find(x->oid)->reason);
	seq = extension_begin(&m->w, x->oid, x->critical);
	octets = der_begin(&m->w, DER_OCTET_STRING);
	der_put_named_bits(&m->w, usage);
	der_end(&m->w, octets);
	der_end(&m->w, seq);
}

/* An empty sequence: CA:FALSE, and no path length. */
static void put_constraints(struct mint *m, const struct cert_extension *x)
{
	struct der_mark seq = extension_begin(&m->w, x->oid, x->critical);

	der_put(&m->w, DER_OCTET_STRING, bytes_of("\x30\x00", 2));
	der_end(&m->w, seq);
	if (m->origin.is_ca)
		note(m, x->oid, mimic_action_text(MIMIC_RECOMPUTE),
		     mimic_rule_find(x->oid)->reason);
}

static void put_ski(struct mint *m, const struct cert_extension *x)
{
	struct der_mark seq = extension_begin(&m->w, x->oid, false);
	struct der_mark octets = der_begin(&m->w, DER_OCTET_STRING);

	der_put(&m->w, DER_OCTET_STRING, bytes_of(m->key_id, sizeof(m->key_id)));
	der_end(&m->w, octets);
	der_end(&m->w, seq);
	note_recomputed(m, x->oid);
}

static void put_aki(struct mint *m, const struct cert_extension *x)
{
	struct der_mark seq = extension_begin(&m->w, x->oid, false);
	struct der_mark octets = der_begin(&m->w, DER_OCTET_STRING);
	struct der_mark aki = der_begin(&m->w, DER_SEQUENCE);

	der_put(&m->w, DER_CONTEXT(0), m->by->aki);
	der_end(&m->w, aki);
	der_end(&m->w, octets);
	der_end(&m->w, seq);
	note_recomputed(m, x->oid);
}

static const struct {
	const char *oid;
	unsigned has; /* the origin has it already, in its place */
	bool always;  /* the mimic has it, also when the origin has not */
	bool critical;
	void (*put)(struct mint *m, const struct cert_extension *x);
} recomputed[] = {
	{ oid_usage, CERT_HAS_KEY_USAGE, false, false, put_usage },
	{ oid_constraints, CERT_HAS_BASIC_CONSTRAINTS, true, true, put_constraints },
	{ oid_ski, CERT_HAS_SKI, true, false, put_ski },
	{ oid_aki, CERT_HAS_AKI, true, false, put_aki },
};

static void put_recomputed(struct mint *m, const struct cert_extension *x)
{
	for (size_t i = 0; i < ARRAY_LEN(recomputed); i++) {
		if (oid_is(x->oid, recomputed[i].oid))
			recomputed[i].put(m, x);
	}
}

/* --- what a repair changes --- */

static bool is_for_servers(const struct cert *c)
{
	struct bytes rest = c->eku, oid;

	while (eku_next(&rest, &oid)) {
		if (bytes_equal(oid, bytes_of(oid_server_auth, 8)) ||
		    bytes_equal(oid, bytes_of(oid_any_usage, 4)))
			return true;
	}
	return false;
}

static void put_server_usage(struct mint *m, const struct cert_extension *x)
{
	struct der_mark seq = extension_begin(&m->w, x->oid, x->critical);
	struct der_mark octets = der_begin(&m->w, DER_OCTET_STRING);
	struct der_mark list = der_begin(&m->w, DER_SEQUENCE);

	der_put(&m->w, DER_OID, bytes_of(oid_server_auth, 8));
	der_end(&m->w, list);
	der_end(&m->w, octets);
	der_end(&m->w, seq);
	note(m, x->oid, mimic_action_text(MIMIC_RECOMPUTE), repaired);
}

/* The origin's names, and the one that the client wants. */
static void put_names(struct mint *m, bool critical)
{
	struct bytes oid = bytes_of(oid_san, 3);
	struct der_mark seq =
		extension_begin(&m->w, oid, critical || name_is_empty(m->origin.subject));
	struct der_mark octets = der_begin(&m->w, DER_OCTET_STRING);
	struct der_mark list = der_begin(&m->w, DER_SEQUENCE);
	struct addr a;

	wr_bytes(&m->w, m->origin.san);
	if (addr_parse_ip(m->repair->name, 0, &a))
		der_put(&m->w, DER_CONTEXT(SAN_IP), addr_ip(&a));
	else
		der_put(&m->w, DER_CONTEXT(SAN_DNS), m->repair->name);
	der_end(&m->w, list);
	der_end(&m->w, octets);
	der_end(&m->w, seq);
	note(m, oid, mimic_action_text(MIMIC_RECOMPUTE), repaired);
}

/* True when the extension was put otherwise than the table says. */
static bool put_repaired(struct mint *m, const struct cert_extension *x)
{
	if (!m->repair)
		return false;
	if (oid_is(x->oid, oid_eku) && !is_for_servers(&m->origin))
		put_server_usage(m, x);
	else if (oid_is(x->oid, oid_san) && m->repair->name.n)
		put_names(m, x->critical);
	else
		return false;
	return true;
}

/* The mimic outlives its time in the caches of those who show it. */
static void put_validity(struct mint *m)
{
	struct der_mark part = der_begin(&m->w, DER_SEQUENCE);
	int64_t from = m->origin.not_before, to = m->origin.not_after;

	if (m->repair && from > m->repair->now_s - HOUR_S)
		from = m->repair->now_s - HOUR_S;
	if (m->repair && to < m->repair->now_s + WEEK_S)
		to = m->repair->now_s + WEEK_S;
	der_put_time(&m->w, from);
	der_put_time(&m->w, to);
	der_end(&m->w, part);
}

static void put_by_table(struct mint *m, const struct cert_extension *x)
{
	const struct mimic_rule *rule = mimic_rule_find(x->oid);

	if (put_repaired(m, x))
		return;
	if (!rule) {
		note(m, x->oid, "dropped",
		     x->critical ? "not known, though critical" : "not known");
		return;
	}
	switch (rule->action) {
	case MIMIC_COPY:
		put_copy(m, x);
		break;
	case MIMIC_RECOMPUTE:
		put_recomputed(m, x);
		break;
	case MIMIC_DROP:
		note(m, x->oid, mimic_action_text(rule->action), rule->reason);
		break;
	}
}

/* In the origin's order; what it lacks comes after. */
static void put_extensions(struct mint *m)
{
	struct der_mark explicit = der_begin(&m->w, DER_CONTEXT_OPEN(3)),
			list = der_begin(&m->w, DER_SEQUENCE);
	struct bytes rest = m->origin.extensions;
	struct cert_extension x;

	while (cert_extension_next(&rest, &x))
		put_by_table(m, &x);
	for (size_t i = 0; i < ARRAY_LEN(recomputed); i++) {
		if (!recomputed[i].always || (m->origin.has & recomputed[i].has))
			continue;
		x = (struct cert_extension){ .oid = bytes_of(recomputed[i].oid, 3),
					     .critical = recomputed[i].critical };
		recomputed[i].put(m, &x);
	}
	if (m->repair && m->repair->name.n && !(m->origin.has & CERT_HAS_SAN))
		put_names(m, false);
	der_end(&m->w, list);
	der_end(&m->w, explicit);
}

/* Positive, and never zero. */
static void put_serial(struct wr *w, const uint8_t random[SERIAL_SIZE])
{
	uint8_t serial[SERIAL_SIZE], any = 0;

	memcpy(serial, random, sizeof(serial));
	serial[0] &= 0x7f;
	for (size_t i = 0; i < sizeof(serial); i++)
		any |= serial[i];
	if (!any)
		serial[SERIAL_SIZE - 1] = 1;
	der_put_unsigned(w, bytes_of(serial, sizeof(serial)));
}

static void put_tbs(struct mint *m, const struct mint_request *req)
{
	struct wr *w = &m->w;
	struct der_mark tbs = der_begin(w, DER_SEQUENCE), part;

	part = der_begin(w, DER_CONTEXT_OPEN(0));
	der_put_uint(w, 2); /* version 3 */
	der_end(w, part);
	put_serial(w, req->serial);
	wr_bytes(w, authority_algorithm(m->by));
	wr_bytes(w, m->by->cert.subject);
	put_validity(m);
	wr_bytes(w, m->origin.subject);
	wr_bytes(w, req->spki);
	put_extensions(m);
	der_end(w, tbs);
}

int mint_leaf(const struct mint_request *req, struct buf *out, struct mint_notes *notes,
	      struct err *e)
{
	struct mint m = { .by = req->by, .w = wr_init(out), .notes = notes, .repair = req->repair };
	size_t before = out->n;
	struct der_mark whole;

	if (notes)
		notes->count = notes->more = 0;
	if (cert_parse(req->origin_der, &m.origin, e) < 0)
		return err_ctx(e, "the origin's certificate cannot be mimicked");
	if (spki_parse(req->spki, &m.key, e) < 0)
		return err_ctx(e, "the mimic's key");
	if (key_identifier(&m.key, m.key_id, e) < 0)
		return -1;
	whole = der_begin(&m.w, DER_SEQUENCE);
	put_tbs(&m, req);
	if (authority_seal(req->by, &m.w, whole, e) < 0) {
		out->n = before;
		return -1;
	}
	return 0;
}

static enum key_kind nearest_kind(const struct cert_key *k)
{
	switch (k->type) {
	case KEY_TYPE_RSA:
	case KEY_TYPE_RSA_PSS:
		return k->bits < 2560 ? KEY_RSA2048 : k->bits < 3584 ? KEY_RSA3072 : KEY_RSA4096;
	case KEY_TYPE_EC:
		return k->bits <= 320 ? KEY_P256 : KEY_P384;
	case KEY_TYPE_ED25519:
	case KEY_TYPE_ED448:
	case KEY_TYPE_DSA:
	case KEY_TYPE_UNKNOWN:
		break;
	}
	return KEY_P256;
}

enum key_kind mimic_key_kind(struct bytes origin_der, struct buf *reason, struct err *e)
{
	struct cert c;
	struct err why = { 0 };
	enum key_kind kind;
	char text[100];

	if (cert_parse(origin_der, &c, &why) < 0) {
		if (reason)
			(void)!buf_printf(reason, e, "%s", why.sentence);
		return KEY_P256;
	}
	kind = nearest_kind(&c.key);
	cert_key_text(&c.key, text, sizeof(text));
	if (reason && strcmp(text, key_kind_text(kind)) != 0)
		(void)!buf_printf(reason, e, "the origin's key is %s, the nearest kept ready is %s",
				  text, key_kind_text(kind));
	return kind;
}
