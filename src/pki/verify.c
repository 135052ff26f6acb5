/* Verdicts are remembered by a hash of the chain, the name and the set of roots. What depends on
 * the clock is not part of what is remembered: the entry holds when the leaf and its issuers are
 * valid, and each use judges that again. Only when the issuers' time has begun or ended since is
 * the path built anew, for there may be another one. */
#include "pki/verify.h"

#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/cache.h"
#include "base/mem.h"
#include "crypt/hash.h"
#include "pki/judge.h"
#include "pki/key.h"
#include "pki/x509.h"

#define CHAIN_MAX 32	  /* certificates of a chain that are looked at */
#define COMPLETE_MAX 4	  /* intermediates that are added */
#define NAME_KEY_MAX 8192 /* longer issuer names are not remembered */
#define VERDICT_AGE_S (24 * (int64_t)3600)
#define INTERMEDIATE_AGE_S (7 * 24 * (int64_t)3600)

_Static_assert(CHAIN_MAX + COMPLETE_MAX <= VERIFY_CHAIN_MAX, "a completed chain fits");

/* A certificate of an issuer that was decoded. */
struct issuer {
	unsigned refs;
	X509 *x;
	struct bytes der;     /* owned */
	struct bytes subject; /* whole, in der */
	struct bytes ski;     /* in der */
};

struct remembered {
	unsigned faults; /* without dates */
	char reason[sizeof(((struct verdict *)NULL)->reason)];
	struct span leaf, issuers;
	char first_issuer_out[64], last_issuer_in[64];
	enum span_state issuers_then; /* when it was judged */
	uint64_t learned_then;
	struct issuer *added[COMPLETE_MAX];
	size_t added_count;
	bool told; /* to somebody */
};

struct verifier {
	struct trust *trust;
	int auth_level;
	struct cache *verdicts; /* SHA-256 -> struct remembered */
	struct cache *decoded;	/* DER -> struct issuer */
	struct cache *learned;	/* subject, SKI -> struct issuer that was on a good path */
	uint64_t learned_count; /* grows with each */
};

/* The chain under judgement. */
struct chain {
	X509 *leaf;
	struct cert cert;
	struct issuer *issuers[CHAIN_MAX + COMPLETE_MAX]; /* counted */
	size_t count, sent;
	STACK_OF(X509) * untrusted; /* the same, not counted */
};

static void issuer_free(void *value)
{
	struct issuer *i = value;

	if (!i || --i->refs)
		return;
	X509_free(i->x);
	mem_free((void *)(uintptr_t)i->der.p);
	mem_free(i);
}

static struct issuer *issuer_ref(struct issuer *i)
{
	i->refs++;
	return i;
}

static void remembered_free(void *value)
{
	struct remembered *r = value;

	for (size_t i = 0; i < r->added_count; i++)
		issuer_free(r->added[i]);
	mem_free(r);
}

/* The caches count in nanoseconds of any clock. */
static int64_t cache_time(int64_t now_s)
{
	int64_t most = INT64_MAX / 1000000000;

	return (now_s > most ? most : now_s < 0 ? 0 : now_s) * 1000000000;
}

static int auth_level_of(unsigned floor_bits)
{
	static const unsigned levels[] = { 80, 112, 128, 192, 256 };
	int level = 0;

	for (size_t i = 0; i < ARRAY_LEN(levels); i++)
		level += (floor_bits ? floor_bits : 112) >= levels[i];
	return level;
}

int verifier_new(const struct verifier_options *o, struct verifier **out, struct err *e)
{
	size_t intermediates = o->max_intermediates ? o->max_intermediates : 1024;
	struct cache_options verdicts = { .max_entries = o->max_verdicts ? o->max_verdicts : 4096,
					  .max_age_ns = VERDICT_AGE_S * 1000000000,
					  .free_value = remembered_free };
	struct cache_options decoded = { .max_entries = intermediates,
					 .max_age_ns = INTERMEDIATE_AGE_S * 1000000000,
					 .free_value = issuer_free };
	struct cache_options learned = decoded;
	struct verifier *v = mem_new(sizeof(*v));

	if (!v)
		return FAIL(e, NOMEM, "a verifier");
	learned.max_entries = 2 * intermediates; /* each has two keys */
	v->trust = trust_ref(o->trust);
	v->auth_level = auth_level_of(o->floor_bits);
	if (cache_new(&verdicts, &v->verdicts, e) < 0 || cache_new(&decoded, &v->decoded, e) < 0 ||
	    cache_new(&learned, &v->learned, e) < 0) {
		verifier_free(v);
		return -1;
	}
	*out = v;
	return 0;
}

void verifier_free(struct verifier *v)
{
	if (!v)
		return;
	cache_free(v->verdicts);
	cache_free(v->decoded);
	cache_free(v->learned);
	trust_free(v->trust);
	mem_free(v);
}

