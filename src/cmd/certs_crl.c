/* The revocation list of a CA: there when anything of it is or was revoked, fresh, and with a number
 * that rises although no state is kept: it is the time, or one more than the last. */
#include <stdlib.h>

#include "base/mem.h"
#include "cmd/certs_plan.h"
#include "pki/bundle.h"

#define LIFE_S (7 * (int64_t)86400)

struct making {
	const struct certs_plan *p;
	struct certs_plan_item *ca;
	struct ca_revoked *list;
	size_t count;
};

static struct bytes serial_of(const struct certs_plan_item *i)
{
	struct bytes s = i->cert.serial;

	while (s.n > 1 && s.p[0] == 0)
		s = bytes_slice(s, 1, s.n);
	return s;
}

static bool is_listed(const struct making *m, struct bytes serial)
{
	for (size_t i = 0; i < m->count; i++)
		if (bytes_equal(m->list[i].serial, serial))
			return true;
	return false;
}

/* Of this CA, in force and not revoked. */
static bool is_good(const struct making *m, struct bytes serial)
{
	for (size_t n = 0; n < m->p->count; n++) {
		const struct certs_plan_item *i = &m->p->items[n];

		if (i->entry->issuer == m->ca->entry && !i->entry->revoked &&
		    bytes_equal(serial_of(i), serial))
			return true;
	}
	return false;
}

/* What the list on disk holds stays on it, with its date. True: nothing had to go. */
static bool carry_over(struct making *m, struct bytes rest)
{
	bool all = true;
	struct ca_revoked one;

	while (ca_crl_next(&rest, &one)) {
		if (is_good(m, one.serial))
			all = false;
		else if (!is_listed(m, one.serial))
			m->list[m->count++] = one;
	}
	return all;
}

/* True: all of them were there already. */
static bool add_revoked(struct making *m)
{
	bool all = true;

	for (size_t n = 0; n < m->p->count; n++) {
		struct certs_plan_item *i = &m->p->items[n];

		if (i->entry->issuer != m->ca->entry || !i->entry->revoked ||
		    is_listed(m, serial_of(i)))
			continue;
		m->list[m->count++] = (struct ca_revoked){ serial_of(i), m->p->o->now_s };
		all = false;
	}
	return all;
}

static size_t count_revoked(const struct certs_plan *p, const struct certs_plan_item *ca)
{
	size_t count = 0;

	for (size_t n = 0; n < p->count; n++)
		count += p->items[n].entry->issuer == ca->entry && p->items[n].entry->revoked;
	return count;
}

static int write_list(struct making *m, struct err *e)
{
	AUTO(buf_fini) struct buf der = buf_init(CERTS_FILE_MAX);
	struct ca_crl crl = { m->ca->crl_number, m->p->o->now_s, m->p->o->now_s + LIFE_S, m->list,
			      m->count };
	struct ca_issuer by = { m->ca->key, m->ca->cert.subject, m->ca->cert.ski };

	if (!by.key)
		return FAIL(e, KEY, "%s: a revocation list needs its key", m->ca->entry->filename);
	if (ca_crl_write(&crl, &by, &der, e) < 0)
		return err_ctx(e, "%s-crl.pem", m->ca->entry->filename);
	return pem_write(&m->ca->crl_text, "X509 CRL", buf_bytes(&der), e);
}

/* Why the list has to be written; NULL: the one on disk will do. */
static const char *judge(struct making *m, const struct ca_crl_view *old, bool own)
{
	bool kept = own && carry_over(m, old->revoked), same = add_revoked(m);
	int64_t half = (old->next_update - old->this_update) / 2;

	if (old->issuer.n == 0)
		return "missing";
	if (!own)
		return "of another issuer";
	if (!kept || !same)
		return "revoked ones changed";
	if (old->next_update == 0 || m->p->o->now_s >= old->this_update + half)
		return "half of its time is over";
	return NULL;
}

static int plan(const struct certs_plan *p, struct certs_plan_item *ca, struct bytes der,
		struct err *e)
{
	struct ca_crl_view old = { 0 };
	struct making m = { p, ca, NULL, 0 };
	bool own;
	int done = 0;

	if (der.n && ca_crl_parse(der, &old, NULL) < 0)
		old = (struct ca_crl_view){ 0 };
	own = old.issuer.n && ca->key && bytes_equal(old.issuer, ca->cert.subject) &&
	      ca_crl_is_signed_by(der, ca->key);
	/* An entry of a list takes more than 16 bytes. */
	m.list = mem_new_array(count_revoked(p, ca) + old.revoked.n / 16 + 1, sizeof(*m.list));
	if (!m.list)
		return FAIL(e, NOMEM, "a revocation list");
	ca->crl_why = judge(&m, &old, own);
	ca->crl_fresh = ca->crl_why == NULL;
	ca->crl_number = (uint64_t)p->o->now_s;
	if (old.number != UINT64_MAX && old.number >= ca->crl_number)
		ca->crl_number = old.number + 1;
	if (!ca->crl_fresh)
		done = write_list(&m, e);
	mem_free(m.list);
	return done;
}

int certs_plan_crl(const struct certs_plan *p, struct certs_plan_item *ca, struct err *e)
{
	AUTO(buf_fini) struct buf text = buf_init(CERTS_FILE_MAX), der = buf_init(CERTS_FILE_MAX);
	struct pem pem = { .line = 1 };
	char path[CERTS_PATH_MAX];
	struct bytes label;

	if (certs_path(p, ca->entry, "-crl.pem", path, e) < 0 ||
	    certs_disk_read(path, &text, e) < 0)
		return -1;
	ca->crl_wanted = text.n != 0 || count_revoked(p, ca) != 0;
	if (!ca->crl_wanted)
		return 0;
	pem.rest = buf_bytes(&text);
	if (pem_next(&pem, &label, &der, NULL) != PEM_BLOCK)
		buf_clear(&der);
	if (plan(p, ca, buf_bytes(&der), e) < 0)
		return -1;
	return ca->crl_fresh ? buf_add(&ca->crl_text, buf_bytes(&text), e) : 0;
}
