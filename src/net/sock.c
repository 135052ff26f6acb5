#include "net/sock.h"

#include "net/sockaddr.h"

#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* <linux/netfilter_ipv4.h> and its IPv6 brother clash with <netinet/in.h>. */
enum { NF_ORIGINAL_DST = 80 };

socklen_t sockaddr_from(const struct addr *a, struct sockaddr_storage *out)
{
	*out = (struct sockaddr_storage){ 0 };
	if (a->family == ADDR_IP6) {
		struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
					    .sin6_port = htons(a->port),
					    .sin6_scope_id = a->scope };

		memcpy(&in6.sin6_addr, a->ip, 16);
		memcpy(out, &in6, sizeof(in6));
		return sizeof(in6);
	}

	struct sockaddr_in in4 = { .sin_family = AF_INET, .sin_port = htons(a->port) };

	memcpy(&in4.sin_addr, a->ip, 4);
	memcpy(out, &in4, sizeof(in4));
	return sizeof(in4);
}

bool sockaddr_to(const struct sockaddr *sa, socklen_t n, struct addr *out)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct sockaddr_in6 in6;
	struct sockaddr_in in4;

	*out = (struct addr){ 0 };
	if (n >= sizeof(in4) && sa->sa_family == AF_INET) {
		memcpy(&in4, sa, sizeof(in4));
		out->family = ADDR_IP4;
		memcpy(out->ip, &in4.sin_addr, 4);
		out->port = ntohs(in4.sin_port);
		return true;
	}
	if (n < sizeof(in6) || sa->sa_family != AF_INET6)
		return false;
	memcpy(&in6, sa, sizeof(in6));
	out->port = ntohs(in6.sin6_port);
	if (memcmp(&in6.sin6_addr, mapped, sizeof(mapped)) == 0) {
		out->family = ADDR_IP4;
		memcpy(out->ip, in6.sin6_addr.s6_addr + 12, 4);
		return true;
	}
	out->family = ADDR_IP6;
	memcpy(out->ip, &in6.sin6_addr, 16);
	out->scope = in6.sin6_scope_id;
	return true;
}

static void set_on(int fd, int level, int name)
{
	int on = 1;

	(void)setsockopt(fd, level, name, &on, sizeof(on));
}

static int tcp_socket(const struct addr *a)
{
	int family = a->family == ADDR_IP6 ? AF_INET6 : AF_INET;

	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

static int set_transparent(int fd, const struct addr *a)
{
	int on = 1;

	if (a->family == ADDR_IP6)
		return setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &on, sizeof(on));
	return setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &on, sizeof(on));
}

int sock_listen(const struct addr *a, const struct sock_listen_options *o, int *fd, struct err *e)
{
	AUTO(sock_close) int s = tcp_socket(a);
	struct sockaddr_storage sa;
	char text[ADDR_TEXT_MAX];
	socklen_t n = sockaddr_from(a, &sa);

	addr_text(a, text);
	if (s < 0)
		return FAIL_SYS(e, SYSTEM, "listening on %s", text);
	set_on(s, SOL_SOCKET, SO_REUSEADDR);
	/* [::] must not take the place of 0.0.0.0: each address is listened on by its own socket. */
	if (a->family == ADDR_IP6)
		set_on(s, IPPROTO_IPV6, IPV6_V6ONLY);
	sock_nodelay(s); /* accepted sockets inherit it: a system call less for each */
	if (o && o->transparent && set_transparent(s, a) < 0)
		return FAIL_SYS(e, SYSTEM, "listening on %s transparently needs CAP_NET_ADMIN",
				text);
	if (bind(s, (struct sockaddr *)&sa, n) < 0)
		return FAIL_SYS(e, SYSTEM, "listening on %s", text);
	if (listen(s, o && o->backlog ? o->backlog : 4096) < 0)
		return FAIL_SYS(e, SYSTEM, "listening on %s", text);
	*fd = sock_take(&s);
	return 0;
}

static int unix_address(const char *path, struct sockaddr_un *out, struct err *e)
{
	size_t n = strlen(path);

	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (n == 0 || n >= sizeof(out->sun_path))
		return err_set(e, ERR_SYSTEM, ENAMETOOLONG, ERR_ORIGIN,
			       "%s: the path of a socket has 1 to %zu bytes, not %zu", path,
			       sizeof(out->sun_path) - 1, n);
	memcpy(out->sun_path, path, n);
	return 0;
}

