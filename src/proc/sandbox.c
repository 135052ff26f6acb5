#include "proc/sandbox.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* What is not named below fails with ENOSYS, so that the C library takes an older way, as it would on
 * an older kernel (clone3 → clone). Traps:
 * - fstat(fd) is newfstatat(fd, "", AT_EMPTY_PATH) in glibc since 2.33;
 * - malloc counts the processors when a thread first needs an arena: sched_getaffinity;
 * - it opens /proc/sys/vm/overcommit_memory when it first gives memory of an arena back, at any time
 *   later: done below, before the filter, as is
 * - localtime, which reads /etc/localtime once;
 * - dlopen opens: providers of libcrypto and libgcc_s (for pthread_cancel) are loaded before. */

/* clang-format off */
#define COMMON_CALLS(X)                                                                              \
	X(read) X(readv) X(pread64) X(preadv) X(write) X(writev) X(pwrite64) X(lseek)                \
	X(recvfrom) X(recvmsg) X(recvmmsg) X(sendto) X(sendmsg) X(sendmmsg) X(shutdown)              \
	X(getsockname) X(getpeername) X(getsockopt) X(setsockopt)                                    \
	X(close) X(close_range) X(dup) X(dup2) X(dup3) X(fcntl) X(fstat) X(pipe2) X(eventfd2)        \
	X(poll) X(ppoll) X(select) X(pselect6)                                                       \
	X(epoll_create1) X(epoll_ctl) X(epoll_wait) X(epoll_pwait) X(epoll_pwait2)                   \
	X(munmap) X(mremap) X(brk) X(madvise) X(mlock) X(munlock) X(memfd_create) X(ftruncate)       \
	X(futex) X(set_robust_list) X(rseq) X(membarrier) X(sched_yield) X(sched_getaffinity) X(getcpu) \
	X(getpid) X(gettid) X(getppid) X(getuid) X(geteuid) X(getgid) X(getegid) X(getresuid)        \
	X(getresgid) X(getrandom) X(uname) X(sysinfo) X(getrusage) X(times)                          \
	X(clock_gettime) X(clock_getres) X(clock_nanosleep) X(nanosleep) X(gettimeofday) X(time)     \
	X(rt_sigaction) X(rt_sigprocmask) X(rt_sigreturn) X(rt_sigpending) X(rt_sigtimedwait)        \
	X(sigaltstack) X(restart_syscall) X(exit) X(exit_group) X(fsync) X(fdatasync)

#define WORKER_CALLS(X) X(connect) X(accept) X(accept4) X(splice)

#define KEEPER_CALLS(X)                                                                              \
	X(open) X(openat) X(stat) X(lstat) X(newfstatat) X(statx) X(access) X(faccessat)             \
	X(faccessat2) X(rename) X(renameat) X(renameat2) X(unlink) X(unlinkat) X(mkdir) X(mkdirat)   \
	X(fchmod) X(fchown) X(getdents64) X(flock)

/* To read on where a file grows, and to make files of what was found. */
#define FILES_CALLS(X)                                                                               \
	X(open) X(openat) X(stat) X(lstat) X(newfstatat) X(statx) X(mkdir) X(mkdirat)                \
	X(inotify_init1) X(inotify_add_watch) X(inotify_rm_watch)

/* Nothing of ours ever makes these: whoever does has taken the process over. */
#define INTRUDER_CALLS(X)                                                                            \
	X(execve) X(execveat) X(fork) X(vfork) X(ptrace) X(process_vm_readv) X(process_vm_writev)    \
	X(process_madvise) X(kcmp) X(pidfd_getfd) X(openat2) X(creat) X(open_by_handle_at)           \
	X(name_to_handle_at) X(mount) X(umount2) X(pivot_root) X(chroot) X(unshare) X(setns)         \
	X(init_module) X(finit_module) X(delete_module) X(kexec_load) X(bpf) X(perf_event_open)      \
	X(userfaultfd) X(keyctl) X(add_key) X(request_key) X(setuid) X(setgid) X(setreuid)           \
	X(setregid) X(setresuid) X(setresgid) X(setgroups) X(setfsuid) X(setfsgid) X(capset)         \
	X(personality) X(reboot) X(swapon) X(iopl) X(ioperm) X(symlink) X(symlinkat) X(link)         \
	X(linkat) X(mknod) X(mknodat)

#define WORKER_INTRUDER_CALLS(X)                                                                     \
	X(open) X(openat) X(truncate) X(rename) X(renameat) X(renameat2) X(unlink) X(unlinkat)       \
	X(mkdir) X(mkdirat) X(rmdir) X(chmod) X(fchmodat) X(chown) X(lchown) X(fchownat)

