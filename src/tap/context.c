#include "tap/context.h"

#include <stdarg.h>
#include <stdio.h>

#define SENTENCE_MAX 400

void tap_emit(const struct tap_flow *f, struct event *ev, struct tap_at at)
{
	ev->flow = f->number;
	ev->packet = at.packet;
	ev->wall_ns = at.wall_ns;
	/* Within one capture differences are all that the monotonic time is used for. */
	ev->mono_ns = at.wall_ns;
	event_bus_emit(f->shared->bus, ev);
}

void tap_dark(struct tap_flow *f, enum dark_why why, struct tap_at at, const char *sentence, ...)
{
	char text[SENTENCE_MAX];
	struct event ev = { .type = EV_DARK };
	va_list args;

	va_start(args, sentence);
	(void)vsnprintf(text, sizeof(text), sentence, args);
	va_end(args);
	f->dark = true;
	ev.u.dark = (struct ev_dark){ .why = why, .reason = bytes_str(text) };
	tap_emit(f, &ev, at);
}

void tap_note(const struct tap_flow *f, struct tap_at at, const char *sentence, ...)
{
	char text[SENTENCE_MAX];
	struct event ev = { .type = EV_NOTE };
	va_list args;

	if (!event_bus_wants(f->shared->bus, EV_NOTE))
		return;
	va_start(args, sentence);
	(void)vsnprintf(text, sizeof(text), sentence, args);
	va_end(args);
	ev.u.note.text = bytes_str(text);
	tap_emit(f, &ev, at);
}

bool tap_spend(struct tap_flow *f, uint32_t n)
{
	if (n > f->trials_left || n > f->shared->trials_left)
		return false;
	f->trials_left -= n;
	f->shared->trials_left -= n;
	return true;
}

const struct keylog_secret *tap_secret_next(const struct tap_flow *f, struct bytes key,
					    const struct keylog_secret *after)
{
	const struct tap_shared *s = f->shared;
	const struct keylog_secret *late = s->late ? keylog_table_find(s->late, key) : NULL;

	if (!after) {
		const struct keylog_secret *known =
			s->known ? keylog_table_find(s->known, key) : NULL;

		return known ? known : late;
	}
	if (after->next)
		return after->next;
	/* The end of one table's list: of the known one unless it is the late one's own. */
	for (const struct keylog_secret *l = late; l; l = l->next)
		if (l == after)
			return NULL;
	return late;
}
