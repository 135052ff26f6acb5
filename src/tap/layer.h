/* What takes the bytes of both directions of a connection: a stack of layers, each the owner of the
 * one above it. Directions come in the order of the capture; a gap stands in its place. */
#ifndef TAP_LAYER_H
#define TAP_LAYER_H

#include "flow/event.h"
#include "tap/at.h"

struct layer;

struct layer_ops {
	void (*feed)(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at);
	/* n bytes are missing, as the layer below counts: those of records when that is TLS. truncated:
	 * the capture cut them off. */
	void (*gap)(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated,
		    struct tap_at at);
	/* At most once a direction; nothing follows. */
	void (*end)(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at);
	/* Secrets came that may concern this flow. May be NULL. */
	void (*secrets)(struct layer *l, struct tap_at at);
	void (*free)(struct layer *l);
};

struct layer {
	const struct layer_ops *ops;
};

static inline void layer_feed(struct layer *l, enum flow_dir dir, struct bytes in, struct tap_at at)
{
	l->ops->feed(l, dir, in, at);
}
static inline void layer_gap(struct layer *l, enum flow_dir dir, uint64_t n, bool truncated,
			     struct tap_at at)
{
	l->ops->gap(l, dir, n, truncated, at);
}
static inline void layer_end(struct layer *l, enum flow_dir dir, enum leg_end how, struct tap_at at)
{
	l->ops->end(l, dir, how, at);
}
static inline void layer_secrets(struct layer *l, struct tap_at at)
{
	if (l->ops->secrets)
		l->ops->secrets(l, at);
}
static inline void layer_free(struct layer *l)
{
	if (l)
		l->ops->free(l);
}

#endif
