/* Where `oriel read` has its secrets from. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "cmd/args.h"
#include "cmd/capture_input.h"
#include "cmd/keylog_source.h"
#include "cmd/read_options.h"
#include "crypt/rsa.h"
#include "proc/file.h"
#include "proc/paths.h"

#define KNOWN_MAX ((size_t)1 << 30) /* of memory for secrets */
#define KEY_FILE_MAX 65536
#define PSK_MAX 256

static int feed(void *ctx, struct bytes text, struct err *e)
{
	return keylog_table_feed(ctx, text, e);
}

/* A block of secrets is whole in itself. */
static int feed_block(void *ctx, struct bytes text, struct err *e)
{
	return keylog_table_feed(ctx, text, e) < 0 ? -1 : keylog_table_end(ctx, e);
}

static void say_what_is_wrong(const struct read_options *o, const char *where)
{
	struct keylog_stats s;

	keylog_table_stats(o->known, &s);
	if (s.bad)
		fprintf(stderr,
			"oriel: %s: %llu of %llu lines are no lines of a key log; the first is "
			"line %llu\n",
			where, (unsigned long long)s.bad, (unsigned long long)s.lines,
			(unsigned long long)s.first_bad);
	if (s.dropped)
		fprintf(stderr, "oriel: %s: there was no room for %llu secrets\n", where,
			(unsigned long long)s.dropped);
}

static int read_keylogs(const struct args *a, struct read_options *o,
			struct keylog_sources *keylogs, struct err *e)
{
	struct keylog_sink sink = { .text = feed, .ctx = o->known };
	const char *path = paths_env("SSLKEYLOGFILE", true);

	if (args_count(a, "keylog") == 0 && path) {
		struct err missing = { 0 };

		/* Nobody asked for this one by name. */
		if (keylog_sources_add(keylogs, path, &missing) < 0)
			fprintf(stderr, "oriel: SSLKEYLOGFILE: %s\n", missing.sentence);
	}
	for (size_t i = 0; (path = args_nth(a, "keylog", i)); i++)
		if (keylog_sources_add(keylogs, path, e) < 0)
			return -1;
	if (keylog_sources_read(keylogs, o->tail, &sink, e) < 0 ||
	    keylog_table_end(o->known, e) < 0)
		return -1;
	if (keylogs->count)
		say_what_is_wrong(o, keylogs->count == 1 ? keylogs->file[0].path : "the key logs");
	return 0;
}

static int read_rsa_keys(const struct args *a, struct read_options *o, struct err *e)
{
	const char *path;

	for (size_t i = 0; (path = args_nth(a, "rsa-key", i)); i++) {
		AUTO(buf_fini) struct buf text = buf_init_secret(KEY_FILE_MAX);

		if (o->rsa_key_count == READ_KEYS_MAX)
			return FAIL(e, USAGE, "read: more than %d private keys", READ_KEYS_MAX);
		if (file_read(path, &text, e) < 0)
			return -1;
		if (rsa_key_read(buf_bytes(&text), &o->rsa_keys[o->rsa_key_count], e) < 0)
			return err_ctx(e, "%s", path);
		o->rsa_key_count++;
	}
	return 0;
}

static int hex_value(uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

static int read_psk(const struct args *a, struct read_options *o, struct err *e)
{
	struct bytes text = bytes_str(args_value(a, "psk"));

	o->psk = buf_init_secret(PSK_MAX);
	if (text.n % 2)
		return FAIL(e, USAGE,
			    "read: --psk takes pairs of hexadecimal digits, not %zu digits",
			    text.n);
	for (size_t i = 0; i < text.n; i += 2) {
		int high = hex_value(text.p[i]), low = hex_value(text.p[i + 1]);
		uint8_t byte;

		if (high < 0 || low < 0)
			return FAIL(e, USAGE,
				    "read: --psk takes hexadecimal digits; digit %zu is none",
				    i + (high < 0 ? 1 : 2));
		byte = (uint8_t)(high << 4 | low);
		if (buf_add(&o->psk, bytes_of(&byte, 1), e) < 0)
			return err_ctx(e, "read: --psk");
	}
	return 0;
}

/* Whether all secrets that the capture has in it can be known before its packets are read. */
static bool may_come(const struct read_options *o)
{
	struct stat st;

	return o->tail || strcmp(o->path, "-") == 0 || stat(o->path, &st) < 0 ||
	       !S_ISREG(st.st_mode);
}

int read_secrets(const struct args *a, struct read_options *o, struct keylog_sources *keylogs,
		 struct err *e)
{
	struct capture_secrets_sink sink = { .found = feed_block };

	if (keylog_table_new(KNOWN_MAX, &o->known, e) < 0 || read_keylogs(a, o, keylogs, e) < 0 ||
	    read_rsa_keys(a, o, e) < 0 || read_psk(a, o, e) < 0)
		return -1;
	o->secrets_may_come = may_come(o);
	if (o->secrets_may_come) {
		o->lanes = 1;
		return 0;
	}
	sink.ctx = o->known;
	return capture_input_secrets(o->path, &sink, e);
}

void read_options_fini(struct read_options *o)
{
	keylog_table_free(o->known);
	for (size_t i = 0; i < o->rsa_key_count; i++)
		rsa_key_free(o->rsa_keys[i]);
	buf_fini(&o->psk);
	buf_fini(&o->caret);
}
