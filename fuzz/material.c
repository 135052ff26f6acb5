/* Any bytes as a file of certificates: what is taken from it can be looked at in every way. */
#include <stdlib.h>

#include "pki/extension_text.h"
#include "pki/material.h"
#include "pki/note.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(struct bytes der)
{
	struct buf text = buf_init(1 << 20);
	struct notes n = { 0 };
	struct cert_extension x;
	struct bytes rest;
	struct cert c;

	if (cert_parse(der, &c, NULL) < 0)
		return;
	cert_notes(&c, true, 1717200000, &n);
	cert_notes(&c, false, 0, &n);
	chain_notes((struct cert[]){ c, c }, 2, &n);
	notes_sort(&n);
	rest = c.extensions;
	while (cert_extension_next(&rest, &x)) {
		if (extension_text(&x, &text, NULL) < 0)
			abort();
		for (size_t i = 0; i < text.n; i++) {
			if (text.p[i] < 0x20)
				abort();
		}
		buf_clear(&text);
	}
	buf_fini(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct material m = { 0 };

	if (material_read(&m, bytes_of(data, size), NULL, NULL) < 0 && m.count)
		abort();
	for (size_t i = 0; i < m.count; i++) {
		if (m.items[i].kind == MATERIAL_CERT)
			look(m.items[i].der);
	}
	material_fini(&m);
	return 0;
}
