#include "cmd/certs_plan.h"

#include <openssl/rand.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/mem.h"
#include "pki/bundle.h"
#include "wire/der.h"

#define KEY_TEXT_MAX ((size_t)1 << 20)
#define DAY_S ((int64_t)86400)
#define RENEW_MAX_S (30 * DAY_S)

const char *certs_action_text(enum certs_action a)
{
	static const char *const texts[] = {
		[CERTS_KEEP] = "keep",	 [CERTS_NEW] = "new",	  [CERTS_CHANGED] = "changed",
		[CERTS_RENEW] = "renew", [CERTS_CHAIN] = "chain", [CERTS_KEY_FORM] = "key form",
	};

	return texts[a];
}

PRINTF_LIKE(3, 4)
static void differ(struct certs_plan_item *i, const char *word, const char *fmt, ...);

/* "have" only: what is wrong with it. */
static void differ(struct certs_plan_item *i, const char *word, const char *fmt, ...)
{
	struct ca_difference *d = ca_differences_add(&i->why, word);
	va_list ap;

	if (!d)
		return;
	va_start(ap, fmt);
	vsnprintf(d->have, sizeof(d->have), fmt, ap);
	va_end(ap);
}

static void differ_texts(struct certs_plan_item *i, const char *word, const char *have,
			 const char *want)
{
	struct ca_difference *d = ca_differences_add(&i->why, word);

	if (!d)
		return;
	snprintf(d->have, sizeof(d->have), "%s", have);
	snprintf(d->want, sizeof(d->want), "%s", want);
}

static const char *time_text(int64_t t, char out[32])
{
	struct civil c = civil_of(t);

	snprintf(out, 32, "%04d-%02d-%02dT%02d:%02d:%02dZ", c.year, c.month, c.day, c.hour,
		 c.minute, c.second);
	return out;
}

static struct certs_plan_item *issuer_of(const struct certs_plan_item *i)
{
	return i->entry->issuer ? i->entry->issuer->item : NULL;
}

/* Is the key what the manifest wants? One that is not is made anew. */
static bool key_fits(struct certs_plan_item *i)
{
	const struct certs_entry *x = i->entry;
	struct cert_key key, want = { .type = x->key_type, .bits = x->key_bits };
	char have[64], wanted[64];

	if (x->csr)
		return true;
	if (!i->key) {
		if (i->der.n)
			differ(i, "key", "missing");
		return false;
	}
	if (spki_parse(buf_bytes(&i->spki), &key, NULL) < 0)
		return false;
	if (key.type == want.type && (key.type == KEY_TYPE_ED25519 || key.bits == want.bits))
		return true;
	cert_key_text(&key, have, sizeof(have));
	snprintf(wanted, sizeof(wanted), "%s %u",
		 want.type == KEY_TYPE_RSA  ? "RSA"
		 : want.type == KEY_TYPE_EC ? "EC"
					    : "ED25519",
		 want.bits);
	differ_texts(i, "key", have, wanted);
	return false;
}

static void compare_dates(struct certs_plan_item *i)
{
	const struct certs_entry *x = i->entry;
	int64_t life = i->cert.not_after - i->cert.not_before;
	char have[32], want[32];

	if (x->profile.not_before && x->profile.not_before != i->cert.not_before)
		differ_texts(i, "not_before", time_text(i->cert.not_before, have),
			     time_text(x->profile.not_before, want));
	if (x->profile.not_after && x->profile.not_after != i->cert.not_after)
		differ_texts(i, "not_after", time_text(i->cert.not_after, have),
			     time_text(x->profile.not_after, want));
	/* Rounding to seconds may take one away. */
	if (!x->profile.not_after && (life < x->expires_s - 1 || life > x->expires_s + 1)) {
		snprintf(have, sizeof(have), "%llds", (long long)life);
		snprintf(want, sizeof(want), "%llds", (long long)x->expires_s);
		differ_texts(i, "expires", have, want);
	}
}

static void compare_issuer(struct certs_plan_item *i)
{
	const struct certs_plan_item *by = issuer_of(i);
	struct bytes name = by ? by->cert.subject : i->cert.subject;
	struct evp_pkey_st *key = by ? by->key : i->key;
	char have[120], want[120];

	if (!bytes_equal(i->cert.issuer, name))
		differ_texts(i, "issuer", name_text(i->cert.issuer, have, sizeof(have)),
			     name_text(name, want, sizeof(want)));
	else if (key && !ca_is_signed_by(buf_bytes(&i->der), key))
		differ(i, "issuer", "has another key now");
	else if (by && i->cert.aki.n && by->cert.ski.n && !bytes_equal(i->cert.aki, by->cert.ski))
		differ(i, "issuer", "has another key identifier now");
}

