/* `oriel demo`: a server, the real `oriel run` and a client, each at the other end of real
 * connections over loopback. */
#ifndef CMD_DEMO_H
#define CMD_DEMO_H

#include <pthread.h>

#include "cmd/demo_certs.h"
#include "cmd/demo_end.h"
#include "cmd/settings.h"

#define DEMO_GOOD "shop.oriel.test"
#define DEMO_EXPIRED "expired.oriel.test"

/* The two places of the server: a good certificate, an expired one. */
enum demo_place { DEMO_AT_GOOD, DEMO_AT_EXPIRED, DEMO_PLACES };

struct demo_server {
	int listener[DEMO_PLACES];
	struct addr at[DEMO_PLACES];
	struct tls_identity *identity[DEMO_PLACES];
	struct tls_policy *policy;
	struct demo_tape tape[DEMO_PLACES]; /* read them after stop */
	pthread_t thread;
	bool running;
};
/* Certificates and listening sockets; then a thread that serves one connection after another. */
int demo_server_init(struct demo_server *s, const struct demo_authority *a, int64_t now_s,
		     struct err *e) MUST_CHECK;
int demo_server_start(struct demo_server *s, struct err *e) MUST_CHECK;
void demo_server_stop(struct demo_server *s);
void demo_server_fini(struct demo_server *s);

/* One visit by way of the proxy, whose root is in the PEM text. Fails when it does not go as a
 * visit to this place should. */
struct demo_visit {
	struct addr proxy;
	struct bytes root_pem;
	enum demo_place place;
	uint16_t port; /* of the server */
	int64_t now_s;
};
int demo_client_visit(const struct demo_visit *v, struct demo_tape *tape, struct err *e) MUST_CHECK;

/* `oriel run` as a child process, with all its files in dir. */
struct demo_proxy {
	pid_t pid; /* 0: not running */
	char config[PATHS_MAX], admin[PATHS_MAX], keys[PATHS_MAX], roots[PATHS_MAX], log[PATHS_MAX];
	struct settings settings;
};
int demo_proxy_start(struct demo_proxy *p, const char *dir, struct bytes roots_pem,
		     struct err *e) MUST_CHECK;
/* Lets it finish what it has to say. */
int demo_proxy_stop(struct demo_proxy *p, struct err *e) MUST_CHECK;

/* Everything on the tapes, in the order of time, as one capture with the keys: first a tape for each
 * of the client's visits, then one for each of the server's. */
int demo_capture_write(struct buf *out, struct demo_tape *const tapes[2 * DEMO_PLACES],
		       struct bytes keys, struct err *e) MUST_CHECK;

#endif