static bool somebody_answers(const struct sockaddr_un *sun)
{
	AUTO(sock_close) int s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	/* EAGAIN: its backlog is full, so it lives. */
	return s < 0 || connect(s, (const struct sockaddr *)sun, sizeof(*sun)) == 0 ||
	       errno != ECONNREFUSED;
}

/* Only a socket that we own and that nobody listens on is removed. */
static void remove_stale(const struct sockaddr_un *sun)
{
	struct stat st;

	if (lstat(sun->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) && st.st_uid == geteuid() &&
	    !somebody_answers(sun))
		(void)unlink(sun->sun_path);
}

int sock_listen_unix(const char *path, int *fd, struct err *e)
{
	AUTO(sock_close) int s = -1;
	struct sockaddr_un sun;
	int bound;

	if (unix_address(path, &sun, e) < 0)
		return -1;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	/* bind gives the file the mode of the socket (less the umask), so that there is no moment in
	 * which others may connect. */
	if (s < 0 || fchmod(s, 0600) < 0)
		return FAIL_SYS(e, SYSTEM, "listening on %s", path);
	bound = bind(s, (struct sockaddr *)&sun, sizeof(sun));
	if (bound < 0 && errno == EADDRINUSE) {
		remove_stale(&sun);
		bound = bind(s, (struct sockaddr *)&sun, sizeof(sun));
	}
	if (bound < 0 || listen(s, 128) < 0)
		return FAIL_SYS(e, SYSTEM, "listening on %s", path);
	*fd = sock_take(&s);
	return 0;
}

/* What an error of accept(2) means: mostly that the connection is gone before it was seen. */
static enum sock_accept_result accept_failed(int error)
{
	switch (error) {
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return SOCK_ACCEPT_NO_FDS;
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return SOCK_ACCEPT_ERROR;
	default:
		return SOCK_ACCEPT_NONE;
	}
}

enum sock_accept_result sock_accept(int listener, int *fd, struct addr *peer, struct addr *local)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);
	int s;

	do
		s = accept4(listener, (struct sockaddr *)&sa, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
	while (s < 0 && errno == EINTR);
	if (s < 0)
		return accept_failed(errno);
	if ((peer && !sockaddr_to((struct sockaddr *)&sa, n, peer)) ||
	    (local && sock_local(s, local, NULL) < 0)) {
		sock_close(&s);
		return SOCK_ACCEPT_NONE;
	}
	*fd = s;
	return SOCK_ACCEPTED;
}

int sock_connect(const struct addr *a, int *fd, struct err *e)
{
	AUTO(sock_close) int s = tcp_socket(a);
	struct sockaddr_storage sa;
	char text[ADDR_TEXT_MAX];
	socklen_t n = sockaddr_from(a, &sa);

	if (s < 0)
		return FAIL_SYS(e, CONNECT, "%s", addr_text(a, text));
	sock_nodelay(s);
	/* Interrupted or not, it goes on. */
	if (connect(s, (struct sockaddr *)&sa, n) < 0 && errno != EINPROGRESS && errno != EINTR)
		return FAIL_SYS(e, CONNECT, "%s", addr_text(a, text));
	*fd = sock_take(&s);
	return 0;
}

int sock_connect_unix(const char *path, int *fd, struct err *e)
{
	AUTO(sock_close) int s = -1;
	struct sockaddr_un sun;

	if (unix_address(path, &sun, e) < 0)
		return -1;
	s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (s < 0 || connect(s, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return FAIL_SYS(e, CONNECT, "%s", path);
	*fd = sock_take(&s);
	return 0;
}

int sock_error(int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0 ? errno : error;
}

static enum sock_io io_failed(int error)
{
	if (error == EAGAIN)
		return SOCK_AGAIN;
	return error == ECONNRESET || error == EPIPE ? SOCK_RESET : SOCK_FAILED;
}

enum sock_io sock_read(int fd, uint8_t *p, size_t n, size_t *got)
{
	ssize_t r;

	*got = 0;
	do
		r = read(fd, p, n);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return io_failed(errno);
	*got = (size_t)r;
	return r == 0 ? SOCK_END : SOCK_DONE;
}

enum sock_io sock_write(int fd, struct bytes b, size_t *done)
{
	ssize_t r;

	*done = 0;
	do
		r = send(fd, b.p, b.n, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return io_failed(errno);
	*done = (size_t)r;
	return SOCK_DONE;
}

size_t sock_unsent(int fd)
{
	/* linux/sock_diag.h: SK_MEMINFO_WMEM_QUEUED is the sixth number. */
	uint32_t info[16] = { 0 };
	socklen_t n = sizeof(info);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &n) < 0 ? 0 : info[5];
}

void sock_shutdown_write(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}

void sock_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd); /* on Linux it is closed even when this fails */
	*fd = -1;
	errno = saved;
}

