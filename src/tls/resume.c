/* What is needed to resume: libssl's session and the chain that was seen then. */
#include "tls/session.h"

#include "base/mem.h"

struct tls_session {
	atomic_size_t refs;
	SSL_SESSION *session;
	struct chain *chain; /* or NULL */
};

struct tls_session *resume_new(SSL_SESSION *take, struct chain *chain)
{
	struct tls_session *s = mem_new(sizeof(*s));

	if (!s)
		return NULL;
	atomic_init(&s->refs, 1);
	s->session = take;
	s->chain = chain_ref(chain);
	return s;
}

SSL_SESSION *resume_ssl(const struct tls_session *s)
{
	return s->session;
}

struct chain *resume_chain(const struct tls_session *s)
{
	return s->chain;
}

struct tls_session *tls_session_ref(struct tls_session *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void tls_session_free(struct tls_session *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	SSL_SESSION_free(s->session);
	chain_free(s->chain);
	mem_free(s);
}

bool tls_session_is_tls13(const struct tls_session *s)
{
	return SSL_SESSION_get_protocol_version(s->session) >= TLS1_3_VERSION;
}
