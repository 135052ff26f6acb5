/* A client that was redirected, or that resolves names itself, is known to go to an address, while
 * rules are written with names. What it says (the SNI) is not proof: it is taken for the target's
 * name only when oriel's own resolver gives that name this very address. Asked only where it would
 * make the rules decide otherwise. */
#include "proxy/flow.h"

#include "proxy/via.h"

bool flow_name_matters(const struct flow *f)
{
	struct policy_query q = flow_query(f);
	struct policy_decision by_address, by_name;

	/* Behind a proxy of somebody else's nothing is resolved here. */
	if (f->target.kind != HOST_ADDR || q.sni.n == 0 || via_is_wanted(f))
		return false;
	policy_decide(&q, &by_address);
	q.host = q.sni;
	policy_decide(&q, &by_name);
	return by_address.rule != by_name.rule;
}

static void on_answer(void *ctx, const struct resolve_answer *a)
{
	struct flow *f = ctx;

	for (size_t i = 0; i < a->count; i++)
		f->sni_is_target |= addr_same_ip(&a->addrs[i], &f->target.addr);
	f->families_told++;
	if (!f->sni_is_target && f->families_told < 2)
		return;
	resolve_cancel(STEAL(f->naming));
	flow_wake(f);
}

unsigned flow_name(struct flow *f)
{
	struct resolve_options o = { .name = name_bytes(&f->sni), .fn = on_answer, .ctx = f };
	struct err e = { 0 };

	if (f->naming)
		return WANT_WAKE | WANT_CLIENT_HANGUP;
	if (f->sni_is_target || f->families_told == 2)
		return flow_peeked(f);
	if (resolve_start(f->lane->resolver, &o, &f->naming, &e) < 0)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	return WANT_WAKE | WANT_CLIENT_HANGUP;
}
