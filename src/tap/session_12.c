#include "tap/session_part.h"

#include "base/mem.h"
#include "wire/client_hello.h"
#include "wire/server_hello.h"

struct session_12 {
	struct protect *pair[2];
};

void session_12_free(struct session_12 *o)
{
	mem_free(o);
}

void session_hello_12(struct session *s, const struct client_hello *h)
{
	(void)s;
	(void)h;
}

void session_agreed_12(struct session *s, const struct server_hello *h)
{
	(void)s;
	(void)h;
}

void session_message_12(struct session *s, enum flow_dir dir, const struct handshake *m,
			struct tap_at at)
{
	(void)s;
	(void)dir;
	(void)m;
	(void)at;
}

void session_ccs_12(struct session *s, enum flow_dir dir, struct tap_at at)
{
	(void)s;
	(void)dir;
	(void)at;
}

enum took session_open_12(struct session *s, enum flow_dir dir, const struct record *r,
			  struct protect_opened *o)
{
	(void)o;
	session_darken(s, dir, r->raw.n);
	return TOOK_ALL;
}
