#include "flow/diagnose.h"

#include "flow/put.h"
#include "wire/alert.h"

#define SIDE_CLIENT LEG_CLIENT
#define SIDE_SERVER LEG_SERVER

struct sentence {
	const char *what, *remedy;
};

static const struct {
	const char *word;
	enum flow_leg side;
	enum failure_phase phase;
	struct sentence say;
} failures[FAILURE_COUNT] = {
#define FAILURE_ROW(name, word, side, phase, what, remedy)                                         \
	[FAILURE_##name] = { word, SIDE_##side, PHASE_##phase, { what, remedy } },
	FAILURE_TABLE(FAILURE_ROW)
#undef FAILURE_ROW
};

/* What an alert tells beyond the word. */
static const struct {
	enum failure failure;
	enum alert alert;
	struct sentence say;
} exact[] = {
	{ FAILURE_CLIENT_REJECTS,
	  ALERT_UNKNOWN_CA,
	  { "the client does not trust oriel's bump CA (alert %a)",
	    "install it with `oriel trust install`, or use `oriel env`" } },
	{ FAILURE_CLIENT_REJECTS,
	  ALERT_CERTIFICATE_EXPIRED,
	  { "the client finds the certificate expired (alert %a){, as it is upstream: %v}",
	    "renew the server's certificate, or set the client's clock" } },
	{ FAILURE_CLIENT_REJECTS,
	  ALERT_BAD_CERTIFICATE,
	  { "the client refuses the certificate (alert %a): it pins another one, or lacks the bump "
	    "CA",
	    "splice{ %h}, or install the CA with `oriel trust install`" } },
	{ FAILURE_CLIENT_ALERT,
	  ALERT_PROTOCOL_VERSION,
	  { "the client accepts no TLS version that oriel may use (alert %a)",
	    "update the client, or splice{ %h}" } },
	{ FAILURE_CLIENT_ALERT,
	  ALERT_NO_APPLICATION_PROTOCOL,
	  { "the client wants another application protocol than %h chose (alert %a)", "" } },
	{ FAILURE_UPSTREAM_ALERT,
	  ALERT_CERTIFICATE_REQUIRED,
	  { "%h wants a client certificate (alert %a)",
	    "splice this target: the client's own certificate cannot pass through a bump" } },
	{ FAILURE_UPSTREAM_ALERT,
	  ALERT_UNRECOGNIZED_NAME,
	  { "%h does not serve the name{ %s} (alert %a)",
	    "check the name that the client asks for" } },
	{ FAILURE_UPSTREAM_ALERT,
	  ALERT_HANDSHAKE_FAILURE,
	  { "%h shares no cipher suite, group or signature with the client, "
	    "or wants a client certificate (alert %a)",
	    "" } },
	{ FAILURE_UPSTREAM_ALERT,
	  ALERT_PROTOCOL_VERSION,
	  { "%h accepts none of the TLS versions that the client and oriel offer (alert %a)",
	    "raise the older side, or lower `upstream-min-version:` in the rule" } },
	{ FAILURE_UPSTREAM_ALERT,
	  ALERT_NO_APPLICATION_PROTOCOL,
	  { "%h speaks none of the application protocols that the client offers (alert %a)", "" } },
};

const char *failure_word(enum failure f)
{
	return (size_t)f < FAILURE_COUNT ? failures[f].word : NULL;
}

enum failure failure_find(const char *word)
{
	if (!word)
		return FAILURE_NONE;
	for (size_t i = 1; i < FAILURE_COUNT; i++)
		if (strcmp(word, failures[i].word) == 0)
			return (enum failure)i;
	return FAILURE_INTERNAL;
}

enum flow_leg failure_side(enum failure f)
{
	return failures[f].side;
}

enum failure_phase failure_phase(enum failure f)
{
	return failures[f].phase;
}

/* Puts what a letter after % stands for. */
static void put_known(struct put *w, const struct diagnosis *d, char letter)
{
	if (letter == 'h' || letter == 'n') {
		put_bytes(w, d->host.n ? d->host : bytes_str("the server"));
		if (letter == 'h' && d->host.n && d->port) {
			put_char(w, ':');
			put_u64(w, d->port);
		}
	} else if (letter == 'a') {
		put_str(w, d->alert < 0 ? "unknown" : alert_name((uint8_t)d->alert));
	} else if (letter == 's') {
		put_bytes(w, d->sni);
	} else if (letter == 'v') {
		put_bytes(w, d->verdict);
	} else {
		put_bytes(w, d->detail);
	}
}

static bool is_known(const struct diagnosis *d, char letter)
{
	return ((letter == 'h' || letter == 'n') && d->host.n) || (letter == 's' && d->sni.n) ||
	       (letter == 'a' && d->alert >= 0) || (letter == 'v' && d->verdict.n) ||
	       (letter == 'd' && d->detail.n);
}

/* Where the braces that open at p close, when something in them is not known; else p. */
static const char *skip_braces(const struct diagnosis *d, const char *p)
{
	const char *end = strchr(p, '}');
	bool known = true;

	for (const char *at = p; at < end; at++)
		if (*at == '%')
			known = known && is_known(d, at[1]);
	return known ? p : end;
}

static void put_sentence(struct put *w, const struct diagnosis *d, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == '{')
			p = skip_braces(d, p);
		else if (*p == '%')
			put_known(w, d, *++p);
		else if (*p != '}')
			put_char(w, *p);
	}
}

static const struct sentence *sentence_of(const struct diagnosis *d)
{
	for (size_t i = 0; i < ARRAY_LEN(exact); i++)
		if (exact[i].failure == d->failure && (int)exact[i].alert == d->alert)
			return &exact[i].say;
	return &failures[d->failure].say;
}

int diagnose(struct buf *out, const struct diagnosis *d, struct err *e)
{
	struct put w = put_init(out, e);
	const struct sentence *say;

	if (d->failure != FAILURE_NONE && d->failure < FAILURE_COUNT) {
		say = sentence_of(d);
		put_sentence(&w, d, say->what);
		if (say->remedy[0]) {
			put_str(&w, "; ");
			put_sentence(&w, d, say->remedy);
		}
	}
	return put_end(&w);
}

const char *diagnose_to(char *out, size_t size, const struct diagnosis *d)
{
	struct buf b = buf_init(4096);
	struct bytes said;

	if (diagnose(&b, d, NULL) == 0)
		said = buf_bytes(&b);
	else
		said = bytes_str(failure_word(d->failure)); /* no memory: at least the word */
	said = bytes_slice(said, 0, size - 1);
	if (said.n)
		memcpy(out, said.p, said.n);
	out[said.n] = 0;
	buf_fini(&b);
	return out;
}

struct diagnosis diagnosis_of(const struct flow_info *f)
{
	const struct leg_info *leg = &f->leg[f->side];

	return (struct diagnosis){
		.failure = failure_find(f->failure),
		.host = f->target_host,
		.port = f->target_port,
		.sni = f->sni,
		.alert = leg->alert_seen && !leg->alert_sent ? leg->alert : -1,
		.verdict = f->verdict == CHAIN_OK ? bytes_of(NULL, 0) : f->verdict_reason,
		.detail = f->reason,
	};
}
