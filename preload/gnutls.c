/* GnuTLS 3.6.13 and later: a key log function in every session, which then calls the application's.
 * Which one that was is kept in the function itself: a program has one or two of them, and sessions
 * by the thousand. Not covered: a GnuTLS found by dlsym() or linked into the program; both honour
 * SSLKEYLOGFILE by themselves. */
#include "preload/keylog_file.h"
#include "preload/real.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* gnutls/gnutls.h, as it has been since 3.0. */
struct session;
struct datum {
	unsigned char *data;
	unsigned int size;
};

typedef int keylog_function(struct session *session, const char *label, const struct datum *secret);
typedef void get_random_function(struct session *session, struct datum *client,
				 struct datum *server);

EXPORT int gnutls_init(struct session **session, unsigned flags);
EXPORT void gnutls_session_set_keylog_function(struct session *session, keylog_function *function);
EXPORT keylog_function *gnutls_session_get_keylog_function(const struct session *session);

enum { RANDOM_SIZE = 32, SLOTS_MAX = 8 };

/* Two threads may each take one for the same pair; that does no harm. */
static struct slot {
	atomic_bool taken, ready;
	keylog_function *own; /* the application's, or GnuTLS's; may be NULL */
	get_random_function *get_random;
} slots[SLOTS_MAX];

static char *hex(char *to, const struct datum *d)
{
	static const char digits[] = "0123456789abcdef";

	for (unsigned i = 0; i < d->size; i++) {
		*to++ = digits[d->data[i] >> 4];
		*to++ = digits[d->data[i] & 15];
	}
	return to;
}

static void log_secret(const char *label, const struct datum *random, const struct datum *secret)
{
	char line[KEYLOG_FILE_LINE_MAX];
	size_t n = strlen(label);
	char *at = line + n;

	if (random->size != RANDOM_SIZE || secret->size > sizeof(line) ||
	    n + 2 * (RANDOM_SIZE + (size_t)secret->size) + 3 > sizeof(line))
		return;
	memcpy(line, label, n);
	*at++ = ' ';
	at = hex(at, random);
	*at++ = ' ';
	at = hex(at, secret);
	*at = 0;
	keylog_file_add(line);
	explicit_bzero(line, sizeof(line));
}

static int log_for(const struct slot *s, struct session *session, const char *label,
		   const struct datum *secret)
{
	struct datum client = { 0 }, server = { 0 };

	s->get_random(session, &client, &server);
	log_secret(label, &client, secret);
	return s->own ? s->own(session, label, secret) : 0;
}

/* lint-ok: eight functions of one line, which differ in a number only */
#define FUNCTION(n)                                                                                \
	static int function_##n(struct session *session, const char *label,                        \
				const struct datum *secret)                                        \
	{                                                                                          \
		return log_for(&slots[n], session, label, secret);                                 \
	}
FUNCTION(0)
FUNCTION(1)
FUNCTION(2)
FUNCTION(3)
FUNCTION(4)
FUNCTION(5)
FUNCTION(6)
FUNCTION(7)
static keylog_function *const functions[SLOTS_MAX] = { function_0, function_1, function_2,
						       function_3, function_4, function_5,
						       function_6, function_7 };

static keylog_function *function_for(keylog_function *own, get_random_function *get_random)
{
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		const struct slot *s = &slots[i];

		if (s->ready && s->own == own && s->get_random == get_random)
			return functions[i];
	}
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		struct slot *s = &slots[i];
		bool free = false;

		if (!atomic_compare_exchange_strong(&s->taken, &free, true))
			continue;
		s->own = own;
		s->get_random = get_random;
		s->ready = true;
		return functions[i];
	}
	return NULL;
}

/* The slot whose function this is, or NULL. */
static const struct slot *slot_of(keylog_function *function)
{
	for (size_t i = 0; i < SLOTS_MAX; i++) {
		if (functions[i] == function)
			return &slots[i];
	}
	return NULL;
}

struct real {
	int (*init)(struct session **session, unsigned flags);
	void (*set)(struct session *session, keylog_function *function);
	keylog_function *(*get)(const struct session *session);
	get_random_function *get_random;
};

static struct real find_real(const void *caller)
{
	struct real r;

	AS_FUNCTION(r.init, real_find("gnutls_init", caller, "libgnutls"));
	AS_FUNCTION(r.set, real_find("gnutls_session_set_keylog_function", caller, "libgnutls"));
	AS_FUNCTION(r.get, real_find("gnutls_session_get_keylog_function", caller, "libgnutls"));
	AS_FUNCTION(r.get_random, real_find("gnutls_session_get_random", caller, "libgnutls"));
	return r;
}

/* Sets a function that logs and then calls own; own itself when that cannot be. */
static void set_with(const struct real *r, struct session *session, keylog_function *own)
{
	keylog_function *ours = NULL;

	if (keylog_file_wanted() && r->get_random && !slot_of(own)) {
		keylog_file_open();
		ours = function_for(own, r->get_random);
	}
	r->set(session, ours ? ours : own);
}

int gnutls_init(struct session **session, unsigned flags)
{
	const struct real r = find_real(CALLER);
	int made = r.init ? r.init(session, flags) : -1;
	int after = errno;

	if (made >= 0 && r.set && r.get && keylog_file_wanted() && !keylog_file_is_usual())
		set_with(&r, *session, r.get(*session));
	errno = after;
	return made;
}

void gnutls_session_set_keylog_function(struct session *session, keylog_function *function)
{
	const struct real r = find_real(CALLER);

	if (r.set)
		set_with(&r, session, function);
}

/* The application's own, as if we were not there. */
keylog_function *gnutls_session_get_keylog_function(const struct session *session)
{
	const struct real r = find_real(CALLER);
	keylog_function *there = r.get ? r.get(session) : NULL;
	const struct slot *s = there ? slot_of(there) : NULL;

	return s ? s->own : there;
}
