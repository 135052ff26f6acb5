#include "proxy/secrets.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "keylog/filter.h"
#include "keylog/line.h"
#include "proxy/tell.h"

static bool matches(const struct setup_keylog *k, const struct leg *l)
{
	struct keylog_filter filter = { .local = k->local.list,
					.local_count = k->local.count,
					.remote = k->remote.list,
					.remote_count = k->remote.count };

	return keylog_filter_match(&filter, &l->local, &l->remote);
}

bool secret_wanted(const struct flow *f, const struct leg *l)
{
	for (size_t i = 0; i < f->setup->keylog_count; i++) {
		if (matches(&f->setup->keylogs[i], l))
			return true;
	}
	return false;
}

/* Said once a flow: without all its secrets it cannot be decrypted. */
static void lost(struct flow *f, int error)
{
	metric_add(f->lane->o.metrics, METRIC_KEYLOG_LOST, 1);
	if (f->secrets_lost)
		return;
	f->secrets_lost = true;
	flow_note(f, "its secrets are not all in the key log: %s",
		  error ? strerrordesc_np(error) : "only a part of a line was taken");
}

void secret_log(struct flow *f, enum flow_leg leg, struct bytes line)
{
	const struct leg *l = leg == LEG_CLIENT ? &f->client : &f->server;
	uint8_t whole[KEYLOG_LINE_MAX];

	if (line.n + 1 > sizeof(whole))
		return;
	memcpy(whole, line.p, line.n);
	whole[line.n] = '\n';
	for (size_t i = 0; i < f->setup->keylog_count; i++) {
		const struct setup_keylog *k = &f->setup->keylogs[i];

		ssize_t n;

		if (!matches(k, l))
			continue;
		n = write(k->fd, whole, line.n + 1);
		if (n != (ssize_t)(line.n + 1))
			lost(f, n < 0 ? errno : 0);
	}
	mem_wipe(whole, line.n + 1);
	tell_secret(f, leg, keylog_line_label(line));
}
