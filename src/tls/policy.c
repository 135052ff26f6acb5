#include "tls/policy.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "tls/library.h"
#include "tls/names.h"
#include "tls/session.h"

#define LIST_MAX 8192
#define VERSION_LOWEST TLS1_VERSION
#define VERSION_DEFAULT TLS1_2_VERSION
#define VERSION_HIGHEST TLS1_3_VERSION

/* What libssl offers by itself still has to follow the rule: nobody anonymous, nothing in clear. */
#define CIPHERS_DEFAULT "DEFAULT:!aNULL:!eNULL:!PSK:!SRP"

/* Names for libssl, with colons between them. NULL: libssl's own choice. */
struct offer {
	char *ciphers; /* up to TLS 1.2 */
	char *suites;  /* of TLS 1.3 */
	char *groups;
	char *sigalgs;
};

struct tls_policy {
	atomic_size_t refs;
	struct tls_policy_options options; /* without the lists */
	struct offer offer;
	SSL_CTX *ctx;
	pthread_mutex_t lock;
	_Atomic(SSL_CTX *) logging; /* the same, with key log lines; NULL until wanted */
};

/* A list under construction. */
struct list_text {
	struct buf text;
	size_t count;
};

static int list_add_name(struct list_text *l, const char *name, struct err *e)
{
	if (l->count && buf_add(&l->text, bytes_str(":"), e) < 0)
		return -1;
	l->count++;
	return buf_add(&l->text, bytes_str(name), e);
}

static char *list_take(struct list_text *l)
{
	char *s = mem_dup(buf_bytes(&l->text));

	buf_fini(&l->text);
	return s;
}

static bool seen_before(const uint16_t *codes, size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (codes[i] == codes[at])
			return true;
	return false;
}

/* NULL is refused like anything else that libssl has not got. */
static bool has_group(SSL_CTX *ctx, const char *name)
{
	bool ok = name && SSL_CTX_set1_groups_list(ctx, name) == 1;

	ERR_clear_error();
	return ok;
}

static bool has_sigalg(SSL_CTX *ctx, const char *name)
{
	bool ok = name && SSL_CTX_set1_sigalgs_list(ctx, name) == 1;

	ERR_clear_error();
	return ok;
}

/* A list whose names the libssl at hand is asked about one by one. */
struct named_list {
	const char *what;
	const uint16_t *codes;
	size_t count;
	const char *(*name)(uint16_t code);
	bool (*has)(SSL_CTX *ctx, const char *name);
};

static int choose_names(SSL_CTX *ctx, const struct named_list *in, char **out, struct err *e)
{
	struct list_text l = { .text = buf_init(LIST_MAX) };

	for (size_t i = 0; i < in->count; i++) {
		const char *name = in->name(in->codes[i]);

		if (seen_before(in->codes, i) || !in->has(ctx, name))
			continue;
		if (list_add_name(&l, name, e) < 0) {
			buf_fini(&l.text);
			return -1;
		}
	}
	if (in->count && l.count == 0)
		return FAIL(e, UNSUPPORTED, "none of the %zu %s is known to libssl", in->count,
			    in->what);
	if (l.count == 0)
		return 0;
	*out = list_take(&l);
	return *out ? 0 : FAIL(e, NOMEM, "a list of %s", in->what);
}

/* Neither anonymous nor in clear, and with a certificate: keys agreed beforehand are not ours. */
static bool is_fit(const SSL_CIPHER *c)
{
	int auth = SSL_CIPHER_get_auth_nid(c), kx = SSL_CIPHER_get_kx_nid(c);

	if (SSL_CIPHER_get_cipher_nid(c) == NID_undef)
		return false;
	return auth == NID_auth_any ||
	       (auth != NID_auth_null && auth != NID_auth_psk && auth != NID_auth_srp &&
		kx != NID_kx_psk && kx != NID_kx_rsa_psk && kx != NID_kx_ecdhe_psk &&
		kx != NID_kx_dhe_psk && kx != NID_kx_srp);
}

static bool is_suite13(const SSL_CIPHER *c)
{
	return SSL_CIPHER_get_kx_nid(c) == NID_kx_any;
}

