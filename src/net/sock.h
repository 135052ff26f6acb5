/* TCP and Unix sockets: non-blocking, close-on-exec, options of our own. */
#ifndef NET_SOCK_H
#define NET_SOCK_H

#include "base/err.h"
#include "wire/addr.h"

struct sock_listen_options {
	bool transparent; /* IP_TRANSPARENT, for tproxy; needs CAP_NET_ADMIN */
	int backlog;	  /* 0: 4096 */
};

/* SO_REUSEADDR, TCP_NODELAY inherited. Fails with ERR_SYSTEM, e->sys EADDRINUSE when taken. */
int sock_listen(const struct addr *a, const struct sock_listen_options *o, int *fd,
		struct err *e) MUST_CHECK;
/* A Unix socket at path, mode 0600; a stale one (nobody answers) is replaced, a live one fails with EADDRINUSE. */
int sock_listen_unix(const char *path, int *fd, struct err *e) MUST_CHECK;

enum sock_accept_result { SOCK_ACCEPTED, SOCK_ACCEPT_NONE, SOCK_ACCEPT_NO_FDS, SOCK_ACCEPT_ERROR };
/* peer and local may be NULL (Unix sockets). */
enum sock_accept_result sock_accept(int listener, int *fd, struct addr *peer, struct addr *local);

/* Starts connecting; the result is known when fd is writable, by sock_error. */
int sock_connect(const struct addr *a, int *fd, struct err *e) MUST_CHECK;
int sock_connect_unix(const char *path, int *fd, struct err *e) MUST_CHECK; /* blocking */
int sock_error(int fd); /* SO_ERROR: an errno, or 0 */

enum sock_io { SOCK_DONE, SOCK_AGAIN, SOCK_END, SOCK_RESET, SOCK_FAILED };
/* SOCK_DONE: *got > 0 bytes. SOCK_END: the peer sent FIN. SOCK_RESET: RST (ECONNRESET, EPIPE). */
enum sock_io sock_read(int fd, uint8_t *p, size_t n, size_t *got);
enum sock_io sock_write(int fd, struct bytes b, size_t *done);
/* What was written and the peer has not acknowledged, in memory of the kernel: 0 when all has
 * arrived, another number than before when some more did. */
size_t sock_unsent(int fd);
void sock_shutdown_write(int fd);
void sock_close(int *fd);	     /* -1 is fine; sets -1; for AUTO(sock_close) */
static inline int sock_take(int *fd) /* the descriptor itself, leaving -1 */
{
	int taken = *fd;

	*fd = -1;
	return taken;
}
void sock_close_reset(int *fd); /* the peer gets RST */
int sock_local(int fd, struct addr *out, struct err *e) MUST_CHECK;
int sock_peer(int fd, struct addr *out, struct err *e) MUST_CHECK;
void sock_nodelay(int fd);
/* What has come is acknowledged now, not only when something is sent or 40 ms have passed. */
void sock_ack_now(int fd);

/* Where a redirected connection was going (SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST). Fails with ERR_UNSUPPORTED. */
int sock_original_dst(int fd, struct addr *out, struct err *e) MUST_CHECK;
/* The machine's own addresses now (getifaddrs); up to max. Not in a sandboxed worker: it needs netlink. */
int sock_own_addrs(struct addr *out, size_t max, size_t *count, struct err *e) MUST_CHECK;
/* Whether a is one of them at this moment; asks the routing table, works in a worker too. */
bool sock_is_own_addr(const struct addr *a);
/* Raises the soft limit of descriptors to the hard one and returns it. */
size_t sock_fd_limit(void);

#endif
