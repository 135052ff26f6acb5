/* An intrusive, circular, doubly linked list. A node that is in no list points to itself. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/bytes.h"

struct list {
	struct list *next, *prev;
};

#define LIST_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))
/* Walks the list; the current node may be removed. */
#define LIST_EACH(it, head)                                                                        \
	for (struct list *it = (head)->next, *it##_next = it->next; it != (head);                  \
	     it = it##_next, it##_next = it->next)

static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_add(struct list *head, struct list *node) /* at the end */
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_add_first(struct list *head, struct list *node)
{
	list_add(head->next, node);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

#endif
