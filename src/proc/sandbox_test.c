#include "proc/sandbox.h"

#include "base/mem.h"
#include "net/dial.h"
#include "net/fake_dns.h"
#include "net/sock.h"
#include "proc/channel.h"
#include "proc/child.h"
#include "proc/file.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* What is tried runs in a child behind the filter; its exit status tells how it went. */

struct trial {
	enum sandbox_role role;
	int (*fn)(void *ctx);
	void *ctx;
	bool file_less; /* no descriptors at all are passed on */
};

static int behind_the_filter(void *ctx)
{
	const struct trial *t = ctx;
	struct err e = { 0 };

	if (sandbox_enter(t->role, &e) < 0) {
		fprintf(stderr, "%s\n", e.sentence);
		return 100;
	}
	return t->fn(t->ctx);
}

static int wait_for(pid_t pid)
{
	int status = -1;

	for (int i = 0; i < 10000; i++) {
		if (child_reap(pid, &status) == CHILD_ENDED)
			return status;
		usleep(1000);
	}
	kill(pid, SIGKILL);
	fail_msg("the child hangs behind the filter");
	return status;
}

static int try(enum sandbox_role role, int (*fn)(void *ctx), void *ctx)
{
	struct trial t = { .role = role, .fn = fn, .ctx = ctx };
	struct child_options o = { .role = "worker", .run = behind_the_filter, .ctx = &t };
	pid_t pid;

	assert_int_equal(child_start(&o, &pid, NULL), 0);
	return wait_for(pid);
}

static void skip_without_sandbox(void)
{
	if (!sandbox_available())
		skip();
}

/* Ends of the process */

struct call {
	const char *name;
	long number;
	long a, b, c;
};

static int make_call(void *ctx)
{
	const struct call *c = ctx;

	(void)!syscall(c->number, c->a, c->b, c->c, 0L, 0L, 0L);
	return 0;
}

static void check_ends(enum sandbox_role role, const struct call *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int status = try(role, make_call, (void *)(uintptr_t)&calls[i]);

		if (!child_ended_by_sandbox(status))
			fail_msg("%s: status %x", calls[i].name, status);
	}
}

static const char passwd[] = "/etc/passwd";

#define P(x) (long)(uintptr_t)(x)

static void what_only_an_intruder_calls_ends_a_worker(void **state)
{
	const struct call calls[] = {
		{ "open", SYS_open, P(passwd), O_RDONLY, 0 },
		{ "openat", SYS_openat, AT_FDCWD, P(passwd), O_RDONLY },
		{ "openat2", SYS_openat2, AT_FDCWD, P(passwd), 0 },
		{ "creat", SYS_creat, P("/tmp/x"), 0600, 0 },
		{ "unlink", SYS_unlink, P("/tmp/none"), 0, 0 },
		{ "execve", SYS_execve, P("/bin/true"), 0, 0 },
		{ "execveat", SYS_execveat, AT_FDCWD, P("/bin/true"), 0 },
		{ "ptrace", SYS_ptrace, 16, 1, 0 },
		{ "process_vm_readv", SYS_process_vm_readv, 1, 0, 0 },
		{ "fork", SYS_fork, 0, 0, 0 },
		{ "vfork", SYS_vfork, 0, 0, 0 },
		{ "clone of a process", SYS_clone, SIGCHLD, 0, 0 },
		{ "setuid", SYS_setuid, 0, 0, 0 },
		{ "bpf", SYS_bpf, 0, 0, 0 },
		{ "unshare", SYS_unshare, CLONE_NEWNS, 0, 0 },
	};

	(void)state;
	skip_without_sandbox();
	check_ends(SANDBOX_WORKER, calls, ARRAY_LEN(calls));
}