/* One hash a call: over the generation of the roots, the lengths of all that follows, the name and
 * the certificates. */
static int hash_request(const struct verifier *v, const struct verify_request *req,
			struct sha256 *out, struct err *e)
{
	struct bytes parts[CHAIN_MAX + 2];
	uint64_t head[CHAIN_MAX + 2] = { v->trust->generation };
	size_t n = 1;

	parts[n++] = req->name;
	for (size_t i = 0; i < req->count && i < CHAIN_MAX; i++)
		parts[n++] = req->der[i];
	for (size_t i = 1; i < n; i++)
		head[i] = parts[i].n;
	parts[0] = bytes_of(head, n * sizeof(head[0]));
	return sha256_of(parts, n, out, e);
}

/* libcrypto's reader; NULL with the reason. */
static X509 *decode_x509(struct bytes der, struct err *why)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);

	if (!x) {
		crypto_fail(why, ERR_CERT, "certificate: libcrypto cannot read it");
		return NULL;
	}
	if (p == der.p + der.n)
		return x;
	FAIL(why, CERT, "certificate: libcrypto sees another end of it");
	X509_free(x);
	return NULL;
}

/* Both readers on one certificate, of which libcrypto's may have been at work before (given); NULL
 * with the reason. */
static X509 *decode(struct bytes der, X509 *given, struct cert *c, struct err *why)
{
	X509 *x;

	if (cert_parse(der, c, why) < 0)
		return NULL;
	if (given && X509_up_ref(given) == 1)
		x = given;
	else
		x = decode_x509(der, why);
	if (!x || cert_agrees_with_libcrypto(c, x, why) == 0)
		return x;
	X509_free(x);
	return NULL;
}

static int issuer_new(struct bytes der, struct issuer **out, struct err *e)
{
	struct err why = { 0 };
	struct issuer *i = mem_new(sizeof(*i));
	void *copy = mem_dup(der);
	struct cert c;

	if (!i || !copy) {
		mem_free(i);
		mem_free(copy);
		return FAIL(e, NOMEM, "a certificate");
	}
	i->refs = 1;
	i->der = bytes_of(copy, der.n);
	i->x = decode(i->der, NULL, &c, &why);
	if (i->x) {
		i->subject = c.subject;
		i->ski = c.ski;
	}
	*out = i; /* without a handle: a certificate that nobody may use */
	return 0;
}

/* A certificate of the chain but the leaf; decoded once. What cannot be read, or is read
 * differently by the two readers, is kept as such and never part of a path. */
static int add_issuer(struct verifier *v, struct chain *ch, struct bytes der, int64_t now,
		      struct err *e)
{
	struct issuer *i = cache_find(v->decoded, der, now);

	if (!i) {
		if (issuer_new(der, &i, e) < 0)
			return -1;
		if (cache_put(v->decoded, der, issuer_ref(i), now, e) < 0) {
			issuer_free(i);
			return -1;
		}
	} else {
		issuer_ref(i);
	}
	ch->issuers[ch->count++] = i;
	if (i->x && sk_X509_push(ch->untrusted, i->x) <= 0)
		return FAIL(e, NOMEM, "a chain");
	return 0;
}

static void chain_fini(struct chain *ch)
{
	for (size_t i = 0; i < ch->count; i++)
		issuer_free(ch->issuers[i]);
	sk_X509_free(ch->untrusted);
	X509_free(ch->leaf);
}

static struct remembered *remember_unreadable(const char *what, const struct err *why)
{
	struct remembered *r = mem_new(sizeof(*r));

	if (!r)
		return NULL;
	r->faults = 1u << VERIFY_UNREADABLE;
	r->leaf = r->issuers = (struct span){ INT64_MIN, INT64_MAX };
	r->issuers_then = SPAN_IN;
	snprintf(r->reason, sizeof(r->reason), "%s%.150s", what, why ? why->sentence : "");
	return r;
}

static struct remembered *remember(const struct verifier *v, const struct judgement *j,
				   const struct chain *ch, int64_t now_s)
{
	struct remembered *r = mem_new(sizeof(*r));

	if (!r)
		return NULL;
	r->faults = j->faults;
	memcpy(r->reason, j->reason, sizeof(r->reason));
	r->leaf = j->leaf;
	r->issuers = j->issuers;
	memcpy(r->first_issuer_out, j->first_issuer_out, sizeof(r->first_issuer_out));
	memcpy(r->last_issuer_in, j->last_issuer_in, sizeof(r->last_issuer_in));
	r->issuers_then = span_at(&j->issuers, now_s);
	r->learned_then = v->learned_count;
	for (size_t i = ch->sent; i < ch->count; i++)
		r->added[r->added_count++] = issuer_ref(ch->issuers[i]);
	return r;
}

