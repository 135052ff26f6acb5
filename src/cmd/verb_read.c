/* `oriel read`: a capture decrypted and shown. */
#include <stdio.h>

#include "cmd/read_run.h"
#include "cmd/verbs.h"

const struct args_option read_verb_options[] = {
	{ "file", 'r', "FILE", "the capture, as with tcpdump -r" },
	{ "keylog", 'k', "FILE",
	  "a key log; may be repeated (else SSLKEYLOGFILE of the environment)" },
	{ "rsa-key", 0, "FILE",
	  "a server's RSA private key, for key exchange of old; may be repeated" },
	{ "psk", 0, "HEX", "a pre-shared key" },
	{ "tail", 0, NULL, "go on when the file grows, until Ctrl-C" },
	{ "filter", 'Y', "EXPR",
	  "only what fits, as in 'http.status >= 500' (--fields lists them)" },
	{ "flow", 0, "N", "only connection number N" },
	{ "verbose", 'v', NULL, "heads of the messages too" },
	{ "body", 0, NULL, "bodies and messages too" },
	{ "group", 0, NULL, "exchanges below their connection" },
	{ "why", 0, NULL, "only what stays dark, and why" },
	{ "handshakes", 0, NULL, "each handshake step by step, with times" },
	{ "follow", 0, "N", "the plaintext of connection number N" },
	{ "hex", 0, NULL, "with --follow: as a hex dump" },
	{ "raw", 0, NULL, "with --follow: the bytes as they are" },
	{ "client", 0, NULL, "with --follow: only what the client says" },
	{ "server", 0, NULL, "with --follow: only what the server says" },
	{ "curl", 0, "N", "exchange number N (12.3) as a curl command" },
	{ "json", 0, NULL, "JSON lines instead of text" },
	{ "har", 0, "FILE", "write the exchanges as an HTTP archive too" },
	{ "objects", 0, "DIR", "write the bodies of responses as files too" },
	{ "plain", 0, "FILE", "write the decrypted connections as a pcapng too" },
	{ "redact", 0, NULL, "mask passwords, tokens and cookies in what is shown" },
	{ "threads", 0, "N", "on so many processors, instead of all" },
	{ "fields", 0, NULL, "list the fields for --filter" },
	{ 0 },
};

static int list_fields(void)
{
	AUTO(buf_fini) struct buf text = buf_init((size_t)1 << 20);
	struct err e = { 0 };

	if (expr_fields(&text, EXPR_LIST_TEXT, &e) < 0)
		return verb_fail(&e);
	return verb_print(buf_bytes(&text));
}

/* What a person should know besides what was shown. */
static int conclude(const struct read_options *o, const struct read_result *r)
{
	if (r->packets.link_unknown)
		fprintf(stderr, "oriel: %llu packets have a link type that is not read\n",
			(unsigned long long)r->packets.link_unknown);
	if ((o->flow || o->show == READ_SHOW_CURL) && !r->counts.found) {
		fprintf(stderr, "oriel: %s has no such %s\n", o->path,
			o->show == READ_SHOW_CURL ? "exchange" : "connection");
		return EXIT_FAULT;
	}
	if (r->counts.dark && o->show != READ_SHOW_WHY)
		fprintf(stderr,
			"oriel: %llu of %llu encrypted connections could not be read whole; --why "
			"says why\n",
			(unsigned long long)r->counts.dark,
			(unsigned long long)r->counts.encrypted);
	if (r->faults)
		return EXIT_FAULT;
	return r->counts.dark ? EXIT_PARTIAL : EXIT_OK;
}

/* Whatever is wrong with the input is a fault here: the statuses say how much was decrypted. */
static int fail(const struct read_options *o, const struct err *e)
{
	int status;

	if (e->code == ERR_CLOSED)
		return EXIT_OK; /* as `head` wants it */
	status = verb_fail(e);
	if (o->caret.n)
		fwrite(o->caret.p, 1, o->caret.n, stderr);
	return status == EXIT_USAGE ? EXIT_USAGE : EXIT_FAULT;
}

int read_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	struct keylog_sources keylogs = { 0 };
	struct read_result result = { 0 };
	struct read_options o;
	struct err e = { 0 };
	int status;

	(void)verb;
	if (args_has(a, "fields"))
		return list_fields();
	if (read_options_parse(a, &o, &e) < 0 || read_secrets(a, &o, &keylogs, &e) < 0 ||
	    read_run(&o, &keylogs, &result, &e) < 0)
		status = fail(&o, &e);
	else
		status = conclude(&o, &result);
	keylog_sources_fini(&keylogs);
	read_options_fini(&o);
	return status;
}