static void what_only_an_intruder_calls_ends_a_keeper(void **state)
{
	const struct call calls[] = {
		{ "socket", SYS_socket, AF_INET, SOCK_STREAM, 0 },
		{ "unix socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0 },
		{ "connect", SYS_connect, 0, 0, 0 },
		{ "bind", SYS_bind, 0, 0, 0 },
		{ "listen", SYS_listen, 0, 0, 0 },
		{ "execve", SYS_execve, P("/bin/true"), 0, 0 },
		{ "fork", SYS_fork, 0, 0, 0 },
		{ "process_vm_readv", SYS_process_vm_readv, 1, 0, 0 },
		{ "ptrace", SYS_ptrace, 16, 1, 0 },
	};

	(void)state;
	skip_without_sandbox();
	check_ends(SANDBOX_KEEPER, calls, ARRAY_LEN(calls));
}

static void what_only_an_intruder_calls_ends_a_reader(void **state)
{
	const struct call calls[] = {
		{ "open", SYS_open, P(passwd), O_RDONLY, 0 },
		{ "openat", SYS_openat, AT_FDCWD, P(passwd), O_RDONLY },
		{ "unlink", SYS_unlink, P("/tmp/none"), 0, 0 },
		{ "socket", SYS_socket, AF_INET, SOCK_STREAM, 0 },
		{ "execve", SYS_execve, P("/bin/true"), 0, 0 },
		{ "fork", SYS_fork, 0, 0, 0 },
		{ "ptrace", SYS_ptrace, 16, 1, 0 },
	};
	const struct call with_files[] = {
		{ "openat2", SYS_openat2, AT_FDCWD, P(passwd), 0 },
		{ "socket", SYS_socket, AF_UNIX, SOCK_STREAM, 0 },
		{ "connect", SYS_connect, 0, 0, 0 },
		{ "execve", SYS_execve, P("/bin/true"), 0, 0 },
		{ "fork", SYS_fork, 0, 0, 0 },
	};

	(void)state;
	skip_without_sandbox();
	check_ends(SANDBOX_READER, calls, ARRAY_LEN(calls));
	check_ends(SANDBOX_READER_FILES, with_files, ARRAY_LEN(with_files));
}

/* What fails, and how */

static int expect_errno(long result, int expected)
{
	if (result >= 0)
		return 1;
	return errno == expected ? 0 : 2;
}

static int try_other_sockets(void *ctx)
{
	(void)ctx;
	return expect_errno(socket(AF_UNIX, SOCK_STREAM, 0), EACCES) ||
	       expect_errno(socket(AF_NETLINK, SOCK_RAW, 0), EACCES) ||
	       expect_errno(socket(AF_PACKET, SOCK_RAW, 0), EACCES) ||
	       expect_errno(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), ENOSYS);
}

static void a_worker_gets_only_internet_sockets(void **state)
{
	(void)state;
	skip_without_sandbox();
	assert_int_equal(try(SANDBOX_WORKER, try_other_sockets, NULL), 0);
}

static int try_to_run_data(void *ctx)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)ctx;
	if (p == MAP_FAILED)
		return 1;
	if (mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0)
		return 2;
	return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0) != MAP_FAILED;
}

static void no_new_code_can_be_made(void **state)
{
	(void)state;
	skip_without_sandbox();
	assert_int_equal(try(SANDBOX_WORKER, try_to_run_data, NULL), 0);
	assert_int_equal(try(SANDBOX_KEEPER, try_to_run_data, NULL), 0);
}

static int try_unknown(void *ctx)
{
	(void)ctx;
	return expect_errno(syscall(SYS_getcpu + 10000), ENOSYS) ||
	       expect_errno(kill(getppid(), 0), ENOSYS) ||
	       expect_errno(syscall(SYS_tgkill, getppid(), getppid(), 0), ENOSYS);
}

static void what_is_not_listed_fails(void **state)
{
	(void)state;
	skip_without_sandbox();
	assert_int_equal(try(SANDBOX_WORKER, try_unknown, NULL), 0);
}

/* What works */

static void *use_memory(void *ctx)
{
	unsigned *sum = ctx;

	for (size_t n = 1; n < 1 << 22; n *= 2) {
		uint8_t *p = mem_new(n);

		if (!p)
			return ctx;
		p[n - 1] = 1;
		*sum += p[n - 1];
		p = mem_resize(p, n * 3);
		mem_free(p);
	}
	return NULL;
}

/* Memory that libc gives back to the system from an arena. */
static void *shrink_arena(void *ctx)
{
	void *pieces[64];

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		pieces[i] = mem_new(100000);
		if (!pieces[i])
			return ctx;
	}
	for (size_t i = ARRAY_LEN(pieces); i; i--)
		mem_free(pieces[i - 1]);
	return NULL;
}

