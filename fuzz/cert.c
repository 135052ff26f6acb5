/* Any bytes as a certificate: what is read can be walked and told, and lies within the bytes. */
#include <stdlib.h>

#include "pki/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(struct bytes whole, struct bytes part)
{
	if (part.n && (part.p < whole.p || part.p + part.n > whole.p + whole.n))
		abort();
}

static void short_enough(const char *text, size_t size)
{
	if (strlen(text) >= size)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size), rest, oid;
	struct cert_extension x;
	struct cert c;
	struct san s;
	char text[100];

	if (cert_length(der) > size)
		abort();
	if (cert_parse(der, &c, NULL) < 0)
		return 0;
	rest = c.extensions;
	while (cert_extension_next(&rest, &x))
		within(der, x.value);
	rest = c.san;
	while (san_next(&rest, &s))
		within(der, s.value);
	rest = c.eku;
	while (eku_next(&rest, &oid))
		within(der, oid);
	within(der, c.spki);
	within(der, c.key.public);
	for (size_t n = 1; n <= sizeof(text); n += 9) {
		short_enough(name_text(c.subject, text, n), n);
		short_enough(name_short_text(c.issuer, text, n), n);
		short_enough(cert_names_text(&c, text, n), n);
		short_enough(cert_key_text(&c.key, text, n), n);
	}
	return 0;
}
