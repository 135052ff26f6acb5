/* Why something failed: a fixed table of words (they are what metrics count and JSON names), and
 * from a word and what is known one sentence for a person, with the remedy. */
#ifndef FLOW_DIAGNOSE_H
#define FLOW_DIAGNOSE_H

#include "base/buf.h"
#include "flow/exchange.h"

/* Where in the life of a flow it happened. */
enum failure_phase {
	PHASE_HELLO,	/* reading what the client wants */
	PHASE_DIAL,	/* reaching the server */
	PHASE_UPSTREAM, /* the handshake with the server */
	PHASE_MINT,	/* making the certificate */
	PHASE_CLIENT,	/* the handshake with the client */
	PHASE_POLICY,	/* the rules */
	PHASE_PUMP,	/* afterwards */
	PHASE_OURS,	/* oriel itself */
};

/* name, word, whose fault (CLIENT, SERVER), phase, what happened, the remedy ("": none). In the
 * last two: %h the target with its port ("the server" when not known), %n without, %s the SNI, %a the alert by name, %v the
 * reason of the verdict, %d the detail. A part in {braces} is left out when what it names is not
 * known. diagnose.c knows more exact sentences for some alerts. */
/* clang-format off */
#define FAILURE_TABLE(X)                                                                           \
	X(DNS,             "dns",                 SERVER, DIAL,                                    \
	  "the name %n cannot be resolved{: %d}",                                                  \
	  "check the name, or give its address under `hosts:`")                                    \
	X(DIAL_REFUSED,    "dial-refused",        SERVER, DIAL,                                    \
	  "%h refused the connection{: %d}",                                                       \
	  "check that the server runs and listens on this port")                                   \
	X(DIAL_TIMEOUT,    "dial-timeout",        SERVER, DIAL,                                    \
	  "%h did not answer in time{: %d}",                                                       \
	  "check the route and the firewalls between oriel and the server")                        \
	X(DIAL_UNREACHABLE,"dial-unreachable",    SERVER, DIAL,                                    \
	  "there is no route to %h{: %d}",                                                         \
	  "check the network of the machine that oriel runs on")                                   \
	X(DIAL_DENIED,     "dial-denied",         CLIENT, DIAL,                                    \
	  "oriel does not connect to %h{: %d}",                                                    \
	  "own, loopback and metadata addresses need a rule that names them")                      \
	X(HELLO_BAD,       "client-hello-bad",    CLIENT, HELLO,                                   \
	  "the client's ClientHello is malformed{: %d}", "")                                       \
	X(NOT_TLS,         "client-not-tls",      CLIENT, HELLO,                                   \
	  "the client does not speak a protocol that oriel expects here{: %d}",                    \
	  "use CONNECT, SOCKS5, TLS or a plain HTTP proxy request")                                \
	X(HELLO_TIMEOUT,   "client-hello-timeout",CLIENT, HELLO,                                   \
	  "the client did not finish its first message in time{: %d}", "")                         \
	X(SNI_INVALID,     "sni-invalid",         CLIENT, HELLO,                                   \
	  "the client asked for a server name that is no host name{: %d}", "")                     \
	X(CLIENT_REJECTS,  "client-rejects-certificate", CLIENT, CLIENT,                           \
	  "the client does not accept the certificate{ (alert %a)}",                               \
	  "install the bump CA with `oriel trust install`, or use `oriel env`; "                   \
	  "if the client pins its certificates, splice{ %h}")                                      \
	X(CLIENT_ALERT,    "client-alert",        CLIENT, CLIENT,                                  \
	  "the client ended the handshake{ with alert %a}{: %d}", "")                              \
	X(CLIENT_RESET,    "client-reset",        CLIENT, CLIENT,                                  \
	  "the client reset the connection{: %d}",                                                 \
	  "one that does not trust the bump CA (`oriel trust install`), or pins its certificates " \
	  "(splice{ %h}), may do this")                                                            \
	X(CLIENT_TIMEOUT,  "client-timeout",      CLIENT, CLIENT,                                  \
	  "the client did not finish the handshake in time{: %d}", "")                             \
	X(CLIENT_CLOSED,   "client-closed",       CLIENT, CLIENT,                                  \
	  "the client closed the connection before it was used{: %d}",                             \
	  "one that does not trust the bump CA (`oriel trust install`), or pins its certificates " \
	  "(splice{ %h}), may do this")                                                            \
	X(UPSTREAM_ALERT,  "upstream-alert",      SERVER, UPSTREAM,                                \
	  "%h refused the handshake{ with alert %a}{: %d}", "")                                    \
	X(UPSTREAM_RESET,  "upstream-reset",      SERVER, UPSTREAM,                                \
	  "%h reset the connection{: %d}", "")                                                     \
	X(UPSTREAM_TIMEOUT,"upstream-timeout",    SERVER, UPSTREAM,                                \
	  "%h did not answer in time{: %d}", "")                                                   \
	X(UPSTREAM_NOT_TLS,"upstream-not-tls",    SERVER, UPSTREAM,                                \
	  "%h does not speak TLS on this port{: %d}",                                              \
	  "check the port, or splice this target")                                                 \
	X(UPSTREAM_CLOSED, "upstream-closed",     SERVER, UPSTREAM,                                \
	  "%h closed the connection{: %d}", "")                                                    \
	X(UPSTREAM_CERT,   "upstream-certificate",SERVER, UPSTREAM,                                \
	  "the certificate of %h does not verify{: %v}",                                           \
	  "renew or repair it, name its CA under `upstream-ca:`, "                                 \
	  "or say `invalid-upstream: mirror` in the rule")                                         \
	X(UPSTREAM_SHAKE,  "upstream-handshake",  SERVER, UPSTREAM,                                \
	  "the TLS handshake with %h failed{: %d}", "")                                            \
	X(PROTOCOL_VERSION,"protocol-version",    SERVER, UPSTREAM,                                \
	  "there is no TLS version that both sides accept{: %d}",                                  \
	  "raise the older side, or lower `upstream-min-version:` in the rule")                    \
	X(POLICY_BLOCK,    "policy-block",        CLIENT, POLICY,                                  \
	  "a rule blocks %h{: %d}", "change `rules:` if this should be allowed")                   \
	X(REQUEST_REFUSED, "request-refused",     CLIENT, PUMP,                                    \
	  "the client's request cannot be written anew{: %d}",                                     \
	  "mend the client, or let a rule without `set-header` match it")                          \
	X(MINT_FAILED,     "mint-failed",         SERVER, MINT,                                    \
	  "no certificate could be made for %h{: %d}", "splice this target")                       \
	X(KEEPER_GONE,     "keeper-gone",         CLIENT, OURS,                                    \
	  "the process that holds the CA key is gone{: %d}", "restart oriel")                      \
	X(NO_DESCRIPTORS,  "no-descriptors",      CLIENT, OURS,                                    \
	  "oriel has no file descriptors left{: %d}",                                              \
	  "raise the limit (`ulimit -n`, LimitNOFILE=)")                                           \
	X(LIMIT,           "limit",               CLIENT, OURS,                                    \
	  "a limit of oriel was reached{: %d}", "")                                                \
	X(INTERNAL,        "internal",            CLIENT, OURS,                                    \
	  "oriel failed{: %d}", "please report this as a bug")