#define KEEPER_INTRUDER_CALLS(X)                                                                     \
	X(socket) X(connect) X(bind) X(listen) X(accept) X(accept4)
/* clang-format on */

#define CALL(name) SCMP_SYS(name),
static const int common_calls[] = { COMMON_CALLS(CALL) };
static const int worker_calls[] = { WORKER_CALLS(CALL) };
static const int keeper_calls[] = { KEEPER_CALLS(CALL) };
static const int files_calls[] = { FILES_CALLS(CALL) };
static const int intruder_calls[] = { INTRUDER_CALLS(CALL) };
static const int worker_intruder_calls[] = { WORKER_INTRUDER_CALLS(CALL) };
static const int keeper_intruder_calls[] = { KEEPER_INTRUDER_CALLS(CALL) };

/* A call that depends on one argument, or on two. */
struct rule {
	int call;
	uint32_t action;
	struct scmp_arg_cmp args[3];
	unsigned arg_count;
};

#define EQ(n, value)                                                                               \
	{                                                                                          \
		.arg = (n), .op = SCMP_CMP_EQ, .datum_a = (value)                                  \
	}
#define LESS(n, value)                                                                             \
	{                                                                                          \
		.arg = (n), .op = SCMP_CMP_LT, .datum_a = (value)                                  \
	}
#define MORE(n, value)                                                                             \
	{                                                                                          \
		.arg = (n), .op = SCMP_CMP_GT, .datum_a = (value)                                  \
	}
#define MASKED(n, mask, value)                                                                     \
	{                                                                                          \
		.arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value)        \
	}
#define ALLOW1(name, test)                                                                         \
	{                                                                                          \
		SCMP_SYS(name), SCMP_ACT_ALLOW, { test }, 1                                        \
	}
#define INTERNET_SOCKET(domain, type)                                                              \
	{                                                                                          \
		SCMP_SYS(socket), SCMP_ACT_ALLOW,                                                  \
			{ EQ(0, domain), MASKED(1, 0xf, type), LESS(2, IPPROTO_UDP + 1) }, 3       \
	}

static const struct rule common_rules[] = {
	/* No memory is ever both written and run; loading code ended with the start. */
	ALLOW1(mmap, MASKED(2, PROT_EXEC, 0)),
	ALLOW1(mprotect, MASKED(2, PROT_EXEC, 0)),
	/* Threads, but no processes; libc's first try, clone3, hides its flags in memory: ENOSYS. */
	ALLOW1(clone, MASKED(0, CLONE_THREAD, CLONE_THREAD)),
	{ SCMP_SYS(clone), SCMP_ACT_KILL_PROCESS, { MASKED(0, CLONE_THREAD, 0) }, 1 },
	ALLOW1(ioctl, EQ(1, FIONBIO)),
	ALLOW1(ioctl, EQ(1, FIONREAD)),
	ALLOW1(ioctl, EQ(1, TCGETS)),
	ALLOW1(ioctl, EQ(1, TIOCGWINSZ)),
	ALLOW1(prctl, EQ(0, PR_SET_NAME)),
	ALLOW1(prctl, EQ(0, PR_SET_VMA)),
	ALLOW1(prlimit64, EQ(0, 0)),
	ALLOW1(socketpair, EQ(0, AF_UNIX)),
};

static const struct rule worker_rules[] = {
	INTERNET_SOCKET(AF_INET, SOCK_STREAM),
	INTERNET_SOCKET(AF_INET, SOCK_DGRAM),
	INTERNET_SOCKET(AF_INET6, SOCK_STREAM),
	INTERNET_SOCKET(AF_INET6, SOCK_DGRAM),
	/* AF_UNIX; AF_NETLINK, AF_PACKET, AF_ALG and all the others. */
	{ SCMP_SYS(socket), SCMP_ACT_ERRNO(EACCES), { LESS(0, AF_INET) }, 1 },
	{ SCMP_SYS(socket), SCMP_ACT_ERRNO(EACCES), { MORE(0, AF_INET6) }, 1 },
	ALLOW1(newfstatat, MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
};

static const struct rule reader_rules[] = {
	ALLOW1(newfstatat, MASKED(3, AT_EMPTY_PATH, AT_EMPTY_PATH)),
};

#define LIST(a)                                                                                    \
	{                                                                                          \
		(a), ARRAY_LEN(a)                                                                  \
	}

/* What a role may do besides what all may, and what it is ended for. */
static const struct {
	struct {
		const int *calls;
		size_t count;
	} allowed, fatal[2];
	struct {
		const struct rule *rules;
		size_t count;
	} rules;
} roles[] = {
	[SANDBOX_WORKER] = { LIST(worker_calls),
			     { LIST(worker_intruder_calls) },
			     LIST(worker_rules) },
	[SANDBOX_KEEPER] = { LIST(keeper_calls), { LIST(keeper_intruder_calls) }, { NULL, 0 } },
	[SANDBOX_READER] = { { NULL, 0 },
			     { LIST(worker_intruder_calls), LIST(keeper_intruder_calls) },
			     LIST(reader_rules) },
	[SANDBOX_READER_FILES] = { LIST(files_calls),
				   { LIST(keeper_intruder_calls) },
				   { NULL, 0 } },
};

bool sandbox_available(void)
{
	return true;
}

static int add_calls(scmp_filter_ctx f, uint32_t action, const int *calls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int status = seccomp_rule_add(f, action, calls[i], 0);

		if (status < 0)
			return status;
	}
	return 0;
}

