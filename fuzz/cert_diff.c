/* Any bytes as a certificate for both readers: what ours takes libcrypto takes too, and they see
 * the same. */
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>

#include "pki/cert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const unsigned char *p = data;
	struct err e = { 0 };
	struct cert c;
	X509 *x;

	if (cert_parse(bytes_of(data, size), &c, NULL) < 0)
		return 0;
	x = d2i_X509(NULL, &p, (long)size);
	if (!x || p != data + size || cert_agrees_with_libcrypto(&c, x, &e) < 0) {
		fprintf(stderr, "%s\n", x ? e.sentence : "libcrypto refuses it");
		ERR_print_errors_fp(stderr);
		abort();
	}
	X509_free(x);
	ERR_clear_error();
	return 0;
}
