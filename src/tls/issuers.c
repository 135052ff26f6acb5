#include "tls/issuers.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <pthread.h>

#include "base/mem.h"
#include "tls/library.h"

#define ISSUERS_MAX 8

struct issuer {
	struct bytes der; /* owned */
	X509 *cert;
};

static struct {
	pthread_mutex_t lock;
	struct issuer known[ISSUERS_MAX];
	size_t next; /* the one to give up for a new one */
} memory = { .lock = PTHREAD_MUTEX_INITIALIZER };

X509 *issuers_decode(struct bytes der)
{
	const uint8_t *p = der.p;
	X509 *x = X509_new_ex(library_ctx(), NULL);

	if (!x || der.n > INT32_MAX || !d2i_X509(&x, &p, (long)der.n) || p != der.p + der.n) {
		X509_free(x);
		x = NULL;
	}
	ERR_clear_error();
	return x;
}

static X509 *find(struct bytes der)
{
	for (size_t i = 0; i < ISSUERS_MAX; i++) {
		struct issuer *known = &memory.known[i];

		if (known->cert && bytes_equal(known->der, der) && X509_up_ref(known->cert))
			return known->cert;
	}
	return NULL;
}

static void forget(struct issuer *i)
{
	X509_free(i->cert);
	mem_free((void *)(uintptr_t)i->der.p);
	*i = (struct issuer){ 0 };
}

/* Without memory for it nothing is remembered. */
static void remember(struct bytes der, X509 *x)
{
	struct issuer *slot = &memory.known[memory.next];
	uint8_t *copy = mem_dup(der);

	if (!copy || !X509_up_ref(x)) {
		mem_free(copy);
		return;
	}
	forget(slot);
	*slot = (struct issuer){ bytes_of(copy, der.n), x };
	memory.next = (memory.next + 1) % ISSUERS_MAX;
}

X509 *issuers_get(struct bytes der)
{
	X509 *x;

	pthread_mutex_lock(&memory.lock);
	x = find(der);
	if (!x) {
		x = issuers_decode(der);
		if (x)
			remember(der, x);
	}
	pthread_mutex_unlock(&memory.lock);
	return x;
}

void issuers_fini(void)
{
	for (size_t i = 0; i < ISSUERS_MAX; i++)
		forget(&memory.known[i]);
	memory.next = 0;
}
