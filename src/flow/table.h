/* A hash table of nodes that live in their owners, by two numbers. It grows while there is memory,
 * and only gets slower when there is none. */
#ifndef FLOW_TABLE_H
#define FLOW_TABLE_H

#include "base/err.h"

struct table_node {
	struct table_node *next;
	uint64_t a, b;
};

struct table {
	struct table_node **buckets;
	size_t size; /* a power of two */
	size_t count;
};

int table_init(struct table *t, struct err *e) MUST_CHECK;
void table_fini(struct table *t); /* the nodes are their owners' */
struct table_node *table_find(const struct table *t, uint64_t a, uint64_t b);
/* The key is in the node and not in the table. */
void table_add(struct table *t, struct table_node *node);
void table_remove(struct table *t, struct table_node *node);

#endif