static int use_threads_and_memory(void *ctx)
{
	pthread_t threads[8];
	unsigned sums[8] = { 0 };
	void *failed;

	(void)ctx;
	/* First, since the large pieces below raise the threshold. */
	if (pthread_create(&threads[0], NULL, shrink_arena, threads) != 0 ||
	    pthread_join(threads[0], &failed) != 0 || failed)
		return 3;
	for (size_t i = 0; i < 8; i++) {
		if (pthread_create(&threads[i], NULL, use_memory, &sums[i]) != 0)
			return 1;
	}
	for (size_t i = 0; i < 8; i++) {
		if (pthread_join(threads[i], &failed) != 0 || failed || sums[i] != 22)
			return 2;
	}
	return 0;
}

static int open_a_file(void *ctx)
{
	int fd = open(passwd, O_RDONLY | O_CLOEXEC);

	(void)ctx;
	return fd < 0 ? 1 : close(fd);
}

static void a_reader_that_needs_files_may_open_them(void **state)
{
	(void)state;
	skip_without_sandbox();
	assert_int_equal(try(SANDBOX_READER_FILES, open_a_file, NULL), 0);
	assert_int_equal(try(SANDBOX_READER_FILES, use_threads_and_memory, NULL), 0);
	assert_int_equal(try(SANDBOX_READER, use_threads_and_memory, NULL), 0);
}

static void threads_and_memory_work(void **state)
{
	(void)state;
	assert_int_equal(try(SANDBOX_WORKER, use_threads_and_memory, NULL), 0);
	assert_int_equal(try(SANDBOX_KEEPER, use_threads_and_memory, NULL), 0);
}

static int use_clocks_and_randomness(void *ctx)
{
	uint8_t random[32];
	time_t now = (time_t)(clock_wall_ns() / 1000000000);
	struct tm tm;
	struct timespec brief = { .tv_nsec = 1000 };

	(void)ctx;
	if (random_bytes(random, sizeof(random), NULL) < 0 || clock_mono_ns() <= 0)
		return 1;
	/* Would read /etc/localtime, had it not been read before. */
	if (!localtime_r(&now, &tm) || tm.tm_year < 120)
		return 2;
	return nanosleep(&brief, NULL) < 0 ? 3 : 0;
}

static void clocks_and_randomness_work(void **state)
{
	(void)state;
	assert_int_equal(try(SANDBOX_WORKER, use_clocks_and_randomness, NULL), 0);
	assert_int_equal(try(SANDBOX_KEEPER, use_clocks_and_randomness, NULL), 0);
}

static int give_up(void *ctx)
{
	(void)ctx;
	abort();
}

