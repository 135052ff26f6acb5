#include "proxy/leaf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>

#include "base/mem.h"

#define NOW_S 1700000000

/* What the fake keeper was asked, and what the flows heard. */
struct scene {
	struct leaf_store *store;
	struct leaf_desk *desk;
	uint32_t sent[64];
	size_t sent_count;
	size_t leaves, refusals;
	struct key_pair pair;
	struct tls_key *key;
	struct buf mimic;
};

static int send_request(void *ctx, uint32_t id, const struct leaf_ask *ask, struct err *e)
{
	struct scene *s = ctx;

	if (ask->origin_der.n == 0)
		return FAIL(e, CLOSED, "gone");
	assert_true(s->sent_count < ARRAY_LEN(s->sent));
	s->sent[s->sent_count++] = id;
	return 0;
}

static void on_done(void *ctx, struct leaf *leaf, const struct err *why)
{
	struct scene *s = ctx;

	if (leaf)
		s->leaves++;
	else
		s->refusals++;
	assert_true((leaf != NULL) != (why != NULL));
	leaf_free(leaf);
}

/* The root itself serves as a leaf: whoever holds its key can be identified by it. */
static void make_mimic(struct scene *s)
{
	AUTO(buf_fini) struct buf cert = buf_init(1 << 16), key = buf_init_secret(1 << 16);
	static const uint8_t serial[16] = { 1 };
	struct authority *root;
	struct mint_request req = { .serial = serial };

	assert_int_equal(key_pair_make(KEY_P256, &s->pair, NULL), 0);
	assert_int_equal(authority_make_root("test", NOW_S, &cert, &key, NULL), 0);
	assert_int_equal(authority_new(buf_bytes(&cert), buf_bytes(&key), &root, NULL), 0);
	req.origin_der = authority_cert_der(root);
	req.by = root;
	req.spki = buf_bytes(&s->pair.spki);
	s->mimic = buf_init(1 << 16);
	assert_int_equal(mint_leaf(&req, &s->mimic, NULL, NULL), 0);
	authority_free(root);
	assert_int_equal(tls_key_new(buf_bytes(&s->pair.pkcs8), &s->key, NULL), 0);
}

static struct scene *scene_new(size_t max_pending)
{
	struct scene *s = mem_new(sizeof(*s));
	struct leaf_desk_options o = { .max_pending = max_pending };

	assert_non_null(s);
	assert_int_equal(leaf_store_new(100, 0, &s->store, NULL), 0);
	o.store = s->store;
	o.minter = (struct leaf_minter){ .send = send_request, .ctx = s };
	assert_int_equal(leaf_desk_new(&o, &s->desk, NULL), 0);
	make_mimic(s);
	return s;
}

static void scene_free(struct scene *s)
{
	leaf_desk_free(s->desk);
	leaf_store_free(s->store);
	tls_key_free(s->key);
	key_pair_fini(&s->pair);
	buf_fini(&s->mimic);
	mem_free(s);
}

static int ask_for(struct scene *s, const char *origin, enum mint_mode mode,
		   struct leaf_reply *reply, struct err *e)
{
	struct leaf_ask a = {
		.origin_der = bytes_str(origin), .mode = mode, .done = on_done, .ctx = s
	};

	return leaf_desk_ask(s->desk, &a, reply, e);
}

static void answer(struct scene *s, uint32_t id, bool temporary)
{
	struct keeper_message m = {
		.type = KEEPER_LEAF, .id = id, .der = buf_bytes(&s->mimic), .temporary = temporary
	};

	leaf_desk_answer(s->desk, &m, s->key, 0);
}

static void many_who_miss_cost_one_request(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_reply r;

	(void)state;
	for (int i = 0; i < 50; i++) {
		assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &r, NULL), 0);
		assert_int_equal(r.outcome, LEAF_WAIT);
	}
	assert_int_equal(s->sent_count, 1);
	answer(s, s->sent[0], false);
	assert_int_equal(s->leaves, 50);
	assert_int_equal(leaf_store_count(s->store), 1);
	assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &r, NULL), 0);
	assert_int_equal(r.outcome, LEAF_READY);
	leaf_free(r.leaf);
	assert_int_equal(s->sent_count, 1);
	scene_free(s);
}

static void the_twin_is_another_certificate(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_reply r;

	(void)state;
	assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &r, NULL), 0);
	assert_int_equal(ask_for(s, "origin", MINT_TWIN, &r, NULL), 0);
	assert_int_equal(ask_for(s, "other", MINT_TRUSTED, &r, NULL), 0);
	assert_int_equal(s->sent_count, 3);
	scene_free(s);
}

static void who_has_gone_is_not_told(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_reply first, second;

	(void)state;
	assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &first, NULL), 0);
	assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &second, NULL), 0);
	leaf_ticket_cancel(first.ticket);
	answer(s, s->sent[0], false);
	assert_int_equal(s->leaves, 1);
	answer(s, s->sent[0], false); /* an answer that nobody waits for does nothing */
	assert_int_equal(s->leaves, 1);
	scene_free(s);
}