/* The key of an issuer: its name and, when it is known, the identifier of its key. 0: there is none,
 * or it is too long. */
static size_t learned_key(struct bytes subject, struct bytes ski, uint8_t out[NAME_KEY_MAX])
{
	if (subject.n == 0 || subject.n + ski.n > NAME_KEY_MAX)
		return 0;
	memcpy(out, subject.p, subject.n);
	if (ski.n)
		memcpy(out + subject.n, ski.p, ski.n);
	return subject.n + ski.n;
}

static int learn_under(struct verifier *v, struct issuer *i, struct bytes ski, int64_t now,
		       struct err *e)
{
	uint8_t key[NAME_KEY_MAX];
	size_t n = learned_key(i->subject, ski, key);

	if (n == 0 || cache_find(v->learned, bytes_of(key, n), now) == i)
		return 0;
	v->learned_count++;
	return cache_put(v->learned, bytes_of(key, n), issuer_ref(i), now, e);
}

/* Intermediates of a path that leads to a trusted root serve servers that forget to send them. */
static int learn(struct verifier *v, const struct judgement *j, const struct chain *ch, int64_t now,
		 struct err *e)
{
	for (size_t i = 0; i < ch->sent; i++) {
		struct issuer *is = ch->issuers[i];
		bool on_path = false;

		for (int k = 1; k < sk_X509_num(j->path) - 1; k++)
			on_path |= sk_X509_value(j->path, k) == is->x;
		if (!is->x || !on_path)
			continue;
		if (learn_under(v, is, is->ski, now, e) < 0 ||
		    learn_under(v, is, (struct bytes){ 0 }, now, e) < 0)
			return -1;
	}
	return 0;
}

static struct issuer *find_learned(struct verifier *v, const X509 *below, int64_t now)
{
	struct bytes aki = x509_string(X509_get0_authority_key_id((X509 *)(uintptr_t)below));
	struct bytes subject = x509_issuer(below);
	struct issuer *found = NULL;
	uint8_t key[NAME_KEY_MAX];
	size_t n = learned_key(subject, aki, key);

	if (n)
		found = cache_find(v->learned, bytes_of(key, n), now);
	n = learned_key(subject, (struct bytes){ 0 }, key);
	if (!found && n)
		found = cache_find(v->learned, bytes_of(key, n), now);
	return found;
}

/* The issuer that is missing at the end of the path, when it is known and not in the chain yet. */
static struct issuer *missing_issuer(struct verifier *v, const struct chain *ch,
				     const struct judgement *j, int64_t now)
{
	const X509 *last = sk_X509_value(j->path, sk_X509_num(j->path) - 1);
	struct issuer *i = NULL;

	if (last && ch->count < ch->sent + COMPLETE_MAX)
		i = find_learned(v, last, now);
	for (size_t k = 0; i && k < ch->count; k++) {
		if (ch->issuers[k] == i)
			return NULL;
	}
	return i;
}

static int append_issuer(struct chain *ch, struct issuer *i, struct err *e)
{
	if (sk_X509_push(ch->untrusted, i->x) <= 0)
		return FAIL(e, NOMEM, "a chain");
	ch->issuers[ch->count++] = issuer_ref(i);
	return 0;
}

/* What was added but led nowhere is forgotten again. */
static void drop_added(struct chain *ch)
{
	while (ch->count > ch->sent) {
		(void)sk_X509_pop(ch->untrusted);
		issuer_free(ch->issuers[--ch->count]);
	}
}

static int judge_chain(struct verifier *v, const struct verify_request *req, struct chain *ch,
		       struct judgement *j, struct err *e)
{
	struct judge_request jr = { .trust = v->trust,
				    .auth_level = v->auth_level,
				    .leaf = ch->leaf,
				    .cert = &ch->cert,
				    .untrusted = ch->untrusted,
				    .name = req->name,
				    .now_s = req->now_s };
	const unsigned stuck = 1u << VERIFY_INCOMPLETE | 1u << VERIFY_UNKNOWN_ISSUER;
	struct issuer *i;

	if (judge(&jr, j, e) < 0)
		return -1;
	while ((j->faults & 1u << VERIFY_INCOMPLETE) &&
	       (i = missing_issuer(v, ch, j, cache_time(req->now_s)))) {
		judgement_fini(j);
		if (append_issuer(ch, i, e) < 0 || judge(&jr, j, e) < 0)
			return -1;
	}
	if (j->faults & stuck)
		drop_added(ch);
	return 0;
}

static int judge_and_learn(struct verifier *v, const struct verify_request *req, struct chain *ch,
			   struct remembered **out, struct err *e)
{
	const unsigned harmless = 1u << VERIFY_WRONG_NAME; /* and dates, which are not in there */
	struct judgement j = { 0 };
	int done = 0;

