/* The peer of a channel may be an intruder: any packet, with any descriptors, is a message or ends the
 * channel, and no descriptor is left behind. The first byte says which descriptors go with it. */
#include "net/sock.h"
#include "proc/channel.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

/* Sealed memory of four bytes. */
static int memory(void)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	check(fd >= 0 && write(fd, "blob", 4) == 4);
	check(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) == 0);
	return fd;
}

static void send_packet(int to, struct bytes packet, size_t fd_count, int fd)
{
	union {
		struct cmsghdr align;
		uint8_t room[CMSG_SPACE(sizeof(int) * 32)];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)packet.p, packet.n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fd_count) {
		m.msg_control = control.room;
		m.msg_controllen = CMSG_SPACE(sizeof(int) * fd_count);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int) * fd_count);
		for (size_t i = 0; i < fd_count; i++)
			memcpy(CMSG_DATA(&control.align) + i * sizeof(int), &fd, sizeof(int));
	}
	(void)!sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void check_message(const struct channel_message *m)
{
	size_t sum = 0;

	for (size_t i = 0; i < m->payload.n; i++)
		sum += m->payload.p[i]; /* all of it can be read */
	check(sum <= m->payload.n * 255);
	check(m->payload.n <= CHANNEL_PAYLOAD_MAX && m->fd_count <= 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct channel_options o = { .fds_max = 2, .blob_max = 1000 };
	struct channel_message m;
	struct channel *c = NULL;
	int fds[2], fd, lowest = dup(0);

	close(lowest);
	if (size == 0 || channel_pair(fds, NULL) < 0)
		return 0;
	check(channel_new(fds[0], &o, &c, NULL) == 0);
	fd = data[0] & 0x80 ? memory() : dup(0);
	send_packet(fds[1], bytes_slice(bytes_of(data, size), 1, size), data[0] & 0x1f, fd);
	close(fd);
	if (channel_receive(c, &m, NULL) == CHANNEL_OK) {
		check_message(&m);
		channel_message_fini(&m);
	}
	channel_free(c);
	close(fds[1]);
	fd = dup(0);
	check(fd == lowest);
	close(fd);
	return 0;
}
