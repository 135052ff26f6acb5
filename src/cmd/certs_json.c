/* The same as JSON: every text has gone through the escaper before it becomes a string. */
#include <jansson.h>

#include "base/escape.h"
#include "ca/crl.h"
#include "ca/csr.h"
#include "cmd/certs_view.h"
#include "flow/put.h"
#include "pki/extension_text.h"

#define EXTENSION_MAX ((size_t)4 << 20)

static void set(json_t *o, const char *key, const char *text)
{
	(void)json_object_set_new(o, key, json_string(text));
}

static void set_time(json_t *o, const char *key, int64_t unix_s)
{
	struct buf b = buf_init(64);
	struct put w = put_init(&b, NULL);

	put_time(&w, unix_s > INT64_MAX / 1000000000 ? INT64_MAX : unix_s * 1000000000);
	if (put_end(&w) == 0)
		(void)json_object_set_new(o, key, json_stringn((const char *)b.p, b.n));
	buf_fini(&b);
}

static json_t *names_json(struct bytes san)
{
	json_t *list = json_array();
	char text[340];
	struct san s;

	while (san_next(&san, &s))
		(void)json_array_append_new(list,
					    json_string(san_kind_text(&s, text, sizeof(text))));
	return list;
}

static json_t *extensions_json(const struct cert *c)
{
	json_t *list = json_array();
	struct bytes rest = c->extensions;
	struct buf text = buf_init(EXTENSION_MAX);
	struct cert_extension x;
	char room[64];

	while (cert_extension_next(&rest, &x)) {
		json_t *one = json_object();

		buf_clear(&text);
		set(one, "name", extension_title(x.oid, room));
		(void)json_object_set_new(one, "critical", json_boolean(x.critical));
		if (extension_text(&x, &text, NULL) == 0)
			(void)json_object_set_new(one, "value",
						  json_stringn((const char *)text.p, text.n));
		(void)json_array_append_new(list, one);
	}
	buf_fini(&text);
	return list;
}

static json_t *usage_json(const struct cert *c)
{
	json_t *list = json_array();

	for (enum key_usage u = USAGE_DIGITAL_SIGNATURE; u <= USAGE_DECIPHER_ONLY; u++) {
		if (c->has & CERT_HAS_KEY_USAGE && c->key_usage & 1u << u)
			(void)json_array_append_new(list, json_string(key_usage_name(u)));
	}
	return list;
}

static json_t *purposes_json(const struct cert *c)
{
	json_t *list = json_array();
	struct bytes rest = c->eku, oid;
	char room[64];

	while (eku_next(&rest, &oid))
		(void)json_array_append_new(list, json_string(eku_title(oid, room)));
	return list;
}

static json_t *notes_json(const struct notes *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n->count; i++) {
		json_t *one = json_object();

		set(one, "level", note_level_text(n->list[i].level));
		set(one, "word", n->list[i].word);
		set(one, "sentence", n->list[i].sentence);
		set(one, "remedy", n->list[i].remedy);
		(void)json_array_append_new(list, one);
	}
	return list;
}

static json_t *cert_json(const struct cert *c, const struct notes *n, int64_t now)
{
	json_t *o = json_object();
	char text[1024], print[CERTS_PRINT_MAX], room[64];
	struct bytes serial = c->serial;

	if (serial.n > 1 && serial.p[0] == 0)
		serial = bytes_slice(serial, 1, serial.n);
	set(o, "subject", name_text(c->subject, text, sizeof(text)));
	set(o, "issuer", name_text(c->issuer, text, sizeof(text)));
	(void)json_object_set_new(o, "names", names_json(c->san));
	set_time(o, "not_before", c->not_before);
	set_time(o, "not_after", c->not_after);
	(void)json_object_set_new(o, "seconds_left", json_integer(c->not_after - now));
	set(o, "key", cert_key_text(&c->key, text, sizeof(text)));
	set(o, "signature", signature_text(c->signature_oid, room));
	set(o, "serial", certs_hex(serial, text, sizeof(text)));
	(void)json_object_set_new(o, "version", json_integer((json_int_t)c->version));
	(void)json_object_set_new(o, "ca", json_boolean(c->is_ca));
	(void)json_object_set_new(o, "key_usage", usage_json(c));
	(void)json_object_set_new(o, "extended_key_usage", purposes_json(c));
	set(o, "sha256", certs_fingerprint(c, print));
	set(o, "pin", certs_pin(c, print));
	(void)json_object_set_new(o, "extensions", extensions_json(c));
	(void)json_object_set_new(o, "notes", notes_json(n));
	return o;
}

static json_t *request_json(struct bytes der)
{
	json_t *o = json_object();
	struct err why = { 0 };
	struct ca_csr csr;
	char text[1024];

	if (ca_csr_read(der, &csr, &why) < 0) {
		set(o, "error", why.sentence);
		return o;
	}
	set(o, "subject", name_text(buf_bytes(&csr.subject), text, sizeof(text)));
	(void)json_object_set_new(o, "names", names_json(buf_bytes(&csr.san)));
	set(o, "key", cert_key_text(&csr.key, text, sizeof(text)));
	ca_csr_fini(&csr);
	return o;
}

