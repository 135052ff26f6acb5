/* What opening records costs, on one thread and without packets. Prints one JSON line for each suite:
 * MB/s of 16 KiB records, raw through EVP (set up by nobody but this file) and through
 * protect_open, 100-byte records a second, wrong numbers tried a second; then microseconds for new
 * keys and for an expand-label.
 * usage: bench_protect [seconds for each figure] */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "tap/protect.h"

#define BODY_MAX (16384 + 1 + 16)
#define BATCH 64

static double limit = 0.5;
static const uint8_t secret[48] = { 42 };

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "bench_protect: %s\n", what);
	exit(1);
}

/* Calls a second of something, which gets the number of the call. */
static double rate(void (*once)(void *ctx, uint64_t number), void *ctx)
{
	const double start = cpu_seconds();
	double spent;
	uint64_t n = 0;

	do {
		for (size_t i = 0; i < BATCH; i++)
			once(ctx, n++);
		spent = cpu_seconds() - start;
	} while (spent < limit);
	return (double)n / spent;
}

struct sample {
	const struct suite *suite;
	const EVP_CIPHER *method;
	EVP_CIPHER_CTX *raw;
	struct protect *p;
	struct record r;
	uint8_t body[BODY_MAX], out[BODY_MAX], head[5], iv[12];
};

/* The record number 0 with n bytes of text. */
static void seal(struct sample *s, size_t n)
{
	static uint8_t text[16384 + 1];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t key[32];
	const struct hkdf_label labels[] = { { cipher_info(s->suite->cipher)->key_n, "key", { 0 } },
					     { 12, "iv", { 0 } } };
	const struct bytes from = bytes_of(secret, digest_size(s->suite->prf));
	int got;

	text[n] = 23;
	if (hkdf_expand_label(s->suite->prf, from, &labels[0], key, NULL) < 0 ||
	    hkdf_expand_label(s->suite->prf, from, &labels[1], s->iv, NULL) < 0)
		die("no keys");
	memcpy(s->head, (uint8_t[]){ 23, 3, 3, (uint8_t)((n + 17) >> 8), (uint8_t)(n + 17) }, 5);
	EVP_EncryptInit_ex(ctx, s->method, NULL, key, s->iv);
	EVP_EncryptUpdate(ctx, NULL, &got, s->head, 5);
	EVP_EncryptUpdate(ctx, s->body, &got, text, (int)n + 1);
	EVP_EncryptFinal_ex(ctx, s->body + n + 1, &got);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, s->body + n + 1);
	EVP_CIPHER_CTX_free(ctx);
	s->r = (struct record){ .type = 23, .version = 0x0303, .body = bytes_of(s->body, n + 17) };
	text[n] = 0;
	EVP_DecryptInit_ex(s->raw, s->method, NULL, key, NULL);
}

static void open_raw(void *ctx, uint64_t number)
{
	struct sample *s = ctx;
	const int n = (int)s->r.body.n - 16;
	int got;

	(void)number;
	if (EVP_DecryptInit_ex(s->raw, NULL, NULL, NULL, s->iv) != 1 ||
	    EVP_CIPHER_CTX_ctrl(s->raw, EVP_CTRL_AEAD_SET_TAG, 16, s->body + n) != 1 ||
	    EVP_DecryptUpdate(s->raw, NULL, &got, s->head, 5) != 1 ||
	    EVP_DecryptUpdate(s->raw, s->out, &got, s->body, n) != 1 ||
	    EVP_DecryptFinal_ex(s->raw, s->out + n, &got) != 1)
		die("EVP does not open the record");
}

static void open_ours(void *ctx, uint64_t number)
{
	struct sample *s = ctx;
	struct protect_opened o;

	(void)number;
	if (!protect_open(s->p, 0, &s->r, s->out, &o))
		die("the record does not open");
}

static void try_wrong(void *ctx, uint64_t number)
{
	struct sample *s = ctx;
	struct protect_opened o;

	if (protect_open(s->p, number + 1, &s->r, s->out, &o))
		die("a record opens as another");
}

static void make_keys(void *ctx, uint64_t number)
{
	const struct sample *s = ctx;
	uint8_t other[48];
	struct protect *p;

	memcpy(other, secret, sizeof(other));
	memcpy(other, &number, sizeof(number));
	if (protect_new_13(s->suite, bytes_of(other, digest_size(s->suite->prf)), &p, NULL) < 0)
		die("no keys");
	protect_free(p);
}

static void make_keys_12(void *ctx, uint64_t number)
{
	const struct protect_12 in = { .suite = suite_find(0x009c),
				       .version = 0x0303,
				       .master = bytes_of(secret, 48),
				       .client_random = bytes_of(&number, sizeof(number)),
				       .server_random = bytes_of(secret, 32) };
	struct protect *p[2];

	(void)ctx;
	if (protect_new_12(&in, p, NULL) < 0)
		die("no keys");
	protect_free(p[0]);
	protect_free(p[1]);
}

static void expand(void *ctx, uint64_t number)
{
	const struct sample *s = ctx;
	const struct hkdf_label label = { 16, "key", { 0 } };
	uint8_t out[16];

	(void)number;
	if (hkdf_expand_label(s->suite->prf, bytes_of(secret, digest_size(s->suite->prf)), &label,
			      out, NULL) < 0)
		die("no expand-label");
}

static void measure(uint16_t code, const EVP_CIPHER *method)
{
	static struct sample s;
	double raw, ours;

	s = (struct sample){ .suite = suite_find(code),
			     .method = method,
			     .raw = EVP_CIPHER_CTX_new() };
	if (protect_new_13(s.suite, bytes_of(secret, digest_size(s.suite->prf)), &s.p, NULL) < 0)
		die("no keys");
	seal(&s, 16384);
	raw = rate(open_raw, &s) * 16384 / 1e6;
	ours = rate(open_ours, &s) * 16384 / 1e6;
	printf("{\"suite\":\"%s\",\"raw_mb_s\":%.0f,\"open_mb_s\":%.0f,\"of_raw\":%.3f",
	       cipher_info(s.suite->cipher)->name, raw, ours, ours / raw);
	seal(&s, 100);
	printf(",\"raw_100_s\":%.0f,\"open_100_s\":%.0f,\"wrong_100_s\":%.0f", rate(open_raw, &s),
	       rate(open_ours, &s), rate(try_wrong, &s));
	seal(&s, 16384);
	printf(",\"wrong_16384_s\":%.0f", rate(try_wrong, &s));
	printf(",\"new_13_us\":%.2f,\"expand_us\":%.2f}\n", 1e6 / rate(make_keys, &s),
	       1e6 / rate(expand, &s));
	EVP_CIPHER_CTX_free(s.raw);
	protect_free(s.p);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		limit = strtod(argv[1], NULL);
	measure(0x1301, EVP_aes_128_gcm());
	measure(0x1302, EVP_aes_256_gcm());
	measure(0x1303, EVP_chacha20_poly1305());
	printf("{\"new_12_us\":%.2f}\n", 1e6 / rate(make_keys_12, NULL));
	return 0;
}