	if (judge_chain(v, req, ch, &j, e) < 0)
		return -1;
	*out = remember(v, &j, ch, req->now_s);
	if (!*out)
		done = FAIL(e, NOMEM, "a verdict");
	else if (!(j.faults & ~harmless))
		done = learn(v, &j, ch, cache_time(req->now_s), e);
	if (done < 0 && *out) {
		remembered_free(*out);
		*out = NULL;
	}
	judgement_fini(&j);
	return done;
}

/* Reads the chain and judges it. */
static int form_verdict(struct verifier *v, const struct verify_request *req,
			struct remembered **out, struct err *e)
{
	struct chain ch = { 0 };
	struct err why = { 0 };
	int done = 0;

	*out = NULL;
	if (req->count)
		ch.leaf = decode(req->der[0], req->leaf, &ch.cert, &why);
	if (!ch.leaf) {
		*out = req->count ? remember_unreadable("the server's ", &why)
				  : remember_unreadable("the server sent no certificate", NULL);
		return *out ? 0 : FAIL(e, NOMEM, "a verdict");
	}
	ch.untrusted = sk_X509_new_null();
	if (!ch.untrusted)
		done = FAIL(e, NOMEM, "a chain");
	for (size_t i = 1; done == 0 && i < req->count && i < CHAIN_MAX; i++)
		done = add_issuer(v, &ch, req->der[i], cache_time(req->now_s), e);
	ch.sent = ch.count;
	if (done == 0)
		done = judge_and_learn(v, req, &ch, out, e);
	chain_fini(&ch);
	return done;
}

/* May what was remembered still be used? */
static bool is_current(const struct verifier *v, const struct remembered *r, int64_t now_s)
{
	if (span_at(&r->issuers, now_s) != r->issuers_then)
		return false;
	return !(r->faults & 1u << VERIFY_INCOMPLETE) || r->learned_then == v->learned_count;
}

static unsigned date_fault(enum span_state s)
{
	return s == SPAN_AFTER	  ? 1u << VERIFY_EXPIRED
	       : s == SPAN_BEFORE ? 1u << VERIFY_NOT_YET_VALID
				  : 0;
}

static void date_sentence(const struct remembered *r, int64_t now_s, enum verify_result result,
			  struct verdict *out)
{
	enum span_state wanted = result == VERIFY_EXPIRED ? SPAN_AFTER : SPAN_BEFORE;
	char whose[100];

	if (span_at(&r->leaf, now_s) == wanted) {
		date_reason("the certificate", &r->leaf, now_s, out->reason, sizeof(out->reason));
		return;
	}
	snprintf(whose, sizeof(whose), "the issuer \"%s\"",
		 wanted == SPAN_AFTER ? r->first_issuer_out : r->last_issuer_in);
	date_reason(whose, &r->issuers, now_s, out->reason, sizeof(out->reason));
}

/* The verdict at this moment. */
static void tell(const struct remembered *r, int64_t now_s, struct verdict *out)
{
	out->faults = r->faults | date_fault(span_at(&r->leaf, now_s)) |
		      date_fault(span_at(&r->issuers, now_s));
	out->result = first_fault(out->faults);
	out->completed = r->added_count != 0;
	if (out->result == VERIFY_EXPIRED || out->result == VERIFY_NOT_YET_VALID)
		date_sentence(r, now_s, out->result, out);
	else
		memcpy(out->reason, r->reason, sizeof(out->reason));
}

/* The entry stays the cache's: it is borrowed until the next call. */
static int find_or_form(struct verifier *v, const struct verify_request *req,
			struct remembered **out, struct err *e)
{
	struct sha256 key;
	int64_t now = cache_time(req->now_s);

	if (hash_request(v, req, &key, e) < 0)
		return FAIL(e, NOMEM, "a verdict");
	*out = cache_find(v->verdicts, sha256_bytes(&key), now);
	if (*out && is_current(v, *out, req->now_s))
		return 0;
	if (form_verdict(v, req, out, e) < 0)
		return -1;
	return cache_put(v->verdicts, sha256_bytes(&key), *out, now, e);
}

int verifier_check(struct verifier *v, const struct verify_request *req, struct verdict *out,
		   struct err *e)
{
	struct remembered *r;

	if (find_or_form(v, req, &r, e) < 0)
		return -1;
	tell(r, req->now_s, out);
	out->known = r->told;
	r->told = true;
	return 0;
}

int verifier_complete(struct verifier *v, const struct verify_request *req,
		      struct verify_chain *out, struct err *e)
{
	struct remembered *r;

	if (find_or_form(v, req, &r, e) < 0)
		return -1;
	out->count = 0;
	for (size_t i = 0; i < req->count && i < CHAIN_MAX; i++)
		out->der[out->count++] = req->der[i];
	for (size_t i = 0; i < r->added_count; i++)
		out->der[out->count++] = r->added[i]->der;
	return 0;
}
