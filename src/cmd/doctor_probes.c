/* What may be asked of the kernel beyond what any user may. */
#include <arpa/inet.h>
#include <cap-ng.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cmd/doctor.h"
#include "net/sock.h"

static bool may(unsigned capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}

static void capabilities(struct doctor *d)
{
	static const struct {
		unsigned bit;
		const char *what;
	} wanted[] = {
		{ CAP_NET_BIND_SERVICE, "ports below 1024" },
		{ CAP_NET_ADMIN, "transparent: tproxy" },
		{ CAP_NET_RAW, "captures" },
		{ CAP_SYS_PTRACE, "other processes' memory" },
	};

	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		const char *name = capng_capability_to_name(wanted[i].bit);

		if (may(wanted[i].bit))
			doctor_say(d, DOCTOR_OK, "capability", "cap_%s: %s", name, wanted[i].what);
		else
			doctor_say(d, DOCTOR_WARN, "capability",
				   "no cap_%s, so no %s: start as root, or give it to a service of "
				   "its own "
				   "(AmbientCapabilities=)",
				   name, wanted[i].what);
	}
}

static void tracefs(struct doctor *d)
{
	static const char *const at[] = { "/sys/kernel/tracing/uprobe_events",
					  "/sys/kernel/debug/tracing/uprobe_events" };

	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		if (access(at[i], W_OK) == 0) {
			doctor_say(d, DOCTOR_OK, "uprobes", "by tracefs, %s", at[i]);
			return;
		}
	}
	doctor_say(d, DOCTOR_NO, "uprobes",
		   "not by tracefs: no %s that may be written; as root: mount -t tracefs none "
		   "/sys/kernel/tracing",
		   at[0]);
}

static void perf(struct doctor *d)
{
	bool there = access("/sys/bus/event_source/devices/uprobe/type", R_OK) == 0;

	if (there && (may(CAP_PERFMON) || may(CAP_SYS_ADMIN)))
		doctor_say(d, DOCTOR_OK, "uprobes", "by perf_event_open");
	else if (there)
		doctor_say(d, DOCTOR_NO, "uprobes",
			   "not by perf_event_open: cap_perfmon, or root, is needed");
	else
		doctor_say(d, DOCTOR_NO, "uprobes",
			   "not by perf_event_open: the kernel has no "
			   "CONFIG_UPROBE_EVENTS");
}

static void bpf(struct doctor *d)
{
	bool types = access("/sys/kernel/btf/vmlinux", R_OK) == 0;

	if (!may(CAP_BPF) && !may(CAP_SYS_ADMIN))
		doctor_say(d, DOCTOR_NO, "BPF", "cap_bpf and cap_perfmon, or root, are needed");
	else
		doctor_say(
			d, types ? DOCTOR_OK : DOCTOR_WARN, "BPF", "may be loaded%s",
			types ? ", and the kernel describes its types (BTF)"
			      : "; the kernel does not describe its types (CONFIG_DEBUG_INFO_BTF)");
}

static void packets(struct doctor *d)
{
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_ALL));

	if (fd < 0)
		doctor_say(d, DOCTOR_NO, "packets",
			   "no packet socket: cap_net_raw, or root, is needed");
	else
		doctor_say(d, DOCTOR_OK, "packets", "a packet socket can be opened");
	sock_close(&fd);
}

static void memory(struct doctor *d)
{
	char scope[16] = "0";

	(void)doctor_read("/proc/sys/kernel/yama/ptrace_scope", scope, sizeof(scope));
	if (may(CAP_SYS_PTRACE))
		doctor_say(d, DOCTOR_OK, "memory", "/proc/PID/mem of any process");
	else if (scope[0] == '0')
		doctor_say(d, DOCTOR_OK, "memory", "/proc/PID/mem of one's own processes");
	else
		doctor_say(d, DOCTOR_NO, "memory",
			   "kernel.yama.ptrace_scope is %s: only one's own children; "
			   "cap_sys_ptrace, or "
			   "sysctl kernel.yama.ptrace_scope=0",
			   scope);
}

void doctor_probes(struct doctor *d)
{
	(void)capng_get_caps_process();
	capabilities(d);
	tracefs(d);
	perf(d);
	bpf(d);
	packets(d);
	memory(d);
}
