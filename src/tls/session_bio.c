/* The BIO between libssl and a session: reads what was fed, writes to out. */
#include <openssl/bio.h>

#include "tls/library.h"
#include "tls/session.h"

static int bio_read(BIO *bio, char *p, size_t n, size_t *got)
{
	struct tls *t = BIO_get_data(bio);
	struct bytes part = bytes_slice(t->in, t->used, n);

	BIO_clear_retry_flags(bio);
	*got = part.n;
	if (part.n == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	memcpy(p, part.p, part.n);
	t->used += part.n;
	return 1;
}

static int bio_write(BIO *bio, const char *p, size_t n, size_t *done)
{
	struct tls *t = BIO_get_data(bio);
	struct err e;

	BIO_clear_retry_flags(bio);
	*done = 0;
	if (buf_add(t->out, bytes_of(p, n), &e) < 0) {
		t->fault = e.code;
		return 0;
	}
	*done = n;
	return 1;
}

static long bio_ctrl(BIO *bio, int command, long arg, void *pointer)
{
	(void)bio;
	(void)arg;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

BIO_METHOD *session_bio_method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "oriel");

	if (!m)
		return NULL;
	BIO_meth_set_read_ex(m, bio_read);
	BIO_meth_set_write_ex(m, bio_write);
	BIO_meth_set_ctrl(m, bio_ctrl);
	return m;
}
