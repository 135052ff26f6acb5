/* What the actions of `oriel secrets` share. */
#ifndef CMD_SECRETS_H
#define CMD_SECRETS_H

#include "cmd/args.h"
#include "cmd/capture_input.h"

/* Goes over all blocks of a capture, the bad ones too; faults that cost something else than
 * everything are printed. Fails when the input is no capture or cannot be read, or as the sink. */
struct secrets_walk {
	int (*item)(void *ctx, const struct capture_item *item, struct err *e);
	/* A block whose content makes no sense; its bytes may be missing (empty). May be NULL. */
	int (*bad)(void *ctx, const struct capture_item *item, struct err *e);
	void *ctx;
	bool cut;		    /* out: the rest could not be read */
	enum capture_format format; /* out; known from the first item on */
};
int secrets_walk(const char *path, struct secrets_walk *walk, struct err *e) MUST_CHECK;

const char *secrets_name(const char *path); /* for a person: what "-" stands for */

/* Each returns the exit status; what went wrong was printed. */
int secrets_add(const struct args *a);
int secrets_list(const struct args *a);
int secrets_drop(const struct args *a);

#endif