static int add_rules(scmp_filter_ctx f, const struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct rule *r = &rules[i];
		int status = seccomp_rule_add_array(f, r->action, r->call, r->arg_count, r->args);

		if (status < 0)
			return status;
	}
	return 0;
}

/* abort() and raise() signal a thread of our own process, and nobody else's. */
static int add_own_signals(scmp_filter_ctx f)
{
	struct scmp_arg_cmp ours = EQ(0, (scmp_datum_t)getpid());

	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &ours);
}

#define ADD_CALLS(action, calls) add_calls(f, SCMP_ACT_##action, calls, ARRAY_LEN(calls))

static int fill(scmp_filter_ctx f, enum sandbox_role role)
{
	int status = ADD_CALLS(ALLOW, common_calls);

	if (status == 0)
		status = ADD_CALLS(KILL_PROCESS, intruder_calls);
	if (status == 0)
		status = add_rules(f, common_rules, ARRAY_LEN(common_rules));
	if (status == 0)
		status = add_own_signals(f);
	if (status == 0)
		status = add_calls(f, SCMP_ACT_ALLOW, roles[role].allowed.calls,
				   roles[role].allowed.count);
	for (size_t i = 0; i < ARRAY_LEN(roles[role].fatal) && status == 0; i++)
		status = add_calls(f, SCMP_ACT_KILL_PROCESS, roles[role].fatal[i].calls,
				   roles[role].fatal[i].count);
	if (status == 0)
		status = add_rules(f, roles[role].rules.rules, roles[role].rules.count);
	return status;
}

/* All threads; what is refused is written to the kernel's log; the filter is a tree, since a list of
 * a hundred comparisons would be walked at each call. */
static int set_attributes(scmp_filter_ctx f)
{
	int status = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	if (status == 0)
		status = seccomp_attr_set(f, SCMP_FLTATR_CTL_NNP, 1);
	if (status == 0)
		status = seccomp_attr_set(f, SCMP_FLTATR_CTL_TSYNC, 1);
	if (status == 0)
		status = seccomp_attr_set(f, SCMP_FLTATR_CTL_LOG, 1);
	if (status == 0)
		status = seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return status;
}

enum { PIECE = 120 << 10, PIECES = 500 };

/* Fills an arena and empties it, its end last. An arena has 64 MiB; only a free piece at its end that
 * is larger than a threshold, which may have grown to megabytes, is given back. PIECE is less than
 * what malloc takes from the system directly. */
static void *fill_and_empty_arena(void *ctx)
{
	void **pieces = ctx;

	for (size_t i = 0; i < PIECES; i++)
		pieces[i] = mem_resize(NULL, PIECE);
	for (size_t i = 0; i < PIECES; i++)
		mem_free(pieces[i]);
	return NULL;
}

/* What libc does once at a moment of its own choice is done now. Threads but the first have arenas. */
static int warm_up(struct err *e)
{
	AUTO(mem_freep) void *pieces = mem_new_array(PIECES, sizeof(void *));
	pthread_t thread;
	int error;

	tzset();
	if (!pieces)
		return FAIL(e, NOMEM, "the sandbox");
	error = pthread_create(&thread, NULL, fill_and_empty_arena, pieces);
	if (error)
		return err_set(e, ERR_SYSTEM, error, ERR_ORIGIN, "the sandbox: a thread: %s",
			       strerrordesc_np(error));
	pthread_join(thread, NULL);
	return 0;
}

int sandbox_enter(enum sandbox_role role, struct err *e)
{
	scmp_filter_ctx f;
	int status;

	if (warm_up(e) < 0)
		return -1;
	f = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
	if (!f)
		return FAIL(e, NOMEM, "the sandbox");
	status = set_attributes(f);
	if (status == 0)
		status = fill(f, role);
	if (status == 0)
		status = seccomp_load(f);
	seccomp_release(f);
	if (status == 0)
		return 0;
	return err_set(e, ERR_SYSTEM, -status, ERR_ORIGIN, "the sandbox (seccomp): %s",
		       strerrordesc_np(-status));
}
