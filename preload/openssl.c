/* OpenSSL 1.1.1 to 3.x (and BoringSSL as a shared library): our key log callback in every SSL_CTX,
 * which then calls the application's own.
 *
 * SSL_new and its like are seen only by those who call them by name. Who asks dlsym() for them gets
 * libssl's own; but libssl in turn calls libcrypto's CRYPTO_new_ex_data() for each new SSL_CTX and
 * SSL, and that call comes by us. Not covered: libssl and libcrypto in one file and found by dlsym(),
 * or linked into the program itself. */
#include "preload/keylog_file.h"
#include "preload/real.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* libssl's, of which we know nothing but that there are such; its headers would tie us to a version. */
struct ssl;
struct ssl_ctx;
struct ssl_method;

typedef void keylog_callback(const struct ssl *ssl, const char *line);

/* What we stand in front of, each as libssl or libcrypto has it. */
EXPORT struct ssl_ctx *SSL_CTX_new(const struct ssl_method *method);
EXPORT struct ssl_ctx *SSL_CTX_new_ex(void *context, const char *query,
				      const struct ssl_method *method);
EXPORT struct ssl *SSL_new(struct ssl_ctx *ctx);
EXPORT void SSL_CTX_set_keylog_callback(struct ssl_ctx *ctx, keylog_callback *callback);
EXPORT keylog_callback *SSL_CTX_get_keylog_callback(const struct ssl_ctx *ctx);
EXPORT int CRYPTO_new_ex_data(int class, void *object, void *data);

/* openssl/crypto.h: the same in 1.1.0 to 3.x; LibreSSL and 1.0.2 count otherwise. */
enum { CLASS_SSL = 0, CLASS_SSL_CTX = 1 };
enum { LIBRARIES_MAX = 4, CANDIDATES_MAX = 32 };

/* One loaded libssl. */
struct library {
	const struct link_map *map; /* never unloaded, since we hold it */
	keylog_callback *ours;
	int own; /* the index under which an SSL_CTX keeps the application's callback; -1: none */
	bool openssl; /* not one of those that split off */
	void (*set)(struct ssl_ctx *ctx, keylog_callback *callback);
	keylog_callback *(*get)(const struct ssl_ctx *ctx);
	struct ssl_ctx *(*ctx_of)(const struct ssl *ssl);
	int (*set_data)(struct ssl_ctx *ctx, int index, void *data);
	void *(*get_data)(const struct ssl_ctx *ctx, int index);
};

/* Threads that meet a library at the same time each prepare a candidate; one gets the place. */
static struct library candidates[CANDIDATES_MAX];
static atomic_uint candidates_used;
static struct library *_Atomic libraries[LIBRARIES_MAX];

static void log_line(const struct library *l, const struct ssl *ssl, const char *line)
{
	struct ssl_ctx *ctx = l->ctx_of(ssl);
	keylog_callback *own = NULL;

	keylog_file_add(line);
	if (ctx && l->own >= 0)
		AS_FUNCTION(own, l->get_data(ctx, l->own));
	if (own)
		own(ssl, line);
}

/* libssl does not say which libssl it is, so each has a callback of its own. */
#define CALLBACK(n)                                                                                \
	static void callback_##n(const struct ssl *ssl, const char *line)                          \
	{                                                                                          \
		log_line(libraries[n], ssl, line);                                                 \
	}
CALLBACK(0)
CALLBACK(1)
CALLBACK(2)
CALLBACK(3)
static keylog_callback *const callbacks[LIBRARIES_MAX] = { callback_0, callback_1, callback_2,
							   callback_3 };