static json_t *crl_json(struct bytes der)
{
	json_t *o = json_object(), *list = json_array();
	struct err why = { 0 };
	struct ca_crl_view crl;
	struct ca_revoked r;
	char text[1024];

	if (ca_crl_parse(der, &crl, &why) < 0) {
		set(o, "error", why.sentence);
		json_decref(list);
		return o;
	}
	set(o, "issuer", name_text(crl.issuer, text, sizeof(text)));
	set_time(o, "this_update", crl.this_update);
	if (crl.next_update)
		set_time(o, "next_update", crl.next_update);
	while (ca_crl_next(&crl.revoked, &r)) {
		json_t *one = json_object();

		set(one, "serial", certs_hex(r.serial, text, sizeof(text)));
		set_time(one, "at", r.at);
		(void)json_array_append_new(list, one);
	}
	(void)json_object_set_new(o, "revoked", list);
	return o;
}

static json_t *path_json(const struct path *p)
{
	json_t *o = json_object(), *steps = json_array(), *faults = json_array();
	char text[1024];
	struct cert c;

	for (size_t i = 0; i < p->count; i++) {
		json_t *one = json_object();

		if (cert_parse(p->steps[i].der, &c, NULL) == 0)
			set(one, "subject", name_text(c.subject, text, sizeof(text)));
		(void)json_object_set_new(one, "trusted", json_boolean(p->steps[i].trusted));
		(void)json_array_append_new(steps, one);
	}
	for (size_t i = 0; i < p->fault_count; i++) {
		const struct path_fault *f = &p->faults[i];
		json_t *one = json_object();

		(void)json_object_set_new(one, "step", json_integer((json_int_t)f->at));
		set(one, "word", f->word);
		(void)json_object_set_new(one, "error", json_integer(f->error));
		set(one, "section", f->section);
		set(one, "sentence", f->sentence);
		set(one, "remedy", f->remedy);
		(void)json_array_append_new(faults, one);
	}
	(void)json_object_set_new(o, "chosen", json_boolean(p->chosen));
	(void)json_object_set_new(o, "holds", json_boolean(p->fault_count == 0));
	(void)json_object_set_new(o, "steps", steps);
	(void)json_object_set_new(o, "faults", faults);
	return o;
}

static json_t *report_json(const struct path_report *r)
{
	json_t *o = json_object(), *paths = json_array();

	for (size_t i = 0; i < r->count; i++)
		(void)json_array_append_new(paths, path_json(&r->paths[i]));
	(void)json_object_set_new(o, "ok", json_boolean(r->ok));
	(void)json_object_set_new(o, "error", json_integer(r->error));
	set(o, "libcrypto", r->verdict);
	(void)json_object_set_new(o, "paths", paths);
	(void)json_object_set_new(o, "more", json_boolean(r->more));
	return o;
}

static int add_text(const char *p, size_t n, void *out)
{
	return buf_add(out, bytes_of(p, n), NULL);
}

/* One line. Takes o. */
static int dump(json_t *o, struct buf *out, struct err *e)
{
	int done = o && json_dump_callback(o, add_text, out, JSON_COMPACT) == 0
			   ? buf_add(out, bytes_str("\n"), e)
			   : FAIL(e, NOMEM, "JSON");

	json_decref(o);
	return done;
}

int certs_report_json(const struct path_report *r, struct buf *out, struct err *e)
{
	json_t *o = report_json(r);

	(void)json_object_set_new(o, "v", json_integer(1));
	return dump(o, out, e);
}

int certs_show_json(const struct certs_shown *s, struct buf *out, struct err *e)
{
	json_t *o = json_object(), *certs = json_array(), *requests = json_array(),
	       *crls = json_array();
	char source[300];

	for (size_t i = 0; i < s->count; i++)
		(void)json_array_append_new(certs, cert_json(&s->certs[i], &s->notes[i], s->now_s));
	for (size_t i = 0; i < s->material->count; i++) {
		const struct material_item *m = &s->material->items[i];

		if (m->kind == MATERIAL_REQUEST)
			(void)json_array_append_new(requests, request_json(m->der));
		if (m->kind == MATERIAL_CRL)
			(void)json_array_append_new(crls, crl_json(m->der));
	}
	(void)json_object_set_new(o, "v", json_integer(1));
	set(o, "source", escape_to(source, sizeof(source), bytes_str(s->source)));
	(void)json_object_set_new(o, "certificates", certs);
	(void)json_object_set_new(o, "requests", requests);
	(void)json_object_set_new(o, "crls", crls);
	(void)json_object_set_new(o, "private_keys", json_integer((json_int_t)s->material->keys));
	(void)json_object_set_new(o, "notes", notes_json(s->chain));
	if (s->report)
		(void)json_object_set_new(o, "verdict", report_json(s->report));
	return dump(o, out, e);
}
