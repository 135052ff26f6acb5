/* The policy: what is done with a connection, and where oriel may connect to. Pure: everything
 * that is known comes in, nothing is allocated, nothing is kept.
 *
 * A rule matches when every condition that it writes down matches; a condition is a list, of which
 * one entry is enough. Rules are asked in order, the first that matches wins; without one the
 * listener's `default:` holds.
 *
 *   condition   is compared with
 *   target:     the host asked for (a name or an address) or the address dialled, and the port
 *   sni:        the name in the ClientHello; "*" also matches none
 *   client:     the address of the client
 *
 *   pattern     matches                              does not match
 *   x.test      x.test, X.TEST, x.test.              a.x.test, xx.test
 *   *.x.test    a.x.test, a.b.x.test                 x.test, ax.test
 *   *           every name and address, and no SNI
 *   10.0.0.0/8  an address in it, asked for or dialled    a name
 *
 * oriel always dials the target; the SNI is what the client says. So that nobody splices himself
 * past inspection by saying a trusted name and dialling another (or the other way round), a splice
 * rule is asked more strictly where an SNI was sent that is not the target's name. An address has
 * no name, unless whoever asks has found that it is one of the SNI's, and says so in host:
 *
 *   the splice rule has    it applies, SNI and target differing, when
 *   target: and sni:       the target matches target:, the SNI matches sni:
 *   target: only           the target and the SNI both match target:
 *   sni: only              the SNI and the target both match sni:
 *   neither                always: it trusts the client
 *
 * An address in target: never matches an SNI: to splice all TLS to an address, whatever name the
 * client says, a rule writes `sni: ["*"]` beside it. A rule that was passed over only because of
 * this is told in the decision. Bump and block rules know no such strictness; a name is blocked
 * for good by a rule for each of the two lists, since both lists in one rule must both match. */
#ifndef PROXY_POLICY_H
#define PROXY_POLICY_H

#include "proxy/config.h"

struct policy_query {
	const struct config_listener *listener;
	const struct addr *client;
	/* What the client asks to reach: a name (valid, not yet folded) or a literal address as text;
	 * empty when only an address is known. */
	struct bytes host;
	uint16_t port;
	/* The literal, the original destination, or the address dialled; NULL: not known yet. */
	const struct addr *addr;
	bool sni_known;	  /* the ClientHello was read, or there will be none */
	struct bytes sni; /* valid by RFC 6066, 3; empty: none */
};

struct policy_decision {
	enum config_action action;	    /* never CONFIG_NO_ACTION */
	int rule;			    /* index in the listener's rules; -1: `default:` */
	const struct config_rule *settings; /* the rule, or the listener's `otherwise` */
	int passed_over; /* the first splice rule that SNI and target, differing, kept from applying; -1: none */
};

enum policy_early {
	POLICY_OPEN,	/* an address or the SNI is needed */
	POLICY_DECIDED, /* bump or splice, whatever SNI and address turn out to be; *out is filled */
	POLICY_BLOCKED, /* block, whatever they turn out to be; *out is filled */
};

/* Whether the connection is allowed to ask at all: `clients:` of the listener. */
bool policy_allows_client(const struct config_listener *l, const struct addr *client);

/* Before anything is dialled: what client and target (and the SNI where it is known) decide. */
enum policy_early policy_before_dial(const struct policy_query *q, struct policy_decision *out);

/* The decision. sni_known is taken as true. */
void policy_decide(const struct policy_query *q, struct policy_decision *out);

/* The decision as one sentence for the log, names escaped: `bump by rule 2`,
 * and which splice rule did not apply and why. Returns out. */
#define POLICY_WHY_MAX 400
const char *policy_why(const struct policy_query *q, const struct policy_decision *d,
		       char out[POLICY_WHY_MAX]);

/* What is ours on this machine, as it is now. */
struct policy_self {
	const struct addr
		*listeners; /* bound addresses of all listeners, the admin's too, with ports */
	size_t listener_count;
	const struct addr *own; /* the machine's addresses */
	size_t own_count;
};

/* Asked for each address about to be used, after resolving; to->port is the port dialled. Own
 * listeners: never. Loopback, link-local, metadata, unspecified, multicast and the machine's own
 * addresses: for clients on loopback, or when every rule that may still apply allows it. An
 * address that only a block rule can match: no. When it says false, why is one sentence. q->addr is not read. */
bool policy_allows_address(const struct policy_query *q, const struct addr *to,
			   const struct policy_self *self, char why[POLICY_WHY_MAX]);

/* The parts, for others: one list against a name or address. host may be empty, a may be NULL. */
bool policy_matches_name(const struct config_patterns *list, struct bytes name);
/* A rule or default that leaves no connection to those after it. */
bool policy_is_catch_all(const struct config_rule *r);

#endif
