/* Counters, gauges and histograms of one worker thread as plain data, and their text for Prometheus.
 * The owner adds; other threads read at any time (relaxed atomics: each value is whole, values may
 * be from slightly different moments). */
#ifndef FLOW_METRICS_H
#define FLOW_METRICS_H

#include <stdatomic.h>

#include "base/buf.h"
#include "flow/diagnose.h"
#include "flow/event.h"

/* Plain counters: name, metric, labels, help. */
/* clang-format off */
#define METRIC_TABLE(X)                                                                            \
	X(MINT_OK,         "mints_total",         "result=\"ok\"",       "Certificates made.")      \
	X(MINT_FAILED,     "mints_total",         "result=\"failed\"",   "")                        \
	X(CERT_HIT,        "cache_hits_total",    "cache=\"certificate\"", "Found in a cache.")     \
	X(SESSION_HIT,     "cache_hits_total",    "cache=\"session\"",   "")                        \
	X(VERDICT_HIT,     "cache_hits_total",    "cache=\"verdict\"",   "")                        \
	X(CERT_MISS,       "cache_misses_total",  "cache=\"certificate\"", "Not found in a cache.") \
	X(SESSION_MISS,    "cache_misses_total",  "cache=\"session\"",   "")                        \
	X(VERDICT_MISS,    "cache_misses_total",  "cache=\"verdict\"",   "")                        \
	X(BYTES_UP,        "bytes_total",         "direction=\"up\"",                               \
	  "Application bytes of connections that ended.")                                           \
	X(BYTES_DOWN,      "bytes_total",         "direction=\"down\"",  "")                        \
	X(ACCEPTED,        "accepted_total",      "",                    "Connections accepted.")   \
	X(ACCEPT_PAUSED,   "accept_paused_total", "",                                               \
	  "Times that accepting stopped for want of descriptors.")                                  \
	X(KEYLOG_LOST,     "keylog_lost_total",   "",                    "Key log lines that could not be written.") \
	X(VIEW_LOST,       "view_lost_total",     "",                    "Events that a view could not take.") \
	X(RELOAD_OK,       "reloads_total",       "result=\"ok\"",       "Reloads of the configuration.") \
	X(RELOAD_FAILED,   "reloads_total",       "result=\"failed\"",   "")
#define METRIC_HIST_TABLE(X)                                                                       \
	X(SHAKE_CLIENT, "handshake_duration_seconds", "side=\"client\"",                            \
	  "From the ClientHello to the end of the handshake.")                                      \
	X(SHAKE_SERVER, "handshake_duration_seconds", "side=\"server\"", "")                        \
	X(MINT,         "mint_duration_seconds",      "",                                           \
	  "From asking for a certificate to having it.")                                            \
	X(DIAL,         "dial_duration_seconds",      "",                                           \
	  "From asking for a connection to having it, name resolution included.")
/* clang-format on */

enum metric {
#define METRIC_MEMBER(name, ...) METRIC_##name,
	METRIC_TABLE(METRIC_MEMBER)
#undef METRIC_MEMBER
		METRIC_COUNT
};
enum metric_hist {
#define METRIC_MEMBER(name, ...) HIST_##name,
	METRIC_HIST_TABLE(METRIC_MEMBER)
#undef METRIC_MEMBER
		HIST_COUNT
};

#define METRIC_BUCKETS 15 /* 100 us to 10 s; and one for what is longer */
struct metric_histogram {
	_Atomic uint64_t buckets[METRIC_BUCKETS + 1]; /* not cumulative */
	_Atomic uint64_t sum_ns;
};

enum metric_version {
	METRIC_TLS10,
	METRIC_TLS11,
	METRIC_TLS12,
	METRIC_TLS13,
	METRIC_TLS_OTHER,
	METRIC_VERSIONS
};
enum metric_result { METRIC_FULL, METRIC_RESUMED, METRIC_RESULTS };

/* All zero at first. Some KiB; alignas keeps two threads' structs out of each other's cache lines. */
struct metrics {
	_Alignas(64) _Atomic uint64_t counters[METRIC_COUNT];
	struct metric_histogram hists[HIST_COUNT];
	_Atomic uint64_t open_flows;
	_Atomic uint64_t opened[WAY_CAPTURE + 1];
	_Atomic uint64_t outcomes[ACTION_PLAIN + 1][2];			 /* [action][failed] */
	_Atomic uint64_t failures[FAILURE_COUNT][2];			 /* [word][side] */
	_Atomic uint64_t handshakes[2][METRIC_VERSIONS][METRIC_RESULTS]; /* [side] */
	_Atomic uint64_t handshakes_failed[2];
	_Atomic uint64_t verdicts[CHAIN_OTHER + 1];
	_Atomic uint64_t responses[PROTO_BYTES + 1][6]; /* [proto][class; 0: none or unknown] */
};

/* Only the owner thread adds. */
static inline void metric_bump(_Atomic uint64_t *value, uint64_t n)
{
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
			      memory_order_relaxed);
}
static inline void metric_add(struct metrics *m, enum metric which, uint64_t n)
{
	metric_bump(&m->counters[which], n);
}
void metric_observe(struct metrics *m, enum metric_hist which, int64_t ns);

/* Counts connections, handshakes, verdicts, responses, failures and bytes from the events. What no
 * event tells (mints, caches, durations) the proxy adds itself. */
struct event_sink metrics_sink(struct metrics *m);
void metrics_on_event(void *metrics, const struct event *ev);

/* Appends the sums of count structs in Prometheus' text format 0.0.4, every name with "oriel_"
 * before it. Fails with ERR_LIMIT or ERR_NOMEM. */
int metrics_write(struct buf *out, const struct metrics *const *all, size_t count,
		  const char *version, struct err *e) MUST_CHECK;

#endif
