/* `oriel certs`: certificates from a manifest, kept right on every run. */
#include <stdio.h>
#include <time.h>

#include "base/escape.h"
#include "cmd/certs.h"
#include "cmd/certs_run.h"
#include "cmd/certs_value.h"
#include "cmd/verbs.h"
#include "proc/file.h"
#include "wire/addr.h"
#include "wire/name.h"

#define MANIFEST "certs.yaml"
#define TEXT_MAX 4096

const struct args_option certs_options[] = {
	{ "destination", 'd', "DIR", "the folder of the files, instead of this one" },
	{ "dry-run", 0, NULL, "say what would be written, and why; write nothing" },
	{ "check", 0, NULL, "the same; status 1 when there is anything to do" },
	{ "rekey", 0, NULL, "new keys for all" },
	{ "renew-before", 0, "TIME",
	  "renew what expires within TIME (30d, 12h); a third of its life, at most 30d" },
	{ "json", 0, NULL, "JSON instead of text" },
	CERTS_SHOW_OPTIONS CERTS_VERIFY_OPTIONS{ 0 },
};

const char *const certs_actions[] = { "self-signed", "lab", "show", "verify", NULL };

/* The usual mutual TLS set. */
static const char lab[] = "subject: CN=lab root\n"
			  "filename: root\n"
			  "profile: ca\n"
			  "path_length: 1\n"
			  "expires: 87600h\n"
			  "---\n"
			  "subject: CN=lab intermediate\n"
			  "filename: intermediate\n"
			  "issuer: CN=lab root\n"
			  "profile: ca\n"
			  "path_length: 0\n"
			  "expires: 43800h\n"
			  "---\n"
			  "subject: CN=server\n"
			  "issuer: CN=lab intermediate\n"
			  "profile: server\n"
			  "sans: [DNS:localhost, DNS:server, 'IP:127.0.0.1', 'IP:::1']\n"
			  "---\n"
			  "subject: CN=client\n"
			  "issuer: CN=lab intermediate\n"
			  "profile: client\n"
			  "sans: [DNS:client]\n";

static int check_operands(const struct args *a, const char *action, struct err *e)
{
	bool named = strcmp(action, "self-signed") == 0;
	size_t want = named ? 2 : 1;

	if (a->operand_count == want)
		return 0;
	if (named)
		return FAIL(e, USAGE,
			    "certs: self-signed takes one name; oriel certs self-signed a.example");
	return FAIL(e, USAGE, "certs: one manifest is read; found %zu operands", a->operand_count);
}

/* The manifest of a certificate for one host name or address. */
static int self_signed(const char *name, char *out, size_t size, struct err *e)
{
	char address_text[ADDR_TEXT_MAX];
	struct addr address;
	struct name host;
	const char *shown = host.text;
	bool ip = addr_parse_ip(bytes_str(name), 0, &address);

	if (ip)
		shown = addr_ip_text(&address, address_text);
	else if (name_parse(bytes_str(name), &host, e) < 0)
		return err_ctx(e, "certs: self-signed");
	snprintf(out, size,
		 "subject: 'CN=%.64s'\nfilename: '%s'\nprofile: server\nsans: ['%s:%s']\n", shown,
		 shown, ip ? "IP" : "DNS", shown);
	return 0;
}

/* The folder of a path; "" when it is where we are. */
static void folder_of(const char *path, char *out, size_t size)
{
	const char *slash = strrchr(path, '/');
	size_t n = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);

	snprintf(out, size, "%.*s", (int)n, path);
}

/* What to read: a built-in text, or a file. */
static int find_text(const struct args *a, struct certs_run *run, struct buf *file, struct err *e)
{
	const char *first = a->operand_count ? a->operands[0] : MANIFEST;

	if (check_operands(a, first, e) < 0)
		return -1;
	run->name = first;
	if (strcmp(first, "self-signed") == 0) {
		char text[TEXT_MAX];

		if (self_signed(a->operands[1], text, sizeof(text), e) < 0 ||
		    buf_add(file, bytes_str(text), e) < 0)
			return -1;
	} else if (strcmp(first, "lab") == 0) {
		run->text = bytes_of(lab, sizeof(lab) - 1);
		return 0;
	} else {
		run->told = true;
		if (file_read(first, file, e) < 0)
			return -1;
	}
	run->text = buf_bytes(file);
	return 0;
}

static int read_options(const struct args *a, struct certs_run *run, struct err *e)
{
	const char *before = args_value(a, "renew-before");
	const char *dir = args_value(a, "destination");

	for (size_t n = 0; n < a->given_count; n++) {
		const char *name = a->given[n].option->name;
		bool ours = false;

		for (const struct args_option *o = certs_options; o != certs_options + 6; o++)
			ours |= strcmp(o->name, name) == 0;
		if (!ours)
			return FAIL(e, USAGE, "certs: --%s is only of show and verify", name);
	}
	run->dry = args_has(a, "dry-run") || args_has(a, "check");
	run->json = args_has(a, "json");
	run->options.dir = dir ? dir : "";
	run->options.now_s = time(NULL);
	run->options.rekey = args_has(a, "rekey");
	run->options.renew_before_given = before != NULL;
	if (!before)
		return 0;
	return certs_duration_parse("renew-before", before, &run->options.renew_before_s, e);
}

int certs_verb(const struct args_verb *verb, void *args)
{
	const struct args *a = args;
	AUTO(buf_fini) struct buf file = buf_init(CERTS_MANIFEST_MAX);
	struct certs_run run = { 0 };
	char folder[CERTS_PATH_MAX];
	struct err e = { 0 };
	size_t changes = 0;

	(void)verb;
	if (a->operand_count && strcmp(a->operands[0], "show") == 0)
		return certs_show(a);
	if (a->operand_count && strcmp(a->operands[0], "verify") == 0)
		return certs_verify(a);
	if (read_options(a, &run, &e) < 0 || find_text(a, &run, &file, &e) < 0)
		return verb_fail(&e);
	folder_of(run.name, folder, sizeof(folder));
	run.options.manifest_dir = folder;
	if (certs_run(&run, &changes, &e) < 0)
		return verb_fail(&e);
	return args_has(a, "check") && changes ? EXIT_FAULT : EXIT_OK;
}