/* clang-format on */

enum failure {
	FAILURE_NONE,
#define FAILURE_MEMBER(name, ...) FAILURE_##name,
	FAILURE_TABLE(FAILURE_MEMBER)
#undef FAILURE_MEMBER
		FAILURE_COUNT
};

const char *failure_word(enum failure f); /* static; NULL for FAILURE_NONE */
/* FAILURE_NONE for NULL, FAILURE_INTERNAL for a word that is not in the table. */
enum failure failure_find(const char *word);
enum flow_leg failure_side(enum failure f);
enum failure_phase failure_phase(enum failure f);

/* What is known; leave empty what is not. */
struct diagnosis {
	enum failure failure;
	struct bytes host; /* the target */
	uint16_t port;	   /* 0: none */
	struct bytes sni;
	int alert;	      /* -1: none */
	struct bytes verdict; /* the reason of the chain's verdict */
	struct bytes detail;  /* of the fault; one sentence without a full stop */
};

/* Appends "what happened: remedy", not escaped, without a newline. Fails with ERR_LIMIT or ERR_NOMEM. */
int diagnose(struct buf *out, const struct diagnosis *d, struct err *e) MUST_CHECK;
/* The same into a fixed room, NUL at the end, cut off when too long. Returns out. */
const char *diagnose_to(char *out, size_t size, const struct diagnosis *d);
/* The same from a flow that has ended. */
struct diagnosis diagnosis_of(const struct flow_info *f);

#endif
