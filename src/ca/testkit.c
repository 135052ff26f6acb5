#include "ca/testkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include "ca/subject.h"

struct ca_issuer made_issuer(const struct made *m)
{
	return (struct ca_issuer){ m->key, m->cert.subject, m->cert.ski };
}

struct made made_by(const struct made *by, enum key_type type, unsigned bits, struct profile p,
		    const char *subject)
{
	AUTO(buf_fini) struct buf name = buf_init(4096), spki = buf_init(4096);
	static const uint8_t serial[16] = { 0x40, 1, 2, 3 };
	struct made m = { .der = buf_init(CERT_SIZE_MAX) };
	struct ca_issuer issuer;
	struct err e = { 0 };

	if (ca_key_make(type, bits, &m.key, &e) < 0 || ca_key_spki(m.key, &spki, &e) < 0 ||
	    ca_subject_parse(bytes_str(subject), &name, NULL, &e) < 0)
		fail_msg("%s", e.sentence);
	p.subject = buf_bytes(&name);
	p.serial = p.serial.n ? p.serial : bytes_of(serial, sizeof(serial));
	p.not_before = p.not_before ? p.not_before : TESTKIT_NOW - TESTKIT_DAY;
	p.not_after = p.not_after ? p.not_after : TESTKIT_NOW + 30 * TESTKIT_DAY;
	if (by)
		issuer = made_issuer(by);
	else
		issuer = (struct ca_issuer){ m.key, p.subject, { 0 } };
	if (ca_issue(&p, buf_bytes(&spki), &issuer, &m.der, &e) < 0 ||
	    cert_parse(buf_bytes(&m.der), &m.cert, &e) < 0)
		fail_msg("%s", e.sentence);
	return m;
}

void made_fini(struct made *m)
{
	ca_key_free(m->key);
	buf_fini(&m->der);
}
