#include "proc/owner.h"

#include "base/escape.h"
#include "base/rd.h"
#include "net/loop.h"
#include "net/sock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUDGET_NS 50000000
#define ANSWER_MAX 16384

struct request {
	struct nlmsghdr head;
	struct inet_diag_req_v2 body;
};

/* What is searched for, and what is found. */
struct search {
	struct addr local, remote; /* remote.family ADDR_NONE: a listener */
	bool found;
	uint32_t inode;
	uid_t uid;
};

/* The kernel's table of sockets */

static int diag_open(void)
{
	AUTO(sock_close) int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	struct timeval patience = { .tv_usec = 200000 };

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0)
		return -1;
	return sock_take(&fd);
}

static void endpoint_write(const struct addr *a, __be32 ip[4], __be16 *port)
{
	memcpy(ip, a->ip, a->family == ADDR_IP6 ? 16 : 4);
	*port = htons(a->port);
}

static struct addr endpoint_read(int family, const __be32 ip[4], __be16 port)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };
	struct addr a = { .family = family == AF_INET6 ? ADDR_IP6 : ADDR_IP4, .port = ntohs(port) };

	if (family == AF_INET6 && memcmp(ip, mapped, sizeof(mapped)) == 0) {
		a.family = ADDR_IP4;
		memcpy(a.ip, &ip[3], 4);
		return a;
	}
	memcpy(a.ip, ip, a.family == ADDR_IP6 ? 16 : 4);
	return a;
}

static bool is_any(const struct addr *a)
{
	static const uint8_t zero[16];

	return memcmp(a->ip, zero, sizeof(zero)) == 0;
}

/* Would a listener at b be in the way of one at a? The IPv6 wildcard may stand for IPv4 too. */
static bool overlaps(const struct addr *a, const struct addr *b)
{
	if (a->port != b->port)
		return false;
	if (b->family == ADDR_IP6 && is_any(b))
		return true;
	return a->family == b->family && (is_any(a) || is_any(b) || addr_same_ip(a, b));
}

static void consider(struct search *s, const struct inet_diag_msg *m)
{
	struct addr local = endpoint_read(m->idiag_family, m->id.idiag_src, m->id.idiag_sport);
	struct addr remote = endpoint_read(m->idiag_family, m->id.idiag_dst, m->id.idiag_dport);

	if (s->found)
		return;
	if (s->remote.family == ADDR_NONE
		    ? !overlaps(&s->local, &local)
		    : !addr_equal(&s->local, &local) || !addr_equal(&s->remote, &remote))
		return;
	s->found = true;
	s->inode = m->idiag_inode;
	s->uid = m->idiag_uid;
}

enum part { PART_MORE, PART_LAST, PART_FAILED };

/* A structure of the kernel's, in its own byte order; zero when too little is there. */
static void read_struct(struct rd *r, void *out, size_t n)
{
	struct bytes b = rd_take(r, n);

	memset(out, 0, n);
	if (b.n)
		memcpy(out, b.p, n);
}

static enum part read_message(struct rd *r, struct search *s)
{
	struct nlmsghdr head;
	struct inet_diag_msg m;
	struct nlmsgerr failure;

	read_struct(r, &head, sizeof(head));
	struct rd body =
		rd_init(rd_take(r, head.nlmsg_len < sizeof(head) ? SIZE_MAX
								 : head.nlmsg_len - sizeof(head)),
			r->bad);
	if (*r->bad)
		return PART_FAILED;
	/* The padding after the last one may be missing. */
	rd_skip(r, NLMSG_ALIGN(head.nlmsg_len) - head.nlmsg_len < r->n
			   ? NLMSG_ALIGN(head.nlmsg_len) - head.nlmsg_len
			   : r->n);
	switch (head.nlmsg_type) {
	case NLMSG_DONE:
		return PART_LAST;
	case NLMSG_ERROR:
		read_struct(&body, &failure, sizeof(failure));
		/* That there is no such socket is an answer too. */
		return !*r->bad && failure.error == -ENOENT ? PART_LAST : PART_FAILED;
	default:
		read_struct(&body, &m, sizeof(m));
		if (*r->bad)
			return PART_FAILED;
		consider(s, &m);
		return head.nlmsg_flags & NLM_F_MULTI ? PART_MORE : PART_LAST;
	}
}

static enum part read_datagram(struct bytes datagram, struct search *s)
{
	bool bad = false;
	struct rd r = rd_init(datagram, &bad);
	enum part part = PART_MORE;

	while (r.n && part == PART_MORE)
		part = read_message(&r, s);
	return part;
}