static int new_index(void *handle)
{
	int (*of_class)(int class, long argl, void *argp, void *make, void *copy, void *drop);
	int (*of_ctx)(long argl, void *argp, void *unused, void *copy, void *drop);

	AS_FUNCTION(of_ctx, dlsym(handle, "SSL_CTX_get_ex_new_index"));
	AS_FUNCTION(of_class, dlsym(handle, "CRYPTO_get_ex_new_index"));
	if (of_ctx)
		return of_ctx(0, NULL, NULL, NULL, NULL);
	return of_class ? of_class(CLASS_SSL_CTX, 0, NULL, NULL, NULL, NULL) : -1;
}

static bool library_load(struct library *l, void *handle)
{
	void *set = dlsym(handle, "SSL_CTX_set_keylog_callback");

	/* What merely needs libssl is not it. 1.1.0 and before have no key log. */
	if (!set || real_library(set) != handle)
		return false;
	AS_FUNCTION(l->set, set);
	AS_FUNCTION(l->get, dlsym(handle, "SSL_CTX_get_keylog_callback"));
	AS_FUNCTION(l->ctx_of, dlsym(handle, "SSL_get_SSL_CTX"));
	AS_FUNCTION(l->set_data, dlsym(handle, "SSL_CTX_set_ex_data"));
	AS_FUNCTION(l->get_data, dlsym(handle, "SSL_CTX_get_ex_data"));
	l->openssl = dlsym(handle, "OPENSSL_version_major") ||
		     dlvsym(handle, "SSL_CTX_set_keylog_callback", "OPENSSL_1_1_1");
	if (!l->get || !l->ctx_of || !l->set_data || !l->get_data)
		return false;
	l->own = new_index(handle);
	return true;
}

static const struct library *library_add(const struct link_map *map, void *handle)
{
	struct library loaded = { .map = map };
	unsigned n;

	if (!handle || !library_load(&loaded, handle))
		return NULL;
	n = atomic_fetch_add(&candidates_used, 1);
	if (n >= CANDIDATES_MAX) {
		atomic_store(&candidates_used, CANDIDATES_MAX);
		return NULL;
	}
	candidates[n] = loaded;
	for (size_t i = 0; i < LIBRARIES_MAX; i++) {
		struct library *there = NULL;

		candidates[n].ours = callbacks[i];
		if (atomic_compare_exchange_strong(&libraries[i], &there, &candidates[n]))
			return &candidates[n];
		if (there->map == map)
			return there;
	}
	return NULL;
}

/* Of the libssl that holds this address. */
static const struct library *library_of(const void *address)
{
	const struct link_map *map = real_map(address);

	if (!map)
		return NULL;
	for (size_t i = 0; i < LIBRARIES_MAX; i++) {
		const struct library *l = libraries[i];

		if (l && l->map == map)
			return l;
	}
	return library_add(map, real_library(address));
}

/* Ours in, and the application's kept. */
static void hook(const struct library *l, struct ssl_ctx *ctx)
{
	keylog_callback *there;
	void *kept = NULL;

	if (!l || !ctx || !keylog_file_wanted())
		return;
	there = l->get(ctx);
	if (there == l->ours)
		return;
	keylog_file_open();
	memcpy(&kept, &there, sizeof(kept));
	/* Without a place for the application's callback, that one goes first. */
	if (there && (l->own < 0 || !l->set_data(ctx, l->own, kept)))
		return;
	l->set(ctx, l->ours);
}

/* ---- what programs call */

#define REAL(to, name)                                                                             \
	do {                                                                                       \
		void *real_ = real_find(name, CALLER, "libssl");                                   \
		AS_FUNCTION(to, real_);                                                            \
	} while (0)

static const void *address_of(const void *function)
{
	const void *out;

	memcpy(&out, function, sizeof(out));
	return out;
}

struct ssl_ctx *SSL_CTX_new(const struct ssl_method *method)
{
	struct ssl_ctx *(*real)(const struct ssl_method *) = NULL;
	struct ssl_ctx *ctx;
	int after;

	REAL(real, "SSL_CTX_new");
	ctx = real ? real(method) : NULL;
	after = errno;
	if (ctx)
		hook(library_of(address_of(&real)), ctx);
	errno = after;
	return ctx;
}

