#include "base/list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct thing {
	int number;
	struct list node;
};

static int number_of(struct list *node)
{
	return LIST_OWNER(node, struct thing, node)->number;
}

/* The numbers in order, as one decimal number. */
static int spell(struct list *head)
{
	int out = 0;

	LIST_EACH (it, head)
		out = out * 10 + number_of(it);
	return out;
}

static void keeps_the_order(void **state)
{
	struct thing a = { .number = 1 }, b = { .number = 2 }, c = { .number = 3 };
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_int_equal(spell(&head), 0);
	list_add(&head, &a.node);
	list_add(&head, &b.node);
	list_add_first(&head, &c.node);
	assert_false(list_empty(&head));
	assert_int_equal(spell(&head), 312);
}

static void a_removed_node_is_in_no_list_and_may_be_removed_again(void **state)
{
	struct thing a = { .number = 1 }, b = { .number = 2 };
	struct list head;

	(void)state;
	list_init(&head);
	list_add(&head, &a.node);
	list_add(&head, &b.node);
	list_remove(&a.node);
	assert_int_equal(spell(&head), 2);
	assert_true(list_empty(&a.node));
	list_remove(&a.node);
	assert_int_equal(spell(&head), 2);
	list_add(&head, &a.node);
	assert_int_equal(spell(&head), 21);
}

static void the_current_node_may_leave_during_a_walk(void **state)
{
	struct thing things[5];
	struct list head, other;

	(void)state;
	list_init(&head);
	list_init(&other);
	for (int i = 0; i < 5; i++) {
		things[i].number = i + 1;
		list_add(&head, &things[i].node);
	}
	LIST_EACH (it, &head) {
		if (number_of(it) % 2)
			continue;
		list_remove(it);
		list_add(&other, it);
	}
	assert_int_equal(spell(&head), 135);
	assert_int_equal(spell(&other), 24);
	LIST_EACH (it, &head)
		list_remove(it);
	assert_true(list_empty(&head));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeps_the_order),
		cmocka_unit_test(a_removed_node_is_in_no_list_and_may_be_removed_again),
		cmocka_unit_test(the_current_node_may_leave_during_a_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
