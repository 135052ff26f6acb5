#include "proc/owner.h"

#include "net/sock.h"
#include "proc/child.h"

#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LONG_NS INT64_C(5000000000)

static int listen_on(const char *literal, uint16_t port, struct addr *at)
{
	struct addr a;
	int fd = -1;

	assert_true(addr_parse_ip(bytes_str(literal), port, &a));
	if (sock_listen(&a, NULL, &fd, NULL) < 0)
		return -1;
	assert_int_equal(sock_local(fd, at, NULL), 0);
	return fd;
}

static void check_ours(const struct owner *o)
{
	assert_int_equal(o->pid, getpid());
	assert_int_equal(o->uid, geteuid());
	assert_string_equal(o->name, "owner \\x1b[31m");
}

static void finds_who_listens(void **state)
{
	static const char *const literals[] = { "127.0.0.1", "0.0.0.0", "::1", "::" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		struct addr at;
		struct owner o;
		int fd = listen_on(literals[i], 0, &at);

		if (fd < 0)
			continue; /* no IPv6 here */
		assert_int_equal(owner_of_listener(&at, LONG_NS, &o), OWNER_FOUND);
		check_ours(&o);
		sock_close(&fd);
		assert_int_equal(owner_of_listener(&at, LONG_NS, &o), OWNER_NO_SOCKET);
		assert_int_equal(o.pid, 0);
	}
}

static void a_listener_on_all_addresses_is_in_the_way_of_one(void **state)
{
	struct addr at, wanted;
	struct owner o;
	int fd = listen_on("0.0.0.0", 0, &at);

	(void)state;
	assert_true(addr_parse_ip(bytes_str("127.0.0.1"), at.port, &wanted));
	assert_int_equal(owner_of_listener(&wanted, LONG_NS, &o), OWNER_FOUND);
	sock_close(&fd);
	/* And one on another address is not. */
	fd = listen_on("127.0.0.2", at.port, &at);
	assert_int_equal(owner_of_listener(&wanted, LONG_NS, &o), OWNER_NO_SOCKET);
	wanted.ip[0] = wanted.ip[3] = 0; /* but it is in the way of all */
	assert_int_equal(owner_of_listener(&wanted, LONG_NS, &o), OWNER_FOUND);
	sock_close(&fd);
}

/* A connection of the family's loopback; the client's side is the one asked for. */
static void check_connection(int listener, int client, const struct addr *at)
{
	struct addr local;
	struct owner o;
	struct pollfd p = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(sock_local(client, &local, NULL), 0);
	assert_int_equal(owner_of_connection(&local, at, LONG_NS, &o), OWNER_FOUND);
	check_ours(&o);
	local.port++;
	assert_int_equal(owner_of_connection(&local, at, LONG_NS, &o), OWNER_NO_SOCKET);
}

static void finds_the_client_of_a_connection(void **state)
{
	static const char *const literals[] = { "127.0.0.1", "::1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		struct addr at;
		int fd = listen_on(literals[i], 0, &at), client = -1;

		if (fd < 0)
			continue;
		assert_int_equal(sock_connect(&at, &client, NULL), 0);
		check_connection(fd, client, &at);
		sock_close(&client);
		sock_close(&fd);
	}
}

static void finds_a_client_that_speaks_ip4_through_an_ip6_socket(void **state)
{
	struct addr at;
	int fd = listen_on("127.0.0.1", 0, &at);
	int client = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(at.port) };

	(void)state;
	to.sin6_addr.s6_addr[10] = to.sin6_addr.s6_addr[11] = 0xff;
	memcpy(to.sin6_addr.s6_addr + 12, at.ip, 4);
	if (client < 0 || connect(client, (struct sockaddr *)&to, sizeof(to)) < 0) {
		sock_close(&client);
		sock_close(&fd);
		skip();
	}
	check_connection(fd, client, &at);
	sock_close(&client);
	sock_close(&fd);
}

/* A process of another user that holds a socket; asked by one that may not see it. */

static int wait_for_end(void *ctx)
{
	char c;

	return (int)read(*(int *)ctx, &c, 1);
}

struct question {
	struct addr at;
};

static int ask_as_nobody(void *ctx)
{
	const struct question *q = ctx;
	struct owner o;

	if (setresuid(65534, 65534, 65534) < 0)
		return 99;
	enum owner_result r = owner_of_listener(&q->at, LONG_NS, &o);
	return r == OWNER_NO_PROCESS && o.uid == 0 && o.pid == 0 ? 0 : 10 + (int)r;
}

static void tells_when_the_process_may_not_be_seen(void **state)
{
	struct question q;
	int fd = listen_on("127.0.0.1", 0, &q.at), status;
	struct child_options o = { .role = "test", .run = ask_as_nobody, .ctx = &q };
	pid_t pid;

	(void)state;
	if (geteuid() != 0) {
		sock_close(&fd);
		skip();
	}
	assert_int_equal(child_start(&o, &pid, NULL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sock_close(&fd);
}

static void names_the_process_that_still_holds_what_was_inherited(void **state)
{
	struct addr at;
	struct owner found;
	int fd = listen_on("127.0.0.1", 0, &at), fds[2], status;
	int kept[2];
	struct child_options o = { .role = "held", .run = wait_for_end, .keep = kept };
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(fds), 0);
	kept[0] = fds[0];
	kept[1] = fd;
	o.keep_count = 2;
	o.ctx = &fds[0];
	assert_int_equal(child_start(&o, &pid, NULL), 0);
	sock_close(&fd);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(owner_of_listener(&at, LONG_NS, &found), OWNER_FOUND);
		assert_int_equal(found.pid, pid);
		if (strcmp(found.name, "oriel-held") == 0)
			break;
		usleep(1000);
	}
	assert_string_equal(found.name, "oriel-held");
	close(fds[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fds[0]);
}

static void time_that_ran_out_is_told(void **state)
{
	struct addr at;
	struct owner o;
	int fd = listen_on("127.0.0.1", 0, &at);

	(void)state;
	assert_int_equal(owner_of_listener(&at, 1, &o), OWNER_NO_PROCESS);
	assert_int_equal(o.uid, geteuid());
	sock_close(&fd);
}

static void says_it_in_words(void **state)
{
	struct owner o = { .uid = 1000, .pid = 4711, .name = "curl" };
	char text[OWNER_TEXT_MAX];

	(void)state;
	assert_string_equal(owner_text(&o, text), "curl (pid 4711, user 1000)");
	o.pid = 0;
	assert_string_equal(owner_text(&o, text), "a process of user 1000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_who_listens),
		cmocka_unit_test(a_listener_on_all_addresses_is_in_the_way_of_one),
		cmocka_unit_test(finds_the_client_of_a_connection),
		cmocka_unit_test(finds_a_client_that_speaks_ip4_through_an_ip6_socket),
		cmocka_unit_test(tells_when_the_process_may_not_be_seen),
		cmocka_unit_test(names_the_process_that_still_holds_what_was_inherited),
		cmocka_unit_test(time_that_ran_out_is_told),
		cmocka_unit_test(says_it_in_words),
	};

	/* A name that would colour a terminal. */
	prctl(PR_SET_NAME, "owner \x1b[31m");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