static struct bytes without_zeros(struct bytes b)
{
	while (b.n > 1 && b.p[0] == 0)
		b = bytes_slice(b, 1, b.n);
	return b;
}

static int compare_contents(struct certs_plan_item *i, struct err *e)
{
	const struct certs_entry *x = i->entry;
	char have[200], want[200];

	if (!bytes_equal(i->cert.subject, x->profile.subject))
		differ_texts(i, "subject", name_text(i->cert.subject, have, sizeof(have)),
			     name_text(x->profile.subject, want, sizeof(want)));
	if (x->profile.serial.n &&
	    !bytes_equal(without_zeros(i->cert.serial), without_zeros(x->profile.serial)))
		differ(i, "serial", "another");
	return ca_extensions_compare(&x->profile, &i->cert, !x->says_usages, &i->why, e);
}

/* True when it is time. Dates that the manifest says are meant, and a revoked one stays as it is. */
static bool is_due(const struct certs_plan *p, struct certs_plan_item *i)
{
	int64_t life = i->cert.not_after - i->cert.not_before, before = life / 3;
	char date[16];

	if (i->entry->profile.not_after || i->entry->revoked)
		return false;
	if (before > RENEW_MAX_S)
		before = RENEW_MAX_S;
	if (p->o->renew_before_given)
		before = p->o->renew_before_s;
	if (i->cert.not_after - before > p->o->now_s)
		return false;
	differ(i, "validity", "%s %s", i->cert.not_after < p->o->now_s ? "expired" : "expires",
	       date_text(i->cert.not_after, date));
	return true;
}

/* Why it has to be issued, if it has to be. */
static int decide(const struct certs_plan *p, struct certs_plan_item *i, struct err *e)
{
	bool fits = key_fits(i), due;

	i->new_key = !i->entry->csr && (!fits || p->o->rekey);
	if (i->der.n == 0) {
		i->action = CERTS_NEW;
		return 0;
	}
	if (fits && p->o->rekey && !i->entry->csr)
		differ(i, "key", "a new one is wanted");
	if (fits && !bytes_equal(i->cert.spki, buf_bytes(&i->spki)))
		differ(i, "key", "is not the certificate's");
	if (compare_contents(i, e) < 0)
		return -1;
	compare_dates(i);
	if (fits)
		compare_issuer(i);
	i->action = i->why.count ? CERTS_CHANGED : CERTS_KEEP;
	due = is_due(p, i);
	if (due && i->action == CERTS_KEEP)
		i->action = CERTS_RENEW;
	return 0;
}

static int issue(const struct certs_plan *p, struct certs_plan_item *i, struct err *e)
{
	const struct certs_entry *x = i->entry;
	const struct certs_plan_item *by = issuer_of(i);
	struct profile profile = x->profile;
	struct ca_issuer signer = { i->key, profile.subject, { 0 } };
	int64_t back = x->backdate_s * 2 < x->expires_s ? x->backdate_s : 0;
	uint8_t serial[16];

	if (by)
		signer = (struct ca_issuer){ by->key, by->cert.subject, by->cert.ski };
	if (!signer.key)
		return FAIL(e, KEY, "%s: its issuer's key is not here", x->filename);
	if (profile.serial.n == 0) {
		if (RAND_bytes(serial, sizeof(serial)) != 1)
			return FAIL(e, CRYPTO, "no random bytes");
		serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40);
		profile.serial = bytes_of(serial, sizeof(serial));
	}
	if (profile.not_before == 0)
		profile.not_before = p->o->now_s - back;
	if (profile.not_after == 0)
		profile.not_after = profile.not_before + x->expires_s;
	buf_clear(&i->der);
	if (ca_issue(&profile, buf_bytes(&i->spki), &signer, &i->der, e) < 0)
		return err_ctx(e, "%s", x->filename);
	return cert_parse(buf_bytes(&i->der), &i->cert, e);
}

static int make_key(struct certs_plan_item *i, struct err *e)
{
	ca_key_free(i->key);
	i->key = NULL;
	buf_clear(&i->spki);
	if (ca_key_make(i->entry->key_type, i->entry->key_bits, &i->key, e) < 0)
		return err_ctx(e, "%s", i->entry->filename);
	return ca_key_spki(i->key, &i->spki, e);
}