static int sort_cipher(SSL *ssl, uint16_t code, struct list_text *list12, struct list_text *list13,
		       struct err *e)
{
	const uint8_t wire[2] = { (uint8_t)(code >> 8), (uint8_t)code };
	const SSL_CIPHER *c = SSL_CIPHER_find(ssl, wire);

	if (!c || !is_fit(c))
		return 0;
	return list_add_name(is_suite13(c) ? list13 : list12, SSL_CIPHER_get_name(c), e);
}

static int choose_ciphers(SSL_CTX *ctx, const struct tls_policy_options *o, struct offer *out,
			  struct err *e)
{
	struct list_text list12 = { .text = buf_init(LIST_MAX) };
	struct list_text list13 = { .text = buf_init(LIST_MAX) };
	SSL *ssl = SSL_new(ctx);
	int r = ssl ? 0 : FAIL(e, NOMEM, "a list of ciphers");

	for (size_t i = 0; r == 0 && i < o->cipher_count; i++)
		if (!seen_before(o->ciphers, i))
			r = sort_cipher(ssl, o->ciphers[i], &list12, &list13, e);
	SSL_free(ssl);
	ERR_clear_error();
	out->ciphers = list_take(&list12);
	out->suites = list_take(&list13);
	if (r == 0 && (!out->ciphers || !out->suites))
		r = FAIL(e, NOMEM, "a list of ciphers");
	return r;
}

/* Without ciphers for it a version is not offered. */
static int settle_versions(struct tls_policy_options *o, const struct offer *offer, struct err *e)
{
	if (o->min_version == 0)
		o->min_version = VERSION_DEFAULT;
	if (o->max_version == 0 || o->max_version > VERSION_HIGHEST)
		o->max_version = VERSION_HIGHEST;
	if (o->min_version < VERSION_LOWEST)
		return FAIL(e, UNSUPPORTED, "no TLS version is 0x%04x", (unsigned)o->min_version);
	if (offer->ciphers && !*offer->ciphers && o->min_version < TLS1_3_VERSION)
		o->min_version = TLS1_3_VERSION;
	if (offer->suites && !*offer->suites && o->max_version >= TLS1_3_VERSION)
		o->max_version = TLS1_2_VERSION;
	if (o->min_version > o->max_version)
		return FAIL(e, UNSUPPORTED,
			    "none of the %zu ciphers is known to libssl and fits the versions",
			    o->cipher_count);
	return 0;
}

static int apply_offer(SSL_CTX *ctx, const struct tls_policy_options *o, const struct offer *offer,
		       struct err *e)
{
	const char *ciphers = offer->ciphers ? offer->ciphers : CIPHERS_DEFAULT;
	bool ok = SSL_CTX_set_min_proto_version(ctx, o->min_version) == 1 &&
		  SSL_CTX_set_max_proto_version(ctx, o->max_version) == 1;

	if (ok && o->min_version < TLS1_3_VERSION)
		ok = SSL_CTX_set_cipher_list(ctx, ciphers) == 1;
	if (ok && offer->suites)
		ok = SSL_CTX_set_ciphersuites(ctx, offer->suites) == 1;
	if (ok && offer->groups)
		ok = SSL_CTX_set1_groups_list(ctx, offer->groups) == 1;
	if (ok && offer->sigalgs)
		ok = SSL_CTX_set1_sigalgs_list(ctx, offer->sigalgs) == 1;
	ERR_clear_error();
	return ok ? 0 : FAIL(e, UNSUPPORTED, "libssl refuses what was chosen to be offered");
}

static void apply_habits(SSL_CTX *ctx, const struct tls_policy_options *o)
{
	long cache = SSL_SESS_CACHE_OFF | SSL_SESS_CACHE_NO_INTERNAL;

	/* Key sizes, hashes and versions are judged by oriel's own policy. */
	SSL_CTX_set_security_level(ctx, 0);
	/* Servers without RFC 5746 are reached, as browsers do: renegotiation is off anyway. */
	SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					 SSL_OP_LEGACY_SERVER_CONNECT);
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_recv_max_early_data(ctx, 0);
	if (o->side == TLS_SERVER) {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_SINGLE_DH_USE);
		SSL_CTX_set_num_tickets(ctx, 0);
		SSL_CTX_set_dh_auto(ctx, 1);
	} else if (o->sessions) {
		cache = SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL;
	} else {
		SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
	}
	SSL_CTX_set_session_cache_mode(ctx, cache);
	session_callbacks(ctx, o);
}