static void a_refusal_reaches_all_who_wait(void **state)
{
	struct scene *s = scene_new(0);
	struct err why = { .code = ERR_CERT };
	struct leaf_reply r;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &r, NULL), 0);
	assert_int_equal(ask_for(s, "other", MINT_TRUSTED, &r, NULL), 0);
	leaf_desk_refuse(s->desk, s->sent[0], &why);
	assert_int_equal(s->refusals, 3);
	leaf_desk_refuse_all(s->desk, &why);
	assert_int_equal(s->refusals, 4);
	assert_int_equal(leaf_store_count(s->store), 0);
	scene_free(s);
}

static void a_certificate_with_a_key_for_the_meantime_is_not_kept(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_reply r;

	(void)state;
	assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &r, NULL), 0);
	answer(s, s->sent[0], true);
	assert_int_equal(s->leaves, 1);
	assert_int_equal(leaf_store_count(s->store), 0);
	scene_free(s);
}

/* Identities are kept for those used lately only; the rest is made again from what is kept of them. */
static void an_identity_that_was_given_up_is_made_again(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_ask a = { .origin_der = bytes_str("origin"), .done = on_done, .ctx = s };
	struct leaf_reply r, later;

	(void)state;
	assert_int_equal(leaf_desk_ask(s->desk, &a, &r, NULL), 0);
	answer(s, s->sent[0], false);
	assert_int_equal(leaf_desk_ask(s->desk, &a, &r, NULL), 0);
	assert_int_equal(r.outcome, LEAF_READY);
	a.now_ns = (int64_t)3600 * 1000000000;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(leaf_desk_ask(s->desk, &a, &later, NULL), 0);
		assert_int_equal(later.outcome, LEAF_READY);
		assert_ptr_not_equal(later.leaf->identity, r.leaf->identity);
		assert_int_equal(later.leaf->kind, r.leaf->kind);
		assert_string_equal(later.leaf->key_note, r.leaf->key_note);
		assert_string_equal(later.leaf->issuer, r.leaf->issuer);
		leaf_free(later.leaf);
	}
	leaf_free(r.leaf);
	assert_int_equal(s->sent_count, 1);
	scene_free(s);
}

static void the_store_is_bounded(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_reply r;
	char name[32];

	(void)state;
	for (uint32_t i = 0; i < 400; i++) {
		snprintf(name, sizeof(name), "origin %u", i);
		s->sent_count = 0;
		assert_int_equal(ask_for(s, name, MINT_TRUSTED, &r, NULL), 0);
		assert_int_equal(r.outcome, LEAF_WAIT);
		answer(s, s->sent[0], false);
	}
	assert_in_range(leaf_store_count(s->store), 80, 108);
	scene_free(s);
}

static void what_is_no_certificate_is_a_refusal(void **state)
{
	struct keeper_message m = { .type = KEEPER_LEAF, .der = bytes_str("rubbish") };
	struct scene *s = scene_new(0);
	struct leaf_reply r;

	(void)state;
	assert_int_equal(ask_for(s, "origin", MINT_TRUSTED, &r, NULL), 0);
	m.id = s->sent[0];
	leaf_desk_answer(s->desk, &m, s->key, 0);
	assert_int_equal(s->refusals, 1);
	scene_free(s);
}

static void requests_under_way_are_bounded(void **state)
{
	struct scene *s = scene_new(2);
	struct leaf_reply r;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask_for(s, "a", MINT_TRUSTED, &r, NULL), 0);
	assert_int_equal(ask_for(s, "b", MINT_TRUSTED, &r, NULL), 0);
	assert_int_equal(ask_for(s, "c", MINT_TRUSTED, &r, &e), -1);
	assert_int_equal(e.code, ERR_LIMIT);
	assert_int_equal(ask_for(s, "a", MINT_TRUSTED, &r, NULL),
			 0); /* one more who waits is no request */
	scene_free(s);
}

static void nobody_waits_for_a_request_that_could_not_be_sent(void **state)
{
	struct scene *s = scene_new(0);
	struct leaf_reply r;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask_for(s, "", MINT_TRUSTED, &r, &e), -1);
	assert_int_equal(e.code, ERR_CLOSED);
	assert_int_equal(s->refusals, 0);
	scene_free(s);
}

static int setup(void **state)
{
	(void)state;
	return tls_init(NULL);
}

static int teardown(void **state)
{
	(void)state;
	tls_fini();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_who_miss_cost_one_request),
		cmocka_unit_test(the_twin_is_another_certificate),
		cmocka_unit_test(who_has_gone_is_not_told),
		cmocka_unit_test(a_refusal_reaches_all_who_wait),
		cmocka_unit_test(a_certificate_with_a_key_for_the_meantime_is_not_kept),
		cmocka_unit_test(an_identity_that_was_given_up_is_made_again),
		cmocka_unit_test(the_store_is_bounded),
		cmocka_unit_test(what_is_no_certificate_is_a_refusal),
		cmocka_unit_test(requests_under_way_are_bounded),
		cmocka_unit_test(nobody_waits_for_a_request_that_could_not_be_sent),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
