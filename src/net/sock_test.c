#include "net/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct addr ip(const char *text)
{
	struct addr a = { 0 };

	assert_int_equal(addr_parse(bytes_str(text), &a, NULL), 0);
	return a;
}

/* A listener on a free port of loopback. */
static int listen_somewhere(const char *text, struct addr *at)
{
	struct addr a = ip(text);
	struct err e = { 0 };
	int fd = -1;

	if (sock_listen(&a, NULL, &fd, &e) < 0)
		fail_msg("%s", e.sentence);
	assert_int_equal(sock_local(fd, at, NULL), 0);
	return fd;
}

static void wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, 5000), 1);
}

struct pair {
	int listener, client, server;
	struct addr at, peer, local;
};

static void pair_open(struct pair *p, const char *text)
{
	p->listener = listen_somewhere(text, &p->at);
	assert_int_equal(sock_connect(&p->at, &p->client, NULL), 0);
	wait_for(p->listener, POLLIN);
	assert_int_equal(sock_accept(p->listener, &p->server, &p->peer, &p->local), SOCK_ACCEPTED);
	wait_for(p->client, POLLOUT);
	assert_int_equal(sock_error(p->client), 0);
}

static void pair_close(struct pair *p)
{
	sock_close(&p->listener);
	sock_close(&p->client);
	sock_close(&p->server);
}

static bool has_ip6(void)
{
	struct addr a = ip("[::1]:0");
	int fd = -1;
	bool yes = sock_listen(&a, NULL, &fd, NULL) == 0;

	sock_close(&fd);
	return yes;
}

static void check_pair(const char *text)
{
	struct pair p;
	struct addr client;

	pair_open(&p, text);
	assert_int_equal(sock_local(p.client, &client, NULL), 0);
	assert_true(addr_equal(&client, &p.peer));
	assert_true(addr_equal(&p.at, &p.local));
	assert_int_equal(sock_peer(p.client, &client, NULL), 0);
	assert_true(addr_equal(&client, &p.at));
	pair_close(&p);
}

static void connects_and_accepts_over_ip4(void **state)
{
	(void)state;
	check_pair("127.0.0.1:0");
}

static void connects_and_accepts_over_ip6(void **state)
{
	(void)state;
	if (!has_ip6())
		skip();
	check_pair("[::1]:0");
}