void sock_close_reset(int *fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	if (*fd >= 0)
		(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	sock_close(fd);
}

int sock_local(int fd, struct addr *out, struct err *e)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
		return FAIL_SYS(e, SYSTEM, "the local address of a connection");
	if (!sockaddr_to((struct sockaddr *)&sa, n, out))
		return FAIL(e, UNSUPPORTED, "a socket of family %d", sa.ss_family);
	return 0;
}

int sock_peer(int fd, struct addr *out, struct err *e)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);

	if (getpeername(fd, (struct sockaddr *)&sa, &n) < 0)
		return FAIL_SYS(e, SYSTEM, "the peer's address of a connection");
	if (!sockaddr_to((struct sockaddr *)&sa, n, out))
		return FAIL(e, UNSUPPORTED, "a socket of family %d", sa.ss_family);
	return 0;
}

void sock_ack_now(int fd)
{
	set_on(fd, IPPROTO_TCP, TCP_QUICKACK);
}

void sock_nodelay(int fd)
{
	set_on(fd, IPPROTO_TCP, TCP_NODELAY);
}

int sock_original_dst(int fd, struct addr *out, struct err *e)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t n = sizeof(sa);
	int level;

	if (getsockname(fd, (struct sockaddr *)&sa, &n) < 0)
		return FAIL_SYS(e, SYSTEM, "the local address of a connection");
	level = sa.ss_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
	/* The kernel wants exactly the size of the family's address. */
	n = sa.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	if (getsockopt(fd, level, NF_ORIGINAL_DST, &sa, &n) < 0)
		return FAIL_SYS(e, UNSUPPORTED,
				"the original destination of a redirected connection");
	if (!sockaddr_to((struct sockaddr *)&sa, n, out))
		return FAIL(e, UNSUPPORTED, "an original destination of family %d", sa.ss_family);
	return 0;
}

int sock_own_addrs(struct addr *out, size_t max, size_t *count, struct err *e)
{
	struct ifaddrs *all;

	*count = 0;
	if (getifaddrs(&all) < 0)
		return FAIL_SYS(e, SYSTEM, "the addresses of this machine");
	for (const struct ifaddrs *i = all; i && *count < max; i = i->ifa_next) {
		int family = i->ifa_addr ? i->ifa_addr->sa_family : AF_UNSPEC;
		socklen_t n = family == AF_INET6 ? sizeof(struct sockaddr_in6)
						 : sizeof(struct sockaddr_in);

		if (family != AF_INET && family != AF_INET6)
			continue;
		*count += sockaddr_to(i->ifa_addr, n, &out[*count]);
	}
	freeifaddrs(all);
	return 0;
}

/* Connecting UDP sends nothing. Towards one of its own addresses, the kernel speaks from that very
 * address; bind would be simpler, but allows any with net.ipv4.ip_nonlocal_bind. */
bool sock_is_own_addr(const struct addr *a)
{
	int family = a->family == ADDR_IP6 ? AF_INET6 : AF_INET;
	AUTO(sock_close) int s = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct addr to = *a, from;
	struct sockaddr_storage sa;
	socklen_t n;

	to.port = 9;
	n = sockaddr_from(&to, &sa);
	if (s < 0 || connect(s, (struct sockaddr *)&sa, n) < 0 || sock_local(s, &from, NULL) < 0)
		return false;
	return addr_same_ip(&from, a);
}

size_t sock_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1024;
	if (limit.rlim_cur < limit.rlim_max) {
		struct rlimit raised = { limit.rlim_max, limit.rlim_max };

		if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
			limit = raised;
	}
	return limit.rlim_cur > 1u << 20 ? 1u << 20 : (size_t)limit.rlim_cur;
}