static void an_assertion_still_ends_with_its_own_signal(void **state)
{
	int status;

	(void)state;
	if (!sandbox_available())
		skip(); /* sanitizers report it */
	status = try(SANDBOX_WORKER, give_up, NULL);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

/* A whole dial: loop, c-ares, the race, a connection accepted and used. All errors too. */

struct visit {
	struct loop *loop;
	struct resolver *resolver;
	int fd;
	enum dial_result result;
};

static void on_done(void *ctx, enum dial_result r, int fd, const struct addr *tried,
		    struct bytes detail)
{
	struct visit *v = ctx;

	(void)tried;
	(void)detail;
	v->result = r;
	v->fd = fd;
	loop_stop(v->loop);
}

static enum dial_result visit(struct visit *v, const char *host, uint16_t port)
{
	struct dial_options o = { .resolver = v->resolver,
				  .host = bytes_str(host),
				  .port = port,
				  .done = on_done,
				  .ctx = v };
	struct dial *d;

	v->fd = -1;
	if (dial_start(v->loop, &o, &d, NULL) < 0)
		return DIAL_FAULT;
	loop_run(v->loop);
	return v->result;
}

static const struct fake_dns_rule rules[] = {
	{ .name = "here.test", .family = ADDR_IP4, .addrs = { "127.0.0.1" }, .ttl_s = 5 },
	{ .name = "here.test", .family = ADDR_IP6 },
	{ .name = "large.test",
	  .family = ADDR_IP4,
	  .manner = FAKE_DNS_TRUNCATED,
	  .addrs = { "127.0.0.1" },
	  .ttl_s = 5 },
	{ .name = "large.test", .family = ADDR_IP6 },
	{ .name = "fail.test", .family = ADDR_IP4, .manner = FAKE_DNS_SERVFAIL },
	{ .name = "fail.test", .family = ADDR_IP6, .manner = FAKE_DNS_SERVFAIL },
	{ .name = "silent.test", .family = ADDR_IP4, .manner = FAKE_DNS_SILENT },
	{ .name = "silent.test", .family = ADDR_IP6, .manner = FAKE_DNS_SILENT },
	{ 0 },
};

static int talk(struct visit *v, int listener)
{
	struct pollfd p = { .fd = listener, .events = POLLIN };
	struct addr peer, local;
	uint8_t room[16];
	size_t n;
	int fd = -1;

	if (poll(&p, 1, 5000) != 1 || sock_accept(listener, &fd, &peer, &local) != SOCK_ACCEPTED)
		return 1;
	p.fd = fd;
	if (sock_write(v->fd, bytes_str("hello"), &n) != SOCK_DONE || poll(&p, 1, 5000) != 1 ||
	    sock_read(fd, room, sizeof(room), &n) != SOCK_DONE || n != 5)
		return 2;
	sock_close_reset(&fd);
	sock_close(&v->fd);
	return sock_is_own_addr(&peer) ? 0 : 3;
}

static int dial_everything(struct visit *v, int listener, uint16_t port)
{
	if (visit(v, "here.test", port) != DIAL_OK || talk(v, listener) != 0)
		return 10;
	if (visit(v, "127.0.0.1", port) != DIAL_OK || talk(v, listener) != 0)
		return 11;
	if (visit(v, "localhost", port) != DIAL_OK || talk(v, listener) != 0)
		return 12;
	if (visit(v, "large.test", port) != DIAL_OK || talk(v, listener) != 0)
		return 13;
	if (visit(v, "nowhere.test", port) != DIAL_NO_NAME || visit(v, "single", 1) != DIAL_NO_NAME)
		return 14;
	if (visit(v, "fail.test", port) != DIAL_DNS_FAILED ||
	    visit(v, "silent.test", port) != DIAL_DNS_FAILED)
		return 15;
	return visit(v, "127.0.0.1", 1) == DIAL_REFUSED ? 0 : 16;
}

/* As a worker starts: everything made, then the filter. */
static int start_as_worker(void *ctx)
{
	struct visit v = { .fd = -1 };
	struct fake_dns *dns;
	struct resolver_options o = { .timeout_ns = 300000000 };
	struct addr a = { .family = ADDR_IP4, .ip = { 127, 0, 0, 1 } };
	int listener = -1, result;

	(void)ctx;
	if (loop_new(&v.loop, NULL) < 0 || sock_listen(&a, NULL, &listener, NULL) < 0 ||
	    sock_local(listener, &a, NULL) < 0)
		return 1;
	dns = fake_dns_new(v.loop, rules);
	o.dns_servers = fake_dns_address(dns);
	if (resolver_new(v.loop, &o, &v.resolver, NULL) < 0)
		return 2;
	if (sandbox_enter(SANDBOX_WORKER, NULL) < 0)
		return 3;
	result = dial_everything(&v, listener, a.port);
	resolver_free(v.resolver);
	fake_dns_free(dns);
	loop_free(v.loop);
	sock_close(&listener);
	return result;
}

static void resolving_and_dialling_open_no_file(void **state)
{
	struct child_options o = { .role = "worker", .run = start_as_worker, .hidden = true };
	pid_t pid;

	(void)state;
	assert_int_equal(child_start(&o, &pid, NULL), 0);
	assert_int_equal(wait_for(pid), 0);
}

static int sort_names(void *ctx)
{
	struct host_entry *hosts = mem_new_array(5000, sizeof(*hosts));
	struct resolver *r = ctx;
	char name[5000][8];

	for (size_t i = 0; i < 5000; i++) {
		snprintf(name[i], sizeof(name[i]), "n%zu", i * 7919 % 5000);
		hosts[i].name = bytes_str(name[i]);
	}
	int status = resolver_set_hosts(r, hosts, 5000, NULL);
	mem_free(hosts);
	return status;
}

static void new_hosts_work(void **state)
{
	struct resolver_options o = { 0 };
	struct resolver *r = NULL;
	struct loop *l = NULL;

	(void)state;
	assert_int_equal(loop_new(&l, NULL), 0);
	assert_int_equal(resolver_new(l, &o, &r, NULL), 0);
	assert_int_equal(try(SANDBOX_WORKER, sort_names, r), 0);
	resolver_free(r);
	loop_free(l);
}

static int use_loop_and_channel(void *ctx)
{
	struct channel_options o = { .blob_max = 1 << 20, .fds_max = 1 };
	struct channel *here, *there;
	struct channel_message m = { .type = 1, .fd_count = 1, .fds = { 0 } }, got;
	uint8_t *p = mem_new(300000);
	struct loop *l;
	int fds[2];

	(void)ctx;
	if (!p || loop_new(&l, NULL) < 0) /* even a new one */
		return 1;
	loop_free(l);
	if (channel_pair(fds, NULL) < 0 || channel_new(fds[0], &o, &here, NULL) < 0 ||
	    channel_new(fds[1], &o, &there, NULL) < 0)
		return 2;
	if (channel_send_blob(here, 2, bytes_of(p, 300000), NULL) < 0 ||
	    channel_receive(there, &got, NULL) != CHANNEL_OK || got.payload.n != 300000)
		return 3;
	if (channel_send_message(there, &m, NULL) < 0 ||
	    channel_receive(here, &got, NULL) != CHANNEL_OK || got.fd_count != 1)
		return 4;
	channel_message_fini(&got);
	channel_free(here);
	channel_free(there);
	mem_free(p);
	return 0;
}

static void loops_and_channels_work(void **state)
{
	(void)state;
	assert_int_equal(try(SANDBOX_WORKER, use_loop_and_channel, NULL), 0);
	assert_int_equal(try(SANDBOX_KEEPER, use_loop_and_channel, NULL), 0);
}

static int use_files(void *ctx)
{
	const char *dir = ctx;
	char path[128], below[160];
	struct buf b = buf_init_secret(100);
	int fd = -1;

	snprintf(below, sizeof(below), "%s/pool", dir);
	snprintf(path, sizeof(path), "%s/pool/key", dir);
	if (file_make_private_dir(below, NULL) < 0 ||
	    file_write(path, bytes_str("key"), 0600, NULL) < 0)
		return 1;
	if (file_read_secret(path, &b, NULL) < 0 || b.n != 3)
		return 2;
	snprintf(path, sizeof(path), "%s/pool/log", dir);
	if (file_open_secret_append(path, &fd, NULL) < 0 || write(fd, "x\n", 2) != 2 ||
	    fdatasync(fd) < 0)
		return 3;
	sock_close(&fd);
	buf_fini(&b);
	return 0;
}

static void remove_pool(const char *dir)
{
	static const char *const names[] = { "pool/key", "pool/log", "pool", "" };
	char path[128];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
}

static void a_keeper_may_use_files(void **state)
{
	char dir[] = "/tmp/oriel-sandbox-XXXXXX";

	(void)state;
	assert_non_null(mkdtemp(dir));
	assert_int_equal(try(SANDBOX_KEEPER, use_files, dir), 0);
	remove_pool(dir);
}

static int confine_and_use_files(void *ctx)
{
	const char *dir = ctx;
	char outside[128];
	bool confined;
	int status;

	if (sandbox_confine(dir, &confined, NULL) < 0)
		return 50;
	if (!confined)
		return 77;
	if (sandbox_enter(SANDBOX_KEEPER, NULL) < 0)
		return 51;
	status = use_files(ctx);
	if (status)
		return status;
	if (open(passwd, O_RDONLY | O_CLOEXEC) >= 0 || errno != EACCES)
		return 52;
	snprintf(outside, sizeof(outside), "%s.outside", dir);
	if (open(outside, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) >= 0 || errno != EACCES)
		return 53;
	return symlink(passwd, outside) == 0 ? 54 : 55;
}

static int confine_only(void *ctx)
{
	bool confined;

	return sandbox_confine(ctx, &confined, NULL) < 0 ? 1 : 0;
}

static void a_keeper_can_be_confined_to_its_folder(void **state)
{
	char dir[] = "/tmp/oriel-sandbox-XXXXXX";
	struct child_options o = { .role = "keeper", .run = confine_and_use_files, .ctx = dir };
	int status;
	pid_t pid;

	(void)state;
	skip_without_sandbox();
	assert_non_null(mkdtemp(dir));
	assert_int_equal(child_start(&o, &pid, NULL), 0);
	status = wait_for(pid);
	remove_pool(dir);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip(); /* no Landlock in this kernel */
	/* The last call of the child is one that ends a keeper. */
	assert_true(child_ended_by_sandbox(status));
	o.run = confine_only;
	assert_int_equal(child_start(&o, &pid, NULL), 0); /* the folder is gone */
	assert_int_equal(WEXITSTATUS(wait_for(pid)), 1);
}

/* Threads that were there before the filter are behind it too. */

static pthread_barrier_t barrier;

static void *open_when_told(void *ctx)
{
	(void)ctx;
	pthread_barrier_wait(&barrier);
	(void)!open(passwd, O_RDONLY | O_CLOEXEC);
	return NULL;
}

static int enter_with_a_thread(void *ctx)
{
	pthread_t thread;

	(void)ctx;
	pthread_barrier_init(&barrier, NULL, 2);
	if (pthread_create(&thread, NULL, open_when_told, NULL) != 0 ||
	    sandbox_enter(SANDBOX_WORKER, NULL) < 0)
		return 1;
	pthread_barrier_wait(&barrier);
	pthread_join(thread, NULL);
	return 0;
}

static void threads_made_before_are_filtered_too(void **state)
{
	struct child_options o = { .role = "worker", .run = enter_with_a_thread };
	pid_t pid;

	(void)state;
	skip_without_sandbox();
	assert_int_equal(child_start(&o, &pid, NULL), 0);
	assert_true(child_ended_by_sandbox(wait_for(pid)));
}

static int wait_for_input(void *ctx)
{
	char c;

	return read(*(int *)ctx, &c, 1) == 1 ? 0 : 1;
}

static bool has_line(pid_t pid, const char *line)
{
	char path[64], text[4096];
	bool found = false;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(text, sizeof(text), f))
		found |= strcmp(text, line) == 0;
	if (f)
		fclose(f);
	return found;
}

