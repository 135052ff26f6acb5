#include <stdarg.h>
#include <stdio.h>

#include "base/escape.h"
#include "ca/crl.h"
#include "ca/csr.h"
#include "cmd/certs_view.h"
#include "crypt/hash.h"
#include "pki/extension_text.h"
#include "wire/base64.h"

#define LONG_BUNDLE 8 /* of more certificates than this only the first is told in full */
#define DAY_S 86400

void certs_say(struct certs_out *o, const char *fmt, ...)
{
	char line[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (!o->failed && buf_add(o->b, bytes_str(line), o->e) < 0)
		o->failed = true;
}

const char *certs_hex(struct bytes b, char *out, size_t size)
{
	size_t at = 0;

	out[0] = 0;
	for (size_t i = 0; i < b.n; i++) {
		if (at + 7 > size) {
			snprintf(out + at, size - at, "...");
			break;
		}
		at += (size_t)snprintf(out + at, size - at, "%s%02X", i ? ":" : "", b.p[i]);
	}
	return out;
}

const char *certs_fingerprint(const struct cert *c, char out[CERTS_PRINT_MAX])
{
	struct sha256 h;

	out[0] = 0;
	if (sha256_of(&c->der, 1, &h, NULL) == 0)
		certs_hex(sha256_bytes(&h), out, CERTS_PRINT_MAX);
	return out;
}

const char *certs_pin(const struct cert *c, char out[CERTS_PRINT_MAX])
{
	AUTO(buf_fini) struct buf text = buf_init(CERTS_PRINT_MAX);
	struct sha256 h;

	out[0] = 0;
	if (sha256_of(&c->spki, 1, &h, NULL) == 0 &&
	    base64_write(sha256_bytes(&h), &text, NULL) == 0)
		snprintf(out, CERTS_PRINT_MAX, "sha256/%.*s", BYTES_FMT(buf_bytes(&text)));
	return out;
}

const struct path *certs_main_path(const struct path_report *r)
{
	for (size_t i = 0; i < r->count; i++) {
		if (r->paths[i].chosen)
			return &r->paths[i];
	}
	return r->count ? &r->paths[0] : NULL;
}

static const char *short_name(struct bytes der, char *out, size_t size)
{
	struct cert c;

	if (cert_parse(der, &c, NULL) < 0)
		return "(cannot be read)";
	if (name_is_empty(c.subject))
		return cert_names_text(&c, out, size);
	return name_short_text(c.subject, out, size);
}

/* ---- one certificate */

static void put_note(struct certs_out *o, const struct note *n, const char *whose)
{
	certs_say(o, "  %-8s%s%s%s\n", note_level_text(n->level), whose, whose[0] ? ": " : "",
		  n->sentence);
	if (n->remedy[0])
		certs_say(o, "          -> %s\n", n->remedy);
}

static void put_names(struct certs_out *o, const struct cert *c)
{
	struct bytes rest = c->san;
	struct san s;
	char text[340];
	bool any = false;

	while (san_next(&rest, &s)) {
		certs_say(o, "%s%s", any ? ", " : "  for         ",
			  san_kind_text(&s, text, sizeof(text)));
		any = true;
	}
	if (any)
		certs_say(o, "\n");
}

static void put_validity(struct certs_out *o, const struct cert *c, int64_t now)
{
	int64_t left = c->not_after - now;
	char from[16], to[16];

	certs_say(o, "  valid       %s to %s", date_text(c->not_before, from),
		  date_text(c->not_after, to));
	if (left < 0)
		certs_say(o, ", ended %lld days ago\n", (long long)(-left / DAY_S));
	else if (now < c->not_before)
		certs_say(o, ", begins in %lld days\n", (long long)((c->not_before - now) / DAY_S));
	else if (left < 2 * DAY_S)
		certs_say(o, ", %lld hours left\n", (long long)(left / 3600));
	else
		certs_say(o, ", %lld days left\n", (long long)(left / DAY_S));
}

static void put_extensions(struct certs_out *o, const struct cert *c)
{
	struct bytes rest = c->extensions;
	struct cert_extension x;
	char room[64];

	if (rest.n)
		certs_say(o, "  extensions\n");
	while (cert_extension_next(&rest, &x)) {
		certs_say(o, "    %s%s: ", extension_title(x.oid, room),
			  x.critical ? " (critical)" : "");
		if (!o->failed && extension_text(&x, o->b, o->e) < 0)
			o->failed = true;
		certs_say(o, "\n");
	}
}

static void put_cert(struct certs_out *o, const struct cert *c, int64_t now)
{
	char text[1024], print[CERTS_PRINT_MAX], room[64];
	struct bytes serial = c->serial;

	if (serial.n > 1 && serial.p[0] == 0)
		serial = bytes_slice(serial, 1, serial.n);
	put_names(o, c);
	certs_say(o, "  subject     %s\n", name_text(c->subject, text, sizeof(text)));
	certs_say(o, "  issuer      %s%s\n", name_text(c->issuer, text, sizeof(text)),
		  cert_is_self_issued(c) ? " (itself)" : "");
	put_validity(o, c, now);
	certs_say(o, "  key         %s\n", cert_key_text(&c->key, text, sizeof(text)));
	certs_say(o, "  signed by   %s\n", signature_text(c->signature_oid, room));
	certs_say(o, "  serial      %s\n", certs_hex(serial, text, sizeof(text)));
	certs_say(o, "  SHA-256     %s\n", certs_fingerprint(c, print));
	certs_say(o, "  key's pin   %s\n", certs_pin(c, print));
	put_extensions(o, c);
}

/* ---- what is not a certificate */

static void put_request(struct certs_out *o, struct bytes der)
{
	struct err why = { 0 };
	struct ca_csr csr;
	struct bytes rest;
	struct san s;
	char text[1024];

	certs_say(o, "certificate request\n");
	if (ca_csr_read(der, &csr, &why) < 0) {
		certs_say(o, "  error   %s\n", why.sentence);
		return;
	}
	certs_say(o, "  subject     %s\n", name_text(buf_bytes(&csr.subject), text, sizeof(text)));
	rest = buf_bytes(&csr.san);
	while (san_next(&rest, &s))
		certs_say(o, "  for         %s\n", san_kind_text(&s, text, sizeof(text)));
	certs_say(o, "  key         %s\n", cert_key_text(&csr.key, text, sizeof(text)));
	ca_csr_fini(&csr);
}

static void put_crl(struct certs_out *o, struct bytes der, int64_t now)
{
	struct err why = { 0 };
	struct ca_crl_view crl;
	struct ca_revoked r;
	struct bytes rest;
	char text[1024], date[16];

	certs_say(o, "certificate revocation list\n");
	if (ca_crl_parse(der, &crl, &why) < 0) {
		certs_say(o, "  error   %s\n", why.sentence);
		return;
	}
	if (crl.next_update && crl.next_update < now)
		certs_say(o,
			  "  error   it should have been renewed by %s\n          -> fetch the "
			  "new one\n",
			  date_text(crl.next_update, date));
	certs_say(o, "  issuer      %s\n", name_text(crl.issuer, text, sizeof(text)));
	certs_say(o, "  of          %s\n", date_text(crl.this_update, date));
	if (crl.next_update)
		certs_say(o, "  next        %s\n", date_text(crl.next_update, date));
	if (crl.number)
		certs_say(o, "  number      %llu\n", (unsigned long long)crl.number);
	rest = crl.revoked;
	while (ca_crl_next(&rest, &r))
		certs_say(o, "  revoked     %s on %s\n", certs_hex(r.serial, text, sizeof(text)),
			  date_text(r.at, date));
}

/* ---- paths */

static void put_fault(struct certs_out *o, const struct path_fault *f)
{
	certs_say(o, "    no: %s%s%s%s\n", f->sentence, f->section[0] ? " (" : "", f->section,
		  f->section[0] ? ")" : "");
	if (f->remedy[0])
		certs_say(o, "        -> %s\n", f->remedy);
}

static void put_path(struct certs_out *o, const struct path *p, size_t number)
{
	char name[100];

	certs_say(o, "  path %zu%s: %s\n", number, p->chosen ? ", the one that libcrypto took" : "",
		  p->fault_count ? "fails" : "holds");
	for (size_t i = 0; i < p->count; i++)
		certs_say(o, "    %zu %s%s\n", i, short_name(p->steps[i].der, name, sizeof(name)),
			  p->steps[i].trusted ? " (trusted)" : "");
	for (size_t i = 0; i < p->fault_count; i++)
		put_fault(o, &p->faults[i]);
}

static void put_report(struct certs_out *o, const struct path_report *r)
{
	const struct path *first = certs_main_path(r);
	bool other = false;

	certs_say(o, "%s\n", r->ok ? "verified" : "not verified");
	if (!r->ok)
		certs_say(o, "  libcrypto: %s\n", r->verdict);
	if (first)
		put_path(o, first, 1);
	for (size_t i = 0, n = 2; i < r->count; i++) {
		other |= r->paths[i].fault_count == 0;
		if (&r->paths[i] != first)
			put_path(o, &r->paths[i], n++);
	}
	if (r->more)
		certs_say(o, "  and more paths, which are not told\n");
	if (!r->ok && other)
		certs_say(o,
			  "  one of these paths holds, but libcrypto does not try them all: leave "
			  "out the certificates that lead it astray\n");
	if (r->skipped)
		certs_say(o, "  %zu certificates or CRLs cannot be read and were left out\n",
			  r->skipped);
}

int certs_report_text(const struct path_report *r, struct buf *out, struct err *e)
{
	struct certs_out o = { .b = out, .e = e };

	put_report(&o, r);
	return o.failed ? -1 : 0;
}

/* The root at the top, each certificate below its issuer. */
static void put_tree(struct certs_out *o, const struct path *p)
{
	char name[100];

	certs_say(o, "chain\n");
	for (size_t i = p->count, depth = 0; i-- > 0; depth++)
		certs_say(o, "  %*s%s%s%s\n", (int)(2 * depth), "", depth ? "- " : "",
			  short_name(p->steps[i].der, name, sizeof(name)),
			  p->steps[i].trusted ? " (trusted here)" : "");
}

/* ---- all of it */

/* One line: its name, and the worst of what is wrong with it. */
static void put_briefly(struct certs_out *o, const struct certs_shown *s, size_t i)
{
	const struct notes *n = &s->notes[i];
	bool bad = n->count && n->list[0].level == NOTE_ERROR;
	char name[100];

	certs_say(o, "%zu. %s%s%s\n", i + 1, short_name(s->certs[i].der, name, sizeof(name)),
		  bad ? ": " : "", bad ? n->list[0].sentence : "");
}

static void put_certs(struct certs_out *o, const struct certs_shown *s)
{
	char name[100];

	for (size_t i = 0; i < s->count; i++) {
		const struct cert *c = &s->certs[i];

		if (i > 0 && s->count > LONG_BUNDLE) {
			put_briefly(o, s, i);
			continue;
		}
		certs_say(o, "%scertificate %zu of %zu: %s\n", i ? "\n" : "", i + 1, s->count,
			  short_name(c->der, name, sizeof(name)));
		put_cert(o, c, s->now_s);
	}
}

/* Those of one level, of the chain and of each certificate. */
static void put_level(struct certs_out *o, const struct certs_shown *s, enum note_level level)
{
	size_t told = s->count <= LONG_BUNDLE ? s->count : 1;
	char name[100];

	for (size_t i = 0; i < s->chain->count; i++) {
		if (s->chain->list[i].level == level)
			put_note(o, &s->chain->list[i], "");
	}
	for (size_t i = 0; i < told; i++) {
		const char *whose =
			s->count > 1 ? short_name(s->certs[i].der, name, sizeof(name)) : "";

		for (size_t k = 0; k < s->notes[i].count; k++) {
			if (s->notes[i].list[k].level == level)
				put_note(o, &s->notes[i].list[k], whose);
		}
	}
}

static void put_notes(struct certs_out *o, const struct certs_shown *s)
{
	size_t before = o->b->n;

	put_level(o, s, NOTE_ERROR);
	put_level(o, s, NOTE_WARNING);
	put_level(o, s, NOTE_HINT);
	if (s->count && o->b->n == before)
		certs_say(o, "  nothing to warn of\n");
}

static void put_verdict(struct certs_out *o, const struct certs_shown *s)
{
	const struct path *p = s->report ? certs_main_path(s->report) : NULL;

	if (!p)
		return;
	certs_say(o, "\n");
	put_tree(o, p);
	if (s->report->ok)
		certs_say(o, "  verified: this machine trusts it%s\n",
			  s->from_host ? " for this name" : "");
	else
		certs_say(o, "  not verified: %s\n",
			  p->fault_count ? p->faults[0].sentence : s->report->verdict);
}

int certs_show_text(const struct certs_shown *s, struct buf *out, struct err *e)
{
	struct certs_out o = { .b = out, .e = e };
	char source[300];

	certs_say(&o, "%s\n", escape_to(source, sizeof(source), bytes_str(s->source)));
	put_notes(&o, s);
	if (s->count)
		certs_say(&o, "\n");
	put_certs(&o, s);
	put_verdict(&o, s);
	for (size_t i = 0; i < s->material->count; i++) {
		const struct material_item *m = &s->material->items[i];

		if (m->kind == MATERIAL_REQUEST)
			put_request(&o, m->der);
		if (m->kind == MATERIAL_CRL)
			put_crl(&o, m->der, s->now_s);
	}
	if (s->material->keys)
		certs_say(&o, "%zu private key%s beside it, not looked at\n", s->material->keys,
			  s->material->keys == 1 ? "" : "s");
	return o.failed ? -1 : 0;
}
