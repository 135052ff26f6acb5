#include "cmd/ask.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/rd.h"
#include "net/sock.h"

#define PATIENCE_S 10
#define HEAD_MAX ((size_t)128 << 10) /* with room for one more read */
#define READ_SIZE 65536

int ask_default_path(char out[PATHS_MAX], struct err *e)
{
	char dir[PATHS_MAX];

	return paths_runtime_dir(dir, e) < 0 ? -1 : paths_join(out, dir, "admin.sock", e);
}

/* A socket that somebody else put there would tell us where to send all our traffic. */
static int check_owner(int fd, const char *path, struct err *e)
{
	struct ucred peer;
	socklen_t n = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) < 0)
		return FAIL_SYS(e, SYSTEM, "%s: whose it is", path);
	if (peer.uid != geteuid() && peer.uid != 0 && geteuid() != 0)
		return FAIL(e, REFUSED,
			    "%s belongs to user %u: only one's own oriel, or root's, is asked",
			    path, (unsigned)peer.uid);
	return 0;
}

static int open_socket(const char *path, int *fd, struct err *e)
{
	struct timeval patience = { .tv_sec = PATIENCE_S };
	AUTO(sock_close) int s = -1;

	if (sock_connect_unix(path, &s, e) < 0) {
		int sys = e->sys;

		if (sys != ENOENT && sys != ECONNREFUSED && sys != ENOTDIR)
			return err_ctx(e, "the admin socket");
		return FAIL(
			e, CONNECT,
			"no oriel answers at %s: start one with `oriel run`, or name its socket "
			"with --admin PATH",
			path);
	}
	if (check_owner(s, path, e) < 0)
		return -1;
	if (setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
	    setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0)
		return FAIL_SYS(e, SYSTEM, "%s", path);
	*fd = sock_take(&s);
	return 0;
}

static int send_all(int fd, struct bytes b, struct err *e)
{
	while (b.n) {
		size_t done = 0;

		if (sock_write(fd, b, &done) != SOCK_DONE)
			return FAIL(e, CLOSED, "oriel hung up");
		b = bytes_slice(b, done, b.n);
	}
	return 0;
}

static int read_all(int fd, struct buf *in, struct err *e)
{
	for (;;) {
		uint8_t *room;
		size_t got = 0;

		if (buf_reserve(in, READ_SIZE, &room, e) < 0)
			return -1;
		switch (sock_read(fd, room, READ_SIZE, &got)) {
		case SOCK_DONE:
			buf_commit(in, got);
			break;
		case SOCK_END:
			return 0;
		case SOCK_AGAIN:
			return FAIL(e, TIMEOUT, "oriel does not answer within %d s", PATIENCE_S);
		case SOCK_RESET:
		case SOCK_FAILED:
			return FAIL(e, CLOSED, "oriel hung up before its answer was whole");
		}
	}
}

/* Cuts a line off; without its end. */
static bool take_line(struct rd *r, struct bytes *line)
{
	struct bytes rest = rd_rest(r);
	size_t n = bytes_index(rest, '\n');

	if (n == rest.n || n == 0 || rest.p[n - 1] != '\r')
		return false;
	*line = bytes_of(rest.p, n - 1);
	rd_skip(r, n + 1);
	return true;
}

/* Status, and where the body begins; -1: it is no HTTP. */
static int parse_head(struct rd *r, struct ask_reply *out, uint64_t *length)
{
	struct bytes line, version = bytes_str("HTTP/1.1 "), field = bytes_str("Content-Length: ");
	uint64_t status;

	*length = UINT64_MAX;
	if (!take_line(r, &line) || !bytes_starts(line, version) ||
	    !bytes_decimal(bytes_slice(line, version.n, 3), 999, &status))
		return -1;
	out->status = (unsigned)status;
	while (take_line(r, &line)) {
		if (line.n == 0)
			return 0;
		if (bytes_starts(line, field) &&
		    !bytes_decimal(bytes_slice(line, field.n, line.n), ASK_MAX, length))
			return -1;
	}
	return -1;
}

int ask_parse(struct bytes in, struct ask_reply *out, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	uint64_t length;

	if (parse_head(&r, out, &length) < 0)
		return FAIL(e, HTTP_DECODE, "what answers there is no oriel");
	if (length != rd_rest(&r).n)
		return FAIL(e, CLOSED, "oriel hung up before its answer was whole");
	return buf_add(&out->body, rd_rest(&r), e);
}

int ask(const char *admin, const char *target, struct ask_reply *out, struct err *e)
{
	char path[PATHS_MAX];
	AUTO(buf_fini) struct buf text = buf_init(ASK_MAX + HEAD_MAX);
	AUTO(sock_close) int fd = -1;

	*out = (struct ask_reply){ .body = buf_init(ASK_MAX) };
	if (admin ? paths_join(path, admin, "", e) < 0 : ask_default_path(path, e) < 0)
		return -1;
	if (open_socket(path, &fd, e) < 0)
		return -1;
	if (buf_printf(&text, e, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
		       target) < 0 ||
	    send_all(fd, buf_bytes(&text), e) < 0)
		return err_ctx(e, "%s", path);
	buf_clear(&text);
	if (read_all(fd, &text, e) < 0 || ask_parse(buf_bytes(&text), out, e) < 0)
		return err_ctx(e, "%s", path);
	return 0;
}

int ask_ok(const char *admin, const char *target, struct buf *body, struct err *e)
{
	struct ask_reply reply;
	char said[200];

	if (ask(admin, target, &reply, e) < 0) {
		buf_fini(&reply.body);
		return -1;
	}
	if (reply.status == 200) {
		*body = reply.body;
		return 0;
	}
	escape_to(said, sizeof(said),
		  bytes_slice(buf_bytes(&reply.body), 0,
			      bytes_index(buf_bytes(&reply.body), '\n')));
	buf_fini(&reply.body);
	return FAIL(e, REFUSED, "%s", said);
}
