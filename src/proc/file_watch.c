#include "proc/file_watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"
#include "net/sock.h"
#include "proc/paths.h"

/* As many as the kernel follows, and the file (path_resolution(7)). */
#define LINKS_MAX 40
#define PLACES_MAX (LINKS_MAX + 1)

/* A name in a folder, on which it depends what the path leads to. */
struct place {
	int folder; /* inotify's number */
	char dir[PATHS_MAX];
	char name[NAME_MAX + 1];
};

struct file_watch {
	int fd;
	size_t count;
	struct place *places;
	char path[PATHS_MAX];
};

static void add_place(struct file_watch *w, const char *dir, const char *name)
{
	/* A file that is being created is told of when it is closed; a link or folder is there at once. */
	uint32_t what = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ONLYDIR;
	struct place *p;

	if (w->count == PLACES_MAX || strlen(name) > NAME_MAX)
		return;
	p = &w->places[w->count];
	p->folder = inotify_add_watch(w->fd, dir, what);
	if (p->folder < 0)
		return;
	snprintf(p->dir, sizeof(p->dir), "%s", dir);
	snprintf(p->name, sizeof(p->name), "%s", name);
	w->count++;
}

/* A path on the way to its end: what is left of it, from a folder that is reached already. */
struct way {
	char dir[PATHS_MAX], rest[PATHS_MAX];
};

static int set_out(struct way *way, const char *path)
{
	if (strlen(path) >= sizeof(way->rest))
		return -1;
	memmove(way->rest, path, strlen(path) + 1);
	if (way->rest[0] == '/')
		snprintf(way->dir, sizeof(way->dir), "/");
	return 0;
}

/* The next name of the path; false at its end. */
static bool next_name(struct way *way, char name[NAME_MAX + 1])
{
	size_t slashes = strspn(way->rest, "/");
	size_t n = strcspn(way->rest + slashes, "/");
	size_t more = strspn(way->rest + slashes + n, "/");

	if (n == 0 || n > NAME_MAX)
		return false;
	memcpy(name, way->rest + slashes, n);
	name[n] = 0;
	memmove(way->rest, way->rest + slashes + n + more,
		strlen(way->rest + slashes + n + more) + 1);
	return true;
}

/* Goes where a link leads: what is left comes behind that. */
static int turn_off(struct way *way, const char *at)
{
	char to[PATHS_MAX];
	ssize_t n = readlink(at, to, sizeof(to) - 1);

	if (n <= 0)
		return -1;
	to[n] = 0;
	if (way->rest[0] && paths_join(to, to, way->rest, NULL) < 0)
		return -1;
	return set_out(way, to);
}

/* Every link of the path, and the file itself. What is not there yet is waited for where it would be. */
static void place_watches(struct file_watch *w)
{
	struct way way = { .dir = "." };
	char name[NAME_MAX + 1], at[PATHS_MAX];

	w->count = 0;
	if (set_out(&way, w->path) < 0)
		return;
	while (next_name(&way, name) && paths_join(at, way.dir, name, NULL) == 0) {
		struct stat st;
		bool there = lstat(at, &st) == 0, link = there && S_ISLNK(st.st_mode);

		if (link || !there || !way.rest[0])
			add_place(w, way.dir, name);
		if (w->count == PLACES_MAX || !there || (link && turn_off(&way, at) < 0))
			return;
		if (!link)
			memcpy(way.dir, at, sizeof(at));
	}
}

/* All anew: the links lead elsewhere now. The old descriptor goes when the new one is there. */
static int open_watches(struct file_watch *w, struct err *e)
{
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	if (fd < 0)
		return FAIL_SYS(e, SYSTEM, "a watch for %s", w->path);
	sock_close(&w->fd);
	w->fd = fd;
	place_watches(w);
	return 0;
}

int file_watch_new(const char *path, struct file_watch **out, struct err *e)
{
	struct file_watch *w = mem_new(sizeof(*w));

	if (!w || !(w->places = mem_new_array(PLACES_MAX, sizeof(*w->places)))) {
		mem_free(w);
		return FAIL(e, NOMEM, "a watch for %s", path);
	}
	w->fd = -1;
	if (paths_join(w->path, path, "", e) < 0 || open_watches(w, e) < 0) {
		file_watch_free(w);
		return -1;
	}
	*out = w;
	return 0;
}

void file_watch_free(struct file_watch *w)
{
	if (!w)
		return;
	sock_close(&w->fd);
	mem_free(w->places);
	mem_free(w);
}

int file_watch_fd(const struct file_watch *w)
{
	return w->fd;
}

static bool concerns_place(const struct place *p, const struct inotify_event *ev)
{
	char at[PATHS_MAX];
	struct stat st;

	if (ev->wd != p->folder)
		return false;
	/* The folder itself is gone. */
	if (ev->mask & IN_IGNORED)
		return true;
	if (!ev->len || strcmp(ev->name, p->name) != 0)
		return false;
	if (ev->mask & (IN_CLOSE_WRITE | IN_MOVED_TO))
		return true;
	return paths_join(at, p->dir, p->name, NULL) == 0 && lstat(at, &st) == 0 &&
	       !S_ISREG(st.st_mode);
}

static bool concerns(const struct file_watch *w, const struct inotify_event *ev)
{
	/* More happened than the kernel remembers. */
	if (ev->mask & IN_Q_OVERFLOW)
		return true;
	for (size_t i = 0; i < w->count; i++) {
		if (concerns_place(&w->places[i], ev))
			return true;
	}
	return false;
}

bool file_watch_run(struct file_watch *w)
{
	_Alignas(struct inotify_event) char room[4096];
	bool changed = false;
	ssize_t n;

	while ((n = read(w->fd, room, sizeof(room))) > 0) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(room + at);

			changed |= concerns(w, ev);
			at += (ssize_t)(sizeof(*ev) + ev->len);
		}
	}
	/* Without a descriptor for new watches the old ones go on. */
	if (changed && open_watches(w, NULL) < 0)
		return true;
	return changed;
}