struct ssl_ctx *SSL_CTX_new_ex(void *context, const char *query, const struct ssl_method *method)
{
	struct ssl_ctx *(*real)(void *, const char *, const struct ssl_method *) = NULL;
	struct ssl_ctx *ctx;
	int after;

	REAL(real, "SSL_CTX_new_ex");
	ctx = real ? real(context, query, method) : NULL;
	after = errno;
	if (ctx)
		hook(library_of(address_of(&real)), ctx);
	errno = after;
	return ctx;
}

struct ssl *SSL_new(struct ssl_ctx *ctx)
{
	struct ssl *(*real)(struct ssl_ctx *) = NULL;
	int before = errno;

	REAL(real, "SSL_new");
	if (real)
		hook(library_of(address_of(&real)), ctx);
	errno = before;
	return real ? real(ctx) : NULL;
}

void SSL_CTX_set_keylog_callback(struct ssl_ctx *ctx, keylog_callback *callback)
{
	void (*real)(struct ssl_ctx *, keylog_callback *) = NULL;
	int before = errno;
	const struct library *l;
	void *kept = NULL;

	REAL(real, "SSL_CTX_set_keylog_callback");
	l = real && keylog_file_wanted() ? library_of(address_of(&real)) : NULL;
	memcpy(&kept, &callback, sizeof(kept));
	if (l && l->own >= 0 && l->set_data(ctx, l->own, kept))
		l->set(ctx, l->ours);
	else if (real)
		real(ctx, callback);
	errno = before;
}

/* The application's own, as if we were not there. */
keylog_callback *SSL_CTX_get_keylog_callback(const struct ssl_ctx *ctx)
{
	keylog_callback *(*real)(const struct ssl_ctx *) = NULL, *there = NULL;
	int before = errno;
	const struct library *l;

	REAL(real, "SSL_CTX_get_keylog_callback");
	if (real)
		there = real(ctx);
	l = there ? library_of(address_of(&real)) : NULL;
	if (l && there == l->ours) {
		there = NULL;
		if (l->own >= 0)
			AS_FUNCTION(there, l->get_data(ctx, l->own));
	}
	errno = before;
	return there;
}

/* ---- what libssl calls */

/* libcrypto may call it for every BIO and certificate, always from the same few places; and it is
 * never unloaded. A place that is taken stays as it is. */
enum { PLACES = 128 };
static struct {
	atomic_bool taken;
	const void *_Atomic caller;
	void *real;
} places[PLACES];

static void *new_ex_data_for(const void *caller)
{
	size_t i = ((uintptr_t)caller >> 2) % PLACES;
	bool free = false;
	void *real;

	if (atomic_load(&places[i].caller) == caller)
		return places[i].real;
	real = real_find("CRYPTO_new_ex_data", caller, "libcrypto");
	if (real && atomic_compare_exchange_strong(&places[i].taken, &free, true)) {
		places[i].real = real;
		atomic_store(&places[i].caller, caller);
	}
	return real;
}

/* The object is far enough made for this; SSL_CTX_new and SSL_new call it near their end. */
static void hook_new(const struct library *l, int class, void *object)
{
	if (!l || !l->openssl)
		return;
	hook(l, class == CLASS_SSL_CTX ? object : l->ctx_of(object));
}

int CRYPTO_new_ex_data(int class, void *object, void *data)
{
	const void *caller = CALLER;
	int (*real)(int, void *, void *) = NULL;
	int made, after;

	AS_FUNCTION(real, new_ex_data_for(caller));
	made = real ? real(class, object, data) : 0;
	after = errno;
	if (made && keylog_file_wanted() && (class == CLASS_SSL || class == CLASS_SSL_CTX))
		hook_new(library_of(caller), class, object);
	errno = after;
	return made;
}

__attribute__((constructor)) static void start(void)
{
	keylog_file_init();
}