static void what_is_accepted_is_ours_alone_and_never_blocks(void **state)
{
	struct pair p;
	int nodelay = 0;
	socklen_t n = sizeof(nodelay);

	(void)state;
	pair_open(&p, "127.0.0.1:0");
	assert_true(fcntl(p.server, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(p.server, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(p.client, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(p.client, F_GETFL) & O_NONBLOCK);
	assert_int_equal(getsockopt(p.server, IPPROTO_TCP, TCP_NODELAY, &nodelay, &n), 0);
	assert_int_equal(nodelay, 1);
	pair_close(&p);
}

static void a_taken_port_is_named(void **state)
{
	struct addr at;
	struct err e = { 0 };
	int fd = listen_somewhere("127.0.0.1:0", &at), other = -1;
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_int_equal(sock_listen(&at, NULL, &other, &e), -1);
	assert_int_equal(e.code, ERR_SYSTEM);
	assert_int_equal(e.sys, EADDRINUSE);
	assert_non_null(strstr(e.sentence, addr_text(&at, text)));
	sock_close(&fd);
}

static void nobody_to_accept_is_no_error(void **state)
{
	struct addr at;
	int fd = listen_somewhere("127.0.0.1:0", &at), s = -1;

	(void)state;
	assert_int_equal(sock_accept(fd, &s, NULL, NULL), SOCK_ACCEPT_NONE);
	assert_int_equal(s, -1);
	sock_close(&fd);
	assert_int_equal(sock_accept(fd, &s, NULL, NULL), SOCK_ACCEPT_ERROR);
}

static void no_descriptors_left_is_told_apart(void **state)
{
	struct addr at;
	struct rlimit old, none;
	int fd = listen_somewhere("127.0.0.1:0", &at), client = -1, s = -1;

	(void)state;
	assert_int_equal(sock_connect(&at, &client, NULL), 0);
	wait_for(fd, POLLIN);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	enum sock_accept_result r = sock_accept(fd, &s, NULL, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_int_equal(r, SOCK_ACCEPT_NO_FDS);
	assert_int_equal(sock_accept(fd, &s, NULL, NULL), SOCK_ACCEPTED); /* it had waited */
	sock_close(&s);
	sock_close(&client);
	sock_close(&fd);
}

static void tells_refused(void **state)
{
	struct addr at;
	int fd = listen_somewhere("127.0.0.1:0", &at), client = -1;
	struct err e = { 0 };

	(void)state;
	sock_close(&fd);
	if (sock_connect(&at, &client, &e) < 0) {
		assert_int_equal(e.sys, ECONNREFUSED);
		return;
	}
	wait_for(client, POLLOUT);
	assert_int_equal(sock_error(client), ECONNREFUSED);
	sock_close(&client);
}

static void reads_writes_and_tells_the_end(void **state)
{
	struct pair p;
	uint8_t room[8];
	size_t n = 9;

	(void)state;
	pair_open(&p, "127.0.0.1:0");
	assert_int_equal(sock_read(p.server, room, sizeof(room), &n), SOCK_AGAIN);
	assert_int_equal(n, 0);
	assert_int_equal(sock_write(p.client, bytes_str("hello"), &n), SOCK_DONE);
	assert_int_equal(n, 5);
	wait_for(p.server, POLLIN);
	assert_int_equal(sock_read(p.server, room, sizeof(room), &n), SOCK_DONE);
	assert_int_equal(n, 5);
	assert_memory_equal(room, "hello", 5);
	sock_shutdown_write(p.client);
	wait_for(p.server, POLLIN);
	assert_int_equal(sock_read(p.server, room, sizeof(room), &n), SOCK_END);
	/* The other direction still works. */
	assert_int_equal(sock_write(p.server, bytes_str("bye"), &n), SOCK_DONE);
	wait_for(p.client, POLLIN);
	assert_int_equal(sock_read(p.client, room, sizeof(room), &n), SOCK_DONE);
	pair_close(&p);
}

static void a_full_socket_says_again(void **state)
{
	static uint8_t much[1 << 20];
	struct pair p;
	enum sock_io r = SOCK_DONE;
	size_t n;

	(void)state;
	pair_open(&p, "127.0.0.1:0");
	for (int i = 0; i < 1000 && r == SOCK_DONE; i++)
		r = sock_write(p.client, bytes_of(much, sizeof(much)), &n);
	assert_int_equal(r, SOCK_AGAIN);
	pair_close(&p);
}

static void a_reset_is_told_apart_from_an_end(void **state)
{
	struct pair p;
	uint8_t room[8];
	size_t n;

	(void)state;
	pair_open(&p, "127.0.0.1:0");
	sock_close_reset(&p.client);
	assert_int_equal(p.client, -1);
	wait_for(p.server, POLLIN);
	assert_int_equal(sock_read(p.server, room, sizeof(room), &n), SOCK_RESET);
	assert_int_equal(sock_write(p.server, bytes_str("x"), &n), SOCK_RESET);
	assert_int_equal(sock_read(-1, room, sizeof(room), &n), SOCK_FAILED);
	pair_close(&p);
}

static void an_ordinary_connection_has_no_original_destination(void **state)
{
	struct pair p;
	struct addr a;
	struct err e = { 0 };

	(void)state;
	pair_open(&p, "127.0.0.1:0");
	/* Where connection tracking is on, it answers with the own address: the caller compares. */
	if (sock_original_dst(p.server, &a, &e) < 0)
		assert_int_equal(e.code, ERR_UNSUPPORTED);
	else
		assert_true(addr_equal(&a, &p.local));
	pair_close(&p);
}

static void knows_the_addresses_of_this_machine(void **state)
{
	struct addr own[64], loopback = ip("127.0.0.1:80"), other = ip("192.0.2.1:80");
	size_t count = 0;
	bool found = false;

	(void)state;
	assert_int_equal(sock_own_addrs(own, ARRAY_LEN(own), &count, NULL), 0);
	for (size_t i = 0; i < count; i++)
		found |= addr_same_ip(&own[i], &loopback);
	assert_true(found);
	assert_true(sock_is_own_addr(&loopback));
	assert_false(sock_is_own_addr(&other));
	assert_int_equal(sock_own_addrs(own, 1, &count, NULL), 0);
	assert_int_equal(count, 1);
}

static void raises_the_limit_of_descriptors(void **state)
{
	struct rlimit old, low, now;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	low = old;
	low.rlim_cur = 64;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_true(sock_fd_limit() >= 64);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
	assert_int_equal(now.rlim_cur, old.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
}

/* In a network namespace of its own, where connections to one port are redirected to another. */

static bool run(const char *command)
{
	/* A command of the test's own, without anything from outside. */
	return system(command) == 0;
}

static int be_redirected(const char *literal)
{
	struct pair p;
	struct addr wanted = ip(literal), there;
	char command[512];
	int fd = -1, fd2 = -1;

	p.listener = listen_somewhere(wanted.family == ADDR_IP4 ? "127.0.0.1:0" : "[::1]:0", &p.at);
	snprintf(command, sizeof(command),
		 "nft 'table inet t { chain c { type nat hook output priority -100; "
		 "tcp dport %u redirect to :%u; }; }' 2>/dev/null",
		 wanted.port, p.at.port);
	if (!run(command))
		return 77;
	if (sock_connect(&wanted, &fd, NULL) < 0)
		return 1;
	wait_for(p.listener, POLLIN);
	if (sock_accept(p.listener, &fd2, &p.peer, &p.local) != SOCK_ACCEPTED)
		return 2;
	if (sock_original_dst(fd2, &there, NULL) < 0 || !addr_equal(&there, &wanted))
		return 3;
	sock_close(&fd);
	sock_close(&fd2);
	sock_close(&p.listener);
	return run("nft delete table inet t") ? 0 : 4;
}

static int in_namespace(void)
{
	int failed;

	if (unshare(CLONE_NEWNET) < 0 || !run("ip link set lo up 2>/dev/null"))
		return 77;
	failed = be_redirected("127.0.0.1:4443");
	return failed ? failed : be_redirected("[::1]:4443");
}

static void a_redirected_connection_tells_where_it_was_going(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(in_namespace());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* no namespaces, or no nft, here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_transparent_listener_may_have_any_address(void **state)
{
	struct sock_listen_options o = { .transparent = true };
	struct addr foreign = ip("192.0.2.1:0");
	struct err e = { 0 };
	int fd = -1;

	(void)state;
	assert_int_equal(sock_listen(&foreign, NULL, &fd, &e), -1);
	assert_int_equal(e.sys, EADDRNOTAVAIL);
	if (sock_listen(&foreign, &o, &fd, &e) < 0) {
		assert_int_equal(e.sys, EPERM);
		assert_non_null(strstr(e.sentence, "CAP_NET_ADMIN"));
	}
	sock_close(&fd);
}

struct folder {
	char dir[64], path[96];
};

static void folder_make(struct folder *f)
{
	snprintf(f->dir, sizeof(f->dir), "/tmp/oriel-sock-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/admin.sock", f->dir);
}

static void folder_remove(struct folder *f)
{
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
}

static void a_unix_socket_is_for_its_owner_only(void **state)
{
	struct folder f;
	struct stat st;
	int fd = -1, client = -1, server = -1;
	struct err e = { 0 };

	(void)state;
	folder_make(&f);
	assert_int_equal(sock_listen_unix(f.path, &fd, &e), 0);
	assert_int_equal(stat(f.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(sock_connect_unix(f.path, &client, &e), 0);
	assert_false(fcntl(client, F_GETFL) & O_NONBLOCK);
	assert_int_equal(sock_accept(fd, &server, NULL, NULL), SOCK_ACCEPTED);
	sock_close(&server);
	sock_close(&client);
	sock_close(&fd);
	folder_remove(&f);
}

static void a_stale_unix_socket_is_replaced_a_live_one_is_not(void **state)
{
	struct folder f;
	int fd = -1, other = -1;
	struct err e = { 0 };

	(void)state;
	folder_make(&f);
	assert_int_equal(sock_listen_unix(f.path, &fd, &e), 0);
	assert_int_equal(sock_listen_unix(f.path, &other, &e), -1);
	assert_int_equal(e.sys, EADDRINUSE);
	sock_close(&fd); /* its file stays behind */
	assert_int_equal(sock_connect_unix(f.path, &other, &e), -1);
	assert_int_equal(e.sys, ECONNREFUSED);
	assert_int_equal(sock_listen_unix(f.path, &fd, &e), 0);
	assert_int_equal(sock_connect_unix(f.path, &other, &e), 0);
	sock_close(&other);
	sock_close(&fd);
	folder_remove(&f);
}

static void what_is_no_socket_is_never_replaced(void **state)
{
	struct folder f;
	struct stat st;
	int fd = -1;
	struct err e = { 0 };
	FILE *file;

	(void)state;
	folder_make(&f);
	file = fopen(f.path, "w");
	assert_non_null(file);
	fclose(file);
	assert_int_equal(sock_listen_unix(f.path, &fd, &e), -1);
	assert_int_equal(e.sys, EADDRINUSE);
	assert_int_equal(stat(f.path, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	folder_remove(&f);
}

static void the_path_of_a_unix_socket_has_a_limit(void **state)
{
	char path[200];
	int fd = -1;
	struct err e = { 0 };

	(void)state;
	memset(path, 'a', sizeof(path));
	path[sizeof(((struct sockaddr_un *)0)->sun_path)] = 0;
	assert_int_equal(sock_listen_unix(path, &fd, &e), -1);
	assert_int_equal(e.sys, ENAMETOOLONG);
	assert_int_equal(sock_connect_unix("", &fd, &e), -1);
}

static void tells_whether_the_peer_takes_what_was_written(void **state)
{
	static uint8_t block[1 << 16];
	size_t done = 0, got = 0, before;
	struct pair p;

	(void)state;
	pair_open(&p, "127.0.0.1:0");
	assert_int_equal(sock_unsent(p.client), 0);
	while (sock_write(p.client, bytes_of(block, sizeof(block)), &done) == SOCK_DONE)
		;
	before = sock_unsent(p.client);
	assert_true(before > 0);
	while (sock_unsent(p.client) == before)
		(void)sock_read(p.server, block, sizeof(block), &got);
	pair_close(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_whether_the_peer_takes_what_was_written),
		cmocka_unit_test(connects_and_accepts_over_ip4),
		cmocka_unit_test(connects_and_accepts_over_ip6),
		cmocka_unit_test(what_is_accepted_is_ours_alone_and_never_blocks),
		cmocka_unit_test(a_taken_port_is_named),
		cmocka_unit_test(nobody_to_accept_is_no_error),
		cmocka_unit_test(no_descriptors_left_is_told_apart),
		cmocka_unit_test(tells_refused),
		cmocka_unit_test(reads_writes_and_tells_the_end),
		cmocka_unit_test(a_full_socket_says_again),
		cmocka_unit_test(a_reset_is_told_apart_from_an_end),
		cmocka_unit_test(an_ordinary_connection_has_no_original_destination),
		cmocka_unit_test(knows_the_addresses_of_this_machine),
		cmocka_unit_test(raises_the_limit_of_descriptors),
		cmocka_unit_test(a_redirected_connection_tells_where_it_was_going),
		cmocka_unit_test(a_transparent_listener_may_have_any_address),
		cmocka_unit_test(a_unix_socket_is_for_its_owner_only),
		cmocka_unit_test(a_stale_unix_socket_is_replaced_a_live_one_is_not),
		cmocka_unit_test(what_is_no_socket_is_never_replaced),
		cmocka_unit_test(the_path_of_a_unix_socket_has_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
