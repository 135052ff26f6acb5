/* Any bytes as an origin's certificate: minting fails with a sentence, or gives a leaf that both
 * readers take and that is no CA. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#include "pki/cert.h"
#include "pki/mint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct authority *by;
static struct key_pair key;

static void set_up(void)
{
	struct buf cert = buf_init(10000), pkcs8 = buf_init_secret(10000);

	if (authority_make_root("fuzz", 1717200000, &cert, &pkcs8, NULL) < 0 ||
	    authority_new(buf_bytes(&cert), buf_bytes(&pkcs8), &by, NULL) < 0 ||
	    key_pair_make(KEY_P256, &key, NULL) < 0)
		abort();
	buf_fini(&cert);
	buf_fini(&pkcs8);
}

static void check(struct bytes der, struct bytes origin)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	struct err e = { 0 };
	struct cert c, o;

	if (!x || p != der.p + der.n || cert_parse(der, &c, &e) < 0 ||
	    cert_parse(origin, &o, &e) < 0 || cert_agrees_with_libcrypto(&c, x, &e) < 0) {
		fprintf(stderr, "%s\n", x ? e.sentence : "libcrypto refuses it");
		ERR_print_errors_fp(stderr);
		abort();
	}
	if (c.version != 3 || c.is_ca || X509_check_ca(x) != 0 ||
	    (X509_get_extension_flags(x) & (EXFLAG_CA | EXFLAG_SS)) ||
	    (X509_get_key_usage(x) != UINT32_MAX &&
	     (X509_get_key_usage(x) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN))) ||
	    !bytes_equal(c.subject, o.subject) || !bytes_equal(c.san, o.san) ||
	    c.not_before != o.not_before || c.not_after != o.not_after)
		abort();
	X509_free(x);
	ERR_clear_error();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t serial[16] = { 1 };
	struct mint_request req = { .origin_der = bytes_of(data, size), .serial = serial };
	struct buf out = buf_init(1 << 22);
	struct mint_notes notes;
	struct err e = { 0 };

	if (!by)
		set_up();
	req.by = by;
	req.spki = buf_bytes(&key.spki);
	if (mint_leaf(&req, &out, &notes, &e) == 0)
		check(buf_bytes(&out), req.origin_der);
	else if (out.n || !e.sentence[0])
		abort();
	buf_fini(&out);
	return 0;
}
