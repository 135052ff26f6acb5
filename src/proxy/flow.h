/* A flow of the proxy: a client's connection, what it asked for, the server's connection, and
 * which of the seven steps it is in. One thread's; each state has a step that goes as far as it
 * can and says what it waits for. */
#ifndef PROXY_FLOW_H
#define PROXY_FLOW_H

#include "crypt/hash.h"
#include "flow/diagnose.h"
#include "flow/observe.h"
#include "proxy/lane.h"
#include "proxy/policy.h"
#include "wire/client_hello.h"
#include "wire/connect.h"
#include "wire/hello.h"
#include "wire/name.h"

enum flow_state {
	FLOW_ENTER,  /* the way in: what is asked for */
	FLOW_PEEK,   /* the whole ClientHello, or what comes instead */
	FLOW_NAME,   /* whether the SNI is the name of the address asked for */
	FLOW_DIAL,   /* a connection to the target */
	FLOW_DECIDE, /* target and SNI are known: the rules */
	FLOW_SHAKE,  /* TLS with the server */
	FLOW_JUDGE,  /* the server's chain */
	FLOW_MINT,   /* the mimic */
	FLOW_ANSWER, /* TLS with the client */
	FLOW_PUMP,   /* plaintext both ways */
	FLOW_SPLICE, /* bytes both ways as they are */
	FLOW_LINGER, /* the last words are on their way to the client */
	FLOW_DONE,
	FLOW_STATE_COUNT
};

#define FLOW_CHAIN_MAX 16 /* certificates of a server */

/* What a step waits for: any of these together, or FLOW_NEXT: the state has changed. */
enum flow_want {
	WANT_CLIENT_READ = 1,
	WANT_CLIENT_WRITE = 2,
	WANT_CLIENT_HANGUP = 4,
	WANT_SERVER_READ = 8,
	WANT_SERVER_WRITE = 16,
	WANT_WAKE = 32, /* flow_wake: a dial, a mint, the roots */
	WANT_NEXT = 64,
};

/* The way in, while it is being read; gone afterwards. */
struct entry {
	struct connect_scan scan;
	bool greeted, authenticated; /* SOCKS5 */
	bool socks;
};

/* The ClientHello, from the first byte to the client's handshake; gone afterwards. */
struct flow_hello {
	struct hello scan;
	struct buf joined;
	struct client_hello hello;
	bool done; /* hello is filled */
};

struct flow {
	struct list node; /* in the lane's flows */
	struct lane *lane;
	struct setup *setup;
	struct proxy_config *config;
	const struct config_listener *listener;
	uint64_t number;
	enum flow_state state;
	unsigned want;
	bool running, woken;
	bool counted; /* in the client's quota */
	struct leg client, server;
	struct loop_timer *timer;
	int64_t deadline_ns; /* of the state; 0: none */
	int64_t active_ns;   /* last byte, in FLOW_PUMP and FLOW_SPLICE */
	int64_t state_ns;    /* when the state began */

	enum flow_way way;
	struct host target;			/* what is dialled */
	struct name sni;			/* n == 0: none */
	bool socks_answer_due, http_answer_due; /* the client waits to hear of the dial */
	struct entry *entry;
	struct flow_hello *hello;

	struct resolve *naming; /* FLOW_NAME: the question for the SNI's addresses */
	unsigned families_told; /* answers to it */
	bool sni_is_target;	/* the address that the client goes to is one of the SNI's */

	struct policy_decision decision;
	bool decided;
	enum flow_action action;
	struct dial *dial;
	enum dial_result dial_result;
	char *dial_why; /* the dial's sentence, or the address check's */
	bool dialled;
	bool via_asked, via_open;  /* the upstream proxy */
	struct tls_policy *policy; /* offered upstream */
	bool resuming;
	int64_t shake_ns; /* how long the handshake with the server took */
	bool server_spoke;
	bool secrets_lost; /* some did not get into the key log */
	struct leaf_ticket *ticket;
	struct leaf *leaf;
	enum mint_mode mint_mode;
	bool mint_for_name; /* and with MINT_ALLOWED the name that the client wants, as well */
	struct observe *observe;
	struct rewrite *rewrite; /* the up direction goes through a filter */
	struct sha256 session_key;
	uint64_t bytes[2]; /* by enum flow_dir */

	unsigned http_status;		 /* to answer with instead of the failure's; 0: that */
	bool reset_client, reset_server; /* how the connections are closed at the end */
	bool told_open;
	char *issuer; /* of the server's leaf, as text; only while somebody wants to know */
	enum failure failure;
	char *reason; /* one sentence; NULL: all went well */
};

const char *flow_state_name(enum flow_state s);

/* Takes fd: a connection that was just accepted. */
void flow_start(struct lane *l, const struct config_listener *listener, int fd);
void flow_run(struct flow *f);
/* From callbacks: what WANT_WAKE waited for has come. */
void flow_wake(struct flow *f);
void flow_free(struct flow *f); /* at any time but from inside a step */

/* For the steps. */
unsigned flow_go(struct flow *f, enum flow_state to); /* WANT_NEXT */
/* The flow has failed: tells the client as failure.h's table says. detail may be NULL. */
unsigned flow_fail(struct flow *f, enum failure why, const char *detail);
unsigned flow_fail_err(struct flow *f, enum failure why, const struct err *e);
unsigned flow_fail_alert(struct flow *f, enum failure why, int alert, const char *detail);
void flow_note(struct flow *f, const char *fmt, ...)
	PRINTF_LIKE(2, 3); /* added to the reason; a failure that comes later replaces it */

void flow_bound(struct flow *f, int64_t ns); /* moves the deadline of the state; 0: none */
struct bytes flow_host(const struct flow *f, char text[ADDR_TEXT_MAX]); /* the target, as text */
/* Whom the client wants to talk to: its SNI, else the target. */
struct bytes flow_wanted_name(const struct flow *f, char text[ADDR_TEXT_MAX]);
void flow_enter_allowed(
	struct flow *f); /* may this client ask at all; sets what transparent mode knows */
bool flow_name_matters(const struct flow *f); /* FLOW_NAME may change what the rules decide */
unsigned flow_peeked(struct flow *f);  /* all is known that the client says: on to the target */
bool flow_peek_silent(struct flow *f); /* the client may wait for the server's word: dials it */
void flow_idle_end(struct flow *f);    /* nothing moved for too long */

unsigned flow_enter(struct flow *f);
unsigned flow_peek(struct flow *f);
unsigned flow_name(struct flow *f);
unsigned flow_dial(struct flow *f);
unsigned flow_decide(struct flow *f);
unsigned flow_shake(struct flow *f);
unsigned flow_judge(struct flow *f);
unsigned flow_mint(struct flow *f);
unsigned flow_answer(struct flow *f);
unsigned flow_pump(struct flow *f);
unsigned flow_splice(struct flow *f);
unsigned flow_linger(struct flow *f);

void flow_on_client(void *flow, unsigned events); /* loop_watch_fn */
void flow_on_server(void *flow, unsigned events);
void flow_hello_free(struct flow *f);
struct policy_query flow_query(const struct flow *f); /* borrows */

#endif
