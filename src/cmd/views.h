/* What the worker shows of its flows: lines on standard output (text or JSON), a HAR file, and the
 * store of the last exchanges. Each lane has a tracker; what is shared is locked for the moment. */
#ifndef CMD_VIEWS_H
#define CMD_VIEWS_H

#include <pthread.h>

#include "cmd/output.h"
#include "flow/exchange.h"
#include "flow/har.h"
#include "flow/json.h"
#include "flow/store.h"
#include "flow/text.h"
#include "proxy/config.h"

struct views_options {
	const struct config_observe *observe;
	bool terminal;
	unsigned width;
	int utc_offset_s;
	int har_fd; /* -1: none */
};

#define VIEWS_LANES_MAX 64

struct views {
	enum config_log log;
	struct text_options text;
	struct json_options json;
	bool bodies, messages;
	size_t body_max;
	struct output *lines;
	int har_fd;
	struct view_lane *lanes[VIEWS_LANES_MAX];
	size_t lane_count;
	pthread_mutex_t lock; /* of what follows */
	struct har har;
	struct store *store;
	uint64_t lost; /* could not be formatted or written */
	struct exchange_numbers numbers;
};

int views_new(const struct views_options *o, struct views **out, struct err *e) MUST_CHECK;
void views_free(struct views *v);
/* A tracker for one lane that feeds the views. */
int views_tracker(struct views *v, struct tracker **out, struct err *e) MUST_CHECK;
uint64_t views_lost(struct views *v);

#endif