static int write_texts(struct certs_plan_item *i, struct err *e)
{
	const char *passphrase = i->passphrase[0] ? i->passphrase : NULL;
	const struct certs_plan_item *by = issuer_of(i);

	if (pem_write(&i->text, "CERTIFICATE", buf_bytes(&i->der), e) < 0)
		return -1;
	/* A CA's file holds it alone; a leaf's, who leads to the root, but not the root. */
	for (; !i->entry->profile.is_ca && by && by->entry->issuer; by = issuer_of(by))
		if (pem_write(&i->text, "CERTIFICATE", buf_bytes(&by->der), e) < 0)
			return -1;
	return i->key ? ca_key_write(i->key, passphrase, &i->key_text, e) : 0;
}

/* The same certificates in both texts, whatever stands between them? */
static bool is_same_chain(struct bytes one, struct bytes other)
{
	AUTO(buf_fini) struct buf a = buf_init(CERT_SIZE_MAX), b = buf_init(CERT_SIZE_MAX);
	struct pem p = { one, 1 }, q = { other, 1 };

	for (;;) {
		enum pem_step x = pem_next_cert(&p, &a, NULL), y = pem_next_cert(&q, &b, NULL);

		if (x != y || (x != PEM_BLOCK && x != PEM_END))
			return false;
		if (x == PEM_END)
			return true;
		if (!bytes_equal(buf_bytes(&a), buf_bytes(&b)))
			return false;
	}
}

static bool is_encrypted(struct bytes pem)
{
	return bytes_starts(pem, bytes_str("-----BEGIN ENCRYPTED "));
}

/* The certificate may stay; do its files? */
static void compare_files(struct certs_plan_item *i)
{
	if (!is_same_chain(buf_bytes(&i->text), buf_bytes(&i->old_text))) {
		i->action = CERTS_CHAIN;
		differ(i, "chain", "is another now");
	} else if (i->key && is_encrypted(buf_bytes(&i->old_key_text)) != (i->passphrase[0] != 0)) {
		i->action = CERTS_KEY_FORM;
		differ(i, "key_passphrase_file",
		       i->passphrase[0] ? "the key is not encrypted" : "the key is encrypted");
	}
}

static int plan_item(const struct certs_plan *p, struct certs_plan_item *i, struct err *e)
{
	if (certs_disk_load(p, i, e) < 0 || decide(p, i, e) < 0)
		return -1;
	if (i->new_key && i->action == CERTS_KEEP)
		i->action = CERTS_CHANGED;
	if (i->new_key && make_key(i, e) < 0)
		return -1;
	if (i->action != CERTS_KEEP && issue(p, i, e) < 0)
		return -1;
	if (write_texts(i, e) < 0)
		return -1;
	if (i->action == CERTS_KEEP)
		compare_files(i);
	return 0;
}

int certs_plan_make(struct certs_manifest *m, const struct certs_plan_options *o,
		    struct certs_plan *out, struct err *e)
{
	*out = (struct certs_plan){ .o = o, .m = m };
	out->items = mem_new_array(m->count + 1, sizeof(*out->items));
	if (!out->items)
		return FAIL(e, NOMEM, "%zu certificates", m->count);
	for (; out->count < m->count; out->count++) {
		struct certs_plan_item *i = &out->items[out->count];

		i->entry = &m->list[out->count];
		i->entry->item = i;
		i->spki = buf_init(CERT_SIZE_MAX);
		i->der = buf_init(CERT_SIZE_MAX);
		i->text = buf_init(CERTS_FILE_MAX);
		i->old_text = buf_init(CERTS_FILE_MAX);
		i->crl_text = buf_init(CERTS_FILE_MAX);
		i->key_text = buf_init_secret(KEY_TEXT_MAX);
		i->old_key_text = buf_init_secret(KEY_TEXT_MAX);
	}
	for (size_t n = 0; n < out->count; n++)
		if (plan_item(out, &out->items[n], e) < 0)
			return -1;
	for (size_t n = 0; n < out->count; n++)
		if (out->items[n].entry->profile.is_ca &&
		    certs_plan_crl(out, &out->items[n], e) < 0)
			return -1;
	return 0;
}

void certs_plan_fini(struct certs_plan *p)
{
	for (size_t n = 0; n < p->count; n++) {
		struct certs_plan_item *i = &p->items[n];

		ca_key_free(i->key);
		buf_fini(&i->spki);
		buf_fini(&i->der);
		buf_fini(&i->text);
		buf_fini(&i->old_text);
		buf_fini(&i->crl_text);
		buf_fini(&i->key_text);
		buf_fini(&i->old_key_text);
		mem_wipe(i->passphrase, sizeof(i->passphrase));
	}
	mem_free(p->items);
}