/* False when the kernel does not answer. */
static bool diag_ask(int fd, const struct request *q, struct search *s)
{
	static const struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	_Alignas(struct nlmsghdr) uint8_t room[ANSWER_MAX];
	enum part part = PART_MORE;

	if (sendto(fd, q, sizeof(*q), 0, (const struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return false;
	while (part == PART_MORE) {
		ssize_t n = recv(fd, room, sizeof(room), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		part = read_datagram(bytes_of(room, (size_t)n), s);
	}
	return part == PART_LAST;
}

/* A listener: all listeners of the family are listed, few on any machine. A connection: the one. */
static bool diag_search(int fd, int family, struct search *s)
{
	bool one = s->remote.family != ADDR_NONE;
	struct request q = {
		.head = { .nlmsg_len = sizeof(q),
			  .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (one ? 0 : NLM_F_DUMP)) },
		.body = { .sdiag_family = (uint8_t)family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = one ? ~0u : 1u << TCP_LISTEN },
	};

	if (one) {
		endpoint_write(&s->local, q.body.id.idiag_src, &q.body.id.idiag_sport);
		endpoint_write(&s->remote, q.body.id.idiag_dst, &q.body.id.idiag_dport);
		q.body.id.idiag_if = s->local.scope;
		q.body.id.idiag_cookie[0] = q.body.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	}
	return diag_ask(fd, &q, s);
}

/* The processes */

/* Does the process hold the socket? *link is "socket:[inode]". */
static bool holds(const char *pid, const char *link)
{
	char path[64], target[64];
	const struct dirent *entry;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	d = opendir(path);
	if (!d)
		return false;
	while (!found && (entry = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), entry->d_name, target, sizeof(target));

		found = n > 0 && bytes_equal(bytes_of(target, (size_t)n), bytes_str(link));
	}
	closedir(d);
	return found;
}

static void read_name(const char *pid, char *out, size_t size)
{
	char path[64];
	uint8_t name[64];
	size_t n = 0;
	AUTO(sock_close) int fd = -1;

	snprintf(path, sizeof(path), "/proc/%.20s/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || sock_read(fd, name, sizeof(name), &n) != SOCK_DONE)
		n = 0;
	/* A process may call itself anything. */
	escape_to(out, size, bytes_slice(bytes_of(name, n), 0, n ? n - 1 : 0));
}

/* Only processes of the socket's user, or only the others. */
static bool scan(const char *link, bool same_user, int64_t until_ns, struct owner *out)
{
	const struct dirent *entry;
	bool found = false;
	DIR *d = opendir("/proc");

	if (!d)
		return false;
	while (!found && clock_mono_ns() < until_ns && (entry = readdir(d))) {
		struct stat st;
		uint64_t pid;

		if (!bytes_decimal(bytes_str(entry->d_name), INT32_MAX, &pid) ||
		    fstatat(dirfd(d), entry->d_name, &st, 0) < 0 ||
		    (st.st_uid == out->uid) != same_user || !holds(entry->d_name, link))
			continue;
		found = true;
		out->pid = (pid_t)pid;
		read_name(entry->d_name, out->name, sizeof(out->name));
	}
	closedir(d);
	return found;
}

/* Who was found lately: most connections come from a few programs, and looking through the
 * descriptors of one process takes a hundredth of looking through those of all. */
#define RECENT_MAX 4

static _Thread_local struct {
	pid_t pids[RECENT_MAX];
	size_t next;
} recent;

static void remember(pid_t pid)
{
	for (size_t i = 0; i < RECENT_MAX; i++) {
		if (recent.pids[i] == pid)
			return;
	}
	recent.pids[recent.next++ % RECENT_MAX] = pid;
}

static bool look_at_recent(const char *link, int64_t until_ns, struct owner *out)
{
	for (size_t i = 0; i < RECENT_MAX && clock_mono_ns() < until_ns; i++) {
		char pid[24];

		snprintf(pid, sizeof(pid), "%d", (int)recent.pids[i]);
		if (!recent.pids[i] || !holds(pid, link))
			continue;
		out->pid = recent.pids[i];
		read_name(pid, out->name, sizeof(out->name));
		return true;
	}
	return false;
}

static enum owner_result find_process(const struct search *s, int64_t budget_ns, struct owner *out)
{
	int64_t until_ns = clock_mono_ns() + (budget_ns ? budget_ns : BUDGET_NS);
	char link[32];

	out->uid = s->uid;
	snprintf(link, sizeof(link), "socket:[%u]", s->inode);
	if (!s->inode)
		return OWNER_NO_PROCESS;
	if (look_at_recent(link, until_ns, out))
		return OWNER_FOUND;
	/* A process may have changed its user since it made the socket: the others come second. */
	if (!scan(link, true, until_ns, out) && !scan(link, false, until_ns, out))
		return OWNER_NO_PROCESS;
	remember(out->pid);
	return OWNER_FOUND;
}

static enum owner_result find_owner(struct search *s, int64_t budget_ns, struct owner *out)
{
	AUTO(sock_close) int fd = diag_open();
	bool answered;

	*out = (struct owner){ 0 };
	if (fd < 0)
		return OWNER_FAULT;
	answered = s->local.family != ADDR_IP6 && diag_search(fd, AF_INET, s);
	if (!s->found && (s->local.family == ADDR_IP6 || s->remote.family == ADDR_NONE))
		answered = diag_search(fd, AF_INET6, s);
	if (s->found)
		return find_process(s, budget_ns, out);
	return answered ? OWNER_NO_SOCKET : OWNER_FAULT;
}

enum owner_result owner_of_listener(const struct addr *a, int64_t budget_ns, struct owner *out)
{
	struct search s = { .local = *a };

	return find_owner(&s, budget_ns, out);
}

enum owner_result owner_of_connection(const struct addr *local, const struct addr *remote,
				      int64_t budget_ns, struct owner *out)
{
	struct search s = { .local = *local, .remote = *remote };

	return find_owner(&s, budget_ns, out);
}

const char *owner_text(const struct owner *o, char out[OWNER_TEXT_MAX])
{
	if (o->pid)
		snprintf(out, OWNER_TEXT_MAX, "%s (pid %d, user %u)", o->name, (int)o->pid, o->uid);
	else
		snprintf(out, OWNER_TEXT_MAX, "a process of user %u", o->uid);
	return out;
}