static void it_shows_in_the_process_status(void **state)
{
	int fds[2];
	struct trial t = { .role = SANDBOX_WORKER, .fn = wait_for_input, .ctx = &fds[0] };
	struct child_options o = { .role = "worker",
				   .run = behind_the_filter,
				   .ctx = &t,
				   .keep = &fds[0],
				   .keep_count = 1,
				   .hidden = true };
	pid_t pid;
	bool filtered = false;

	(void)state;
	skip_without_sandbox();
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(child_start(&o, &pid, NULL), 0);
	for (int i = 0; i < 5000 && !filtered; i++) {
		filtered = has_line(pid, "Seccomp:\t2\n") && has_line(pid, "NoNewPrivs:\t1\n");
		usleep(1000);
	}
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(wait_for(pid), 0);
	assert_true(filtered);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_an_intruder_calls_ends_a_worker),
		cmocka_unit_test(what_only_an_intruder_calls_ends_a_keeper),
		cmocka_unit_test(what_only_an_intruder_calls_ends_a_reader),
		cmocka_unit_test(a_reader_that_needs_files_may_open_them),
		cmocka_unit_test(a_worker_gets_only_internet_sockets),
		cmocka_unit_test(no_new_code_can_be_made),
		cmocka_unit_test(what_is_not_listed_fails),
		cmocka_unit_test(threads_and_memory_work),
		cmocka_unit_test(clocks_and_randomness_work),
		cmocka_unit_test(an_assertion_still_ends_with_its_own_signal),
		cmocka_unit_test(resolving_and_dialling_open_no_file),
		cmocka_unit_test(new_hosts_work),
		cmocka_unit_test(loops_and_channels_work),
		cmocka_unit_test(a_keeper_may_use_files),
		cmocka_unit_test(a_keeper_can_be_confined_to_its_folder),
		cmocka_unit_test(threads_made_before_are_filtered_too),
		cmocka_unit_test(it_shows_in_the_process_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
