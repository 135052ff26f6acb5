#include "pki/trust.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/mem.h"
#include "pki/bundle.h"
#include "pki/cert.h"
#include "pki/key.h"
#include "pki/x509.h"

static uint64_t next_generation(void)
{
	static atomic_uint_least64_t last;

	return atomic_fetch_add(&last, 1) + 1;
}

/* NULL when libcrypto cannot read it, or reads something else than we do. */
static X509 *read_root(struct bytes der)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	struct cert c;

	/* X509_check_purpose fills the handle's own cache, before threads share it. */
	if (x && p == der.p + der.n && cert_parse(der, &c, NULL) == 0 &&
	    cert_agrees_with_libcrypto(&c, x, NULL) == 0 && X509_check_purpose(x, -1, 0) == 1)
		return x;
	X509_free(x);
	return NULL;
}

static int add_root(struct trust *t, struct bytes der, size_t *count, size_t *skipped,
		    struct err *e)
{
	X509 *x = read_root(der);
	bool added = x && X509_STORE_add_cert(t->store, x) == 1;

	X509_free(x);
	if (!x) {
		(*skipped)++;
		return 0;
	}
	if (!added)
		return crypto_fail(e, ERR_NOMEM, "a root cannot be added");
	(*count)++;
	return 0;
}

static int add_roots(struct trust *t, struct bytes pem, size_t *count, size_t *skipped,
		     struct err *e)
{
	AUTO(buf_fini) struct buf der = buf_init(CERT_SIZE_MAX);
	struct pem p = { .rest = pem, .line = 1 };

	for (;;) {
		switch (pem_next_cert(&p, &der, e)) {
		case PEM_BLOCK:
			if (add_root(t, buf_bytes(&der), count, skipped, e) < 0)
				return -1;
			break;
		case PEM_BAD:
			(*skipped)++;
			break;
		case PEM_END:
			return 0;
		case PEM_NOMEM:
			return -1;
		}
	}
}

int trust_new(struct bytes pem, struct trust **out, size_t *count, size_t *skipped, struct err *e)
{
	struct trust *t = mem_new(sizeof(*t));
	size_t good = 0, bad = 0;

	if (!t)
		return FAIL(e, NOMEM, "a set of roots");
	atomic_init(&t->refs, 1);
	t->generation = next_generation();
	t->store = X509_STORE_new();
	if (!t->store) {
		mem_free(t);
		return FAIL(e, NOMEM, "a set of roots");
	}
	if (add_roots(t, pem, &good, &bad, e) < 0) {
		trust_free(t);
		return -1;
	}
	ERR_clear_error();
	if (count)
		*count = good;
	if (skipped)
		*skipped = bad;
	*out = t;
	return 0;
}

struct trust *trust_ref(struct trust *t)
{
	atomic_fetch_add(&t->refs, 1);
	return t;
}

void trust_free(struct trust *t)
{
	if (!t || atomic_fetch_sub(&t->refs, 1) != 1)
		return;
	for (size_t i = 0; i < t->excluded_count; i++)
		mem_free((void *)(uintptr_t)t->excluded[i].p);
	X509_STORE_free(t->store);
	mem_free(t);
}

int trust_exclude(struct trust *t, struct bytes der, struct err *e)
{
	struct cert c;
	void *copy;

	if (cert_parse(der, &c, e) < 0)
		return err_ctx(e, "a root to be excluded");
	if (t->excluded_count == TRUST_EXCLUDED_MAX)
		return FAIL(e, LIMIT, "more than %d roots to be excluded", TRUST_EXCLUDED_MAX);
	copy = mem_dup(c.key.public);
	if (!copy)
		return FAIL(e, NOMEM, "a root to be excluded");
	t->excluded[t->excluded_count++] = bytes_of(copy, c.key.public.n);
	t->generation = next_generation();
	return 0;
}

bool trust_excludes(const struct trust *t, const X509 *x)
{
	struct bytes public = x509_string(X509_get0_pubkey_bitstr(x));

	for (size_t i = 0; i < t->excluded_count; i++) {
		if (bytes_equal(t->excluded[i], public))
			return true;
	}
	return false;
}
