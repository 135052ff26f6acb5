#include "cmd/demo_certs.h"

#include "net/loop.h"
#include "wire/der.h"

#define DER_MAX ((size_t)64 << 10)

int demo_authority_make(int64_t now_s, struct demo_authority *out, struct err *e)
{
	AUTO(buf_fini) struct buf key = buf_init_secret(DER_MAX);

	*out = (struct demo_authority){ .cert_pem = buf_init(DER_MAX) };
	if (authority_make_root("demo", now_s, &out->cert_pem, &key, e) < 0)
		return -1;
	return authority_new(buf_bytes(&out->cert_pem), buf_bytes(&key), &out->by, e);
}

void demo_authority_fini(struct demo_authority *a)
{
	authority_free(a->by);
	buf_fini(&a->cert_pem);
}

/* Name ::= one commonName */
static void put_name(struct wr *w, const char *cn)
{
	struct der_mark name = der_begin(w, DER_SEQUENCE), set = der_begin(w, DER_SET),
			seq = der_begin(w, DER_SEQUENCE);

	der_put(w, DER_OID, bytes_of("\x55\x04\x03", 3));
	der_put(w, DER_UTF8_STRING, bytes_str(cn));
	der_end(w, seq);
	der_end(w, set);
	der_end(w, name);
}

static void put_alternative_name(struct wr *w, const char *dns)
{
	struct der_mark open = der_begin(w, DER_CONTEXT_OPEN(3)), list = der_begin(w, DER_SEQUENCE),
			one = der_begin(w, DER_SEQUENCE), value, names;

	der_put(w, DER_OID, bytes_of("\x55\x1d\x11", 3));
	value = der_begin(w, DER_OCTET_STRING);
	names = der_begin(w, DER_SEQUENCE);
	der_put(w, DER_CONTEXT(2), bytes_str(dns));
	der_end(w, names);
	der_end(w, value);
	der_end(w, one);
	der_end(w, list);
	der_end(w, open);
}

static void put_tbs(struct wr *w, const struct demo_server_certificate *c, struct bytes algorithm,
		    struct bytes spki)
{
	struct der_mark tbs = der_begin(w, DER_SEQUENCE), part = der_begin(w, DER_CONTEXT_OPEN(0));

	der_put_uint(w, 2);
	der_end(w, part);
	der_put_uint(w, 1);
	wr_bytes(w, algorithm);
	put_name(w, c->name);
	part = der_begin(w, DER_SEQUENCE);
	der_put_time(w, c->not_before);
	der_put_time(w, c->not_after);
	der_end(w, part);
	put_name(w, c->name);
	wr_bytes(w, spki);
	put_alternative_name(w, c->name);
	der_end(w, tbs);
}

/* A certificate that nobody signed: the pattern of which the authority mints a real one. */
static int make_pattern(const struct demo_server_certificate *c, struct bytes spki, struct buf *out,
			struct err *e)
{
	/* ecdsa-with-SHA256 */
	static const char algorithm[] = "\x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02";
	struct bytes ecdsa = bytes_of(algorithm, sizeof(algorithm) - 1);
	struct wr w = wr_init(out);
	struct der_mark whole = der_begin(&w, DER_SEQUENCE);

	put_tbs(&w, c, ecdsa, spki);
	wr_bytes(&w, ecdsa);
	der_put_bits(&w, bytes_of("", 1), 0);
	der_end(&w, whole);
	return wr_end(&w, e);
}

static int make_leaf(const struct demo_authority *a, const struct demo_server_certificate *c,
		     struct bytes spki, struct buf *leaf, struct err *e)
{
	AUTO(buf_fini) struct buf pattern = buf_init(DER_MAX);
	uint8_t serial[16];
	struct mint_request q = { .by = a->by, .spki = spki, .serial = serial };

	if (make_pattern(c, spki, &pattern, e) < 0 || random_bytes(serial, sizeof(serial), e) < 0)
		return -1;
	q.origin_der = buf_bytes(&pattern);
	return mint_leaf(&q, leaf, NULL, e);
}

int demo_identity_make(const struct demo_authority *a, const struct demo_server_certificate *c,
		       struct tls_identity **out, struct err *e)
{
	AUTO(key_pair_fini) struct key_pair pair = { 0 };
	AUTO(buf_fini) struct buf leaf = buf_init(DER_MAX);
	struct tls_key *key;
	struct bytes chain;
	int r;

	if (key_pair_make(KEY_P256, &pair, e) < 0 ||
	    make_leaf(a, c, buf_bytes(&pair.spki), &leaf, e) < 0 ||
	    tls_key_new(buf_bytes(&pair.pkcs8), &key, e) < 0)
		return -1;
	chain = buf_bytes(&leaf);
	r = tls_identity_new(&chain, 1, key, out, e);
	tls_key_free(key);
	return r;
}