static SSL_CTX *ctx_new(enum tls_side side)
{
	return SSL_CTX_new_ex(library_ctx(), NULL,
			      side == TLS_CLIENT ? TLS_client_method() : TLS_server_method());
}

static SSL_CTX *make_ctx(const struct tls_policy_options *o, const struct offer *offer,
			 struct err *e)
{
	SSL_CTX *ctx = ctx_new(o->side);

	if (!ctx) {
		ERR_clear_error();
		(void)FAIL(e, NOMEM, "a TLS policy");
		return NULL;
	}
	apply_habits(ctx, o);
	if (apply_offer(ctx, o, offer, e) == 0)
		return ctx;
	SSL_CTX_free(ctx);
	return NULL;
}

static int choose_offer(struct tls_policy *p, struct err *e)
{
	const struct tls_policy_options *o = &p->options;
	const struct named_list groups = { "groups", o->groups, o->group_count, names_group,
					   has_group };
	const struct named_list sigalgs = { "signature algorithms", o->sigalgs, o->sigalg_count,
					    names_sigalg, has_sigalg };
	SSL_CTX *scratch = ctx_new(o->side);
	int r = scratch ? 0 : FAIL(e, NOMEM, "a TLS policy");

	if (r == 0)
		r = choose_names(scratch, &groups, &p->offer.groups, e);
	if (r == 0)
		r = choose_names(scratch, &sigalgs, &p->offer.sigalgs, e);
	if (r == 0 && o->cipher_count)
		r = choose_ciphers(scratch, o, &p->offer, e);
	SSL_CTX_free(scratch);
	ERR_clear_error();
	return r;
}

int tls_policy_new(const struct tls_policy_options *o, struct tls_policy **out, struct err *e)
{
	struct tls_policy *p = mem_new(sizeof(*p));

	if (!p)
		return FAIL(e, NOMEM, "a TLS policy");
	atomic_init(&p->refs, 1);
	pthread_mutex_init(&p->lock, NULL);
	p->options = *o;
	if (choose_offer(p, e) == 0 && settle_versions(&p->options, &p->offer, e) == 0)
		p->ctx = make_ctx(&p->options, &p->offer, e);
	/* The lists were borrowed. */
	p->options.ciphers = p->options.groups = p->options.sigalgs = NULL;
	if (!p->ctx) {
		tls_policy_free(p);
		return -1;
	}
	*out = p;
	return 0;
}

struct tls_policy *tls_policy_ref(struct tls_policy *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void tls_policy_free(struct tls_policy *p)
{
	if (!p || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_CTX_free(p->ctx);
	SSL_CTX_free(atomic_load(&p->logging));
	mem_free(p->offer.ciphers);
	mem_free(p->offer.suites);
	mem_free(p->offer.groups);
	mem_free(p->offer.sigalgs);
	pthread_mutex_destroy(&p->lock);
	mem_free(p);
}

static SSL_CTX *make_logging(struct tls_policy *p)
{
	SSL_CTX *ctx;

	pthread_mutex_lock(&p->lock);
	ctx = atomic_load_explicit(&p->logging, memory_order_relaxed);
	if (!ctx) {
		ctx = make_ctx(&p->options, &p->offer, NULL);
		if (ctx)
			session_log_secrets(ctx);
		atomic_store_explicit(&p->logging, ctx, memory_order_release);
	}
	pthread_mutex_unlock(&p->lock);
	return ctx;
}

SSL_CTX *policy_ctx(struct tls_policy *p, bool secrets)
{
	SSL_CTX *ctx;

	if (!secrets)
		return p->ctx;
	ctx = atomic_load_explicit(&p->logging, memory_order_acquire);
	return ctx ? ctx : make_logging(p);
}

enum tls_side policy_side(const struct tls_policy *p)
{
	return p->options.side;
}

bool policy_has_cipher(const struct tls_policy *p, const SSL_CIPHER *cipher)
{
	const STACK_OF(SSL_CIPHER) *list = SSL_CTX_get_ciphers(p->ctx);

	for (int i = 0; i < sk_SSL_CIPHER_num(list); i++)
		if (sk_SSL_CIPHER_value(list, i) == cipher)
			return true;
	return false;
}
