#include "tap/protect.h"

#include "base/mem.h"
#include "crypt/keystream.h"
#include "tap/protect_part.h"

/* Two MAC keys, keys and vectors at their longest. */
#define KEY_BLOCK_MAX (2 * (DIGEST_MAX + 32 + BLOCK_MAX))
#define EXPORT_KEY 5 /* bytes of key material: RFC 2246, A.5 and C */

#define SSL_3_0 0x0300
#define TLS_1_0 0x0301
#define TLS_1_2 0x0303

enum side { CLIENT, SERVER };

/* The parts of a key block in their order (RFC 5246, 6.3). */
struct key_block {
	uint8_t b[KEY_BLOCK_MAX];
	size_t mac_n, key_n, iv_n;
};

void protect_put_u64(uint8_t *out, uint64_t v)
{
	for (size_t i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

void protect_put_u16(uint8_t *out, uint16_t v)
{
	out[0] = (uint8_t)(v >> 8);
	out[1] = (uint8_t)v;
}

void protect_nonce(struct bytes iv, uint64_t seq, uint8_t *nonce)
{
	uint8_t number[8];

	memcpy(nonce, iv.p, iv.n);
	protect_put_u64(number, seq);
	for (size_t i = 0; i < sizeof(number); i++)
		nonce[iv.n - sizeof(number) + i] ^= number[i];
}

/* Hash(key + pad_2 + Hash(key + pad_1 + number + type + length + content)): no version. */
static bool mac_ssl3(const struct protect *p, const struct bytes head[2], struct bytes content,
		     uint8_t *out)
{
	const enum digest d = p->suite->mac;
	const size_t pad_n = d == DIGEST_MD5 ? 48 : 40;
	uint8_t pad[2][48], inner[DIGEST_MAX];
	const struct bytes first[] = { secret_bytes(&p->mac_key), bytes_of(pad[0], pad_n), head[0],
				       head[1], content };
	const struct bytes second[] = { secret_bytes(&p->mac_key), bytes_of(pad[1], pad_n),
					bytes_of(inner, digest_size(d)) };

	memset(pad[0], 0x36, pad_n);
	memset(pad[1], 0x5c, pad_n);
	return digest_of(d, first, ARRAY_LEN(first), inner, NULL) == 0 &&
	       digest_of(d, second, ARRAY_LEN(second), out, NULL) == 0;
}

bool protect_mac_fits(const struct protect *p, uint64_t seq, const struct record *r,
		      struct bytes content, struct bytes got)
{
	uint8_t number[8], head[5], mac[DIGEST_MAX];
	const struct bytes parts[] = { bytes_of(number, sizeof(number)),
				       bytes_of(head, sizeof(head)), content };
	bool made;

	if (p->suite->mac == DIGEST_NONE)
		return true;
	protect_put_u64(number, seq);
	head[0] = r->type;
	protect_put_u16(head + 1, r->version);
	protect_put_u16(head + 3, (uint16_t)content.n);
	if (p->version == SSL_3_0) {
		/* The type goes with the number, the version is left out. */
		uint8_t numbered[9];
		const struct bytes heads[2] = { bytes_of(numbered, sizeof(numbered)),
						bytes_of(head + 3, 2) };

		memcpy(numbered, number, sizeof(number));
		numbered[8] = r->type;
		made = mac_ssl3(p, heads, content, mac);
	} else {
		const struct hmac_input in = { secret_bytes(&p->mac_key), parts, ARRAY_LEN(parts) };

		made = hmac_of(p->suite->mac, &in, mac, NULL) == 0;
	}
	return made && got.n == p->mac_n && secret_equal(bytes_of(mac, p->mac_n), got);
}

int protect_prf(const struct suite *suite, uint16_t version, const struct prf_input *in,
		struct protect_derived *out, struct err *e)
{
	if (version == SSL_3_0)
		return prf_ssl3(in, out->p, out->n, e);
	return prf_of(version < TLS_1_2 ? DIGEST_NONE : suite->prf, in, out->p, out->n, e);
}

static struct bytes part_of(const struct key_block *b, size_t before, size_t n, enum side side)
{
	return bytes_of(b->b + before + (side == SERVER ? n : 0), n);
}

static size_t iv_size(const struct protect_12 *in, const struct cipher_info *info)
{
	switch (info->class) {
	case CIPHER_CLASS_AEAD:
		return in->suite->cipher == CIPHER_CHACHA20_POLY1305 ? 12 : 4;
	case CIPHER_CLASS_CBC:
		return in->version <= TLS_1_0 ? info->block_n : 0;
	default:
		return 0;
	}
}

static int key_block_make(const struct protect_12 *in, struct key_block *b, struct err *e)
{
	const struct cipher_info *info = cipher_info(in->suite->cipher);
	const struct prf_input prf = { in->master, "key expansion", in->server_random,
				       in->client_random };
	struct protect_derived out = { b->b, 0 };

	b->mac_n = digest_size(in->suite->mac);
	b->key_n = in->suite->export ? EXPORT_KEY : info->key_n;
	/* Those of export suites are derived from the randoms instead. */
	b->iv_n = in->suite->export ? 0 : iv_size(in, info);
	out.n = 2 * (b->mac_n + b->key_n + b->iv_n);
	return protect_prf(in->suite, in->version, &prf, &out, e);
}

/* The final key of an export suite (RFC 2246, 6.3.1; RFC 6101, 6.2.2). */
static int export_key(const struct protect_12 *in, enum side side, struct bytes material,
		      struct secret *key, struct err *e)
{
	static const char *const labels[] = { "client write key", "server write key" };
	const struct bytes randoms[2] = { in->client_random, in->server_random };
	const struct prf_input prf = { material, labels[side], in->client_random,
				       in->server_random };
	const struct bytes parts[] = { material, randoms[side], randoms[1 - side] };
	struct protect_derived out = { key->b, cipher_info(in->suite->cipher)->key_n };

	key->n = out.n;
	if (in->version == SSL_3_0)
		return digest_of(DIGEST_MD5, parts, ARRAY_LEN(parts), key->b, e);
	return protect_prf(in->suite, in->version, &prf, &out, e);
}

static int export_iv(const struct protect_12 *in, enum side side, struct secret *iv, struct err *e)
{
	const struct bytes randoms[2] = { in->client_random, in->server_random };
	const struct prf_input prf = { { 0 }, "IV block", in->client_random, in->server_random };
	const struct bytes parts[] = { randoms[side], randoms[1 - side] };
	uint8_t both[2 * BLOCK_MAX];
	struct protect_derived out = { both, 0 };

	iv->n = iv_size(in, cipher_info(in->suite->cipher));
	out.n = 2 * iv->n;
	if (in->version == SSL_3_0)
		return digest_of(DIGEST_MD5, parts, ARRAY_LEN(parts), iv->b, e);
	if (protect_prf(in->suite, in->version, &prf, &out, e) < 0)
		return -1;
	memcpy(iv->b, both + (side == SERVER ? iv->n : 0), iv->n);
	return 0;
}

static protect_way *find_way(const struct suite *suite)
{
	switch (cipher_info(suite->cipher)->class) {
	case CIPHER_CLASS_AEAD:
		return suite->cipher == CIPHER_CHACHA20_POLY1305 ? protect_open_chacha_12
								 : protect_open_aead_12;
	case CIPHER_CLASS_CBC:
		return protect_open_cbc;
	default:
		return protect_open_stream;
	}
}

static void key_block_wipe(struct key_block *b)
{
	mem_wipe(b, sizeof(*b));
}

static void protect_freep(struct protect **p)
{
	protect_free(*p);
}

static int take_keys(struct protect *p, const struct protect_12 *in, enum side side,
		     const struct key_block *b, struct err *e)
{
	const struct bytes material = part_of(b, 2 * b->mac_n, b->key_n, side);
	AUTO(secret_wipe) struct secret key = { .n = 0 };

	if (secret_set(&p->mac_key, part_of(b, 0, b->mac_n, side), e) < 0 ||
	    secret_set(&p->iv, part_of(b, 2 * (b->mac_n + b->key_n), b->iv_n, side), e) < 0)
		return -1;
	if (!in->suite->export)
		return cipher_new(in->suite->cipher, material, &p->cipher, e);
	if (export_key(in, side, material, &key, e) < 0 || export_iv(in, side, &p->iv, e) < 0)
		return -1;
	return cipher_new(in->suite->cipher, secret_bytes(&key), &p->cipher, e);
}

static int make(const struct protect_12 *in, enum side side, const struct key_block *b,
		struct protect **out, struct err *e)
{
	AUTO(protect_freep) struct protect *p = mem_new(sizeof(*p));

	if (!p)
		return FAIL(e, NOMEM, "a key of %s", cipher_info(in->suite->cipher)->name);
	p->suite = in->suite;
	p->info = cipher_info(in->suite->cipher);
	p->open = find_way(in->suite);
	p->version = in->version;
	p->encrypt_then_mac = in->encrypt_then_mac;
	p->implicit_iv = p->info->class == CIPHER_CLASS_CBC && in->version <= TLS_1_0;
	p->mac_n = b->mac_n;
	if (in->truncated_hmac && p->mac_n > PROTECT_TRUNCATED)
		p->mac_n = PROTECT_TRUNCATED;
	if (take_keys(p, in, side, b, e) < 0)
		return -1;
	*out = STEAL(p);
	return 0;
}

int protect_new_12(const struct protect_12 *in, struct protect *out[2], struct err *e)
{
	AUTO(key_block_wipe) struct key_block b = { .mac_n = 0 };
	AUTO(protect_freep) struct protect *client = NULL, *server = NULL;

	if (in->version < SSL_3_0 || in->version > TLS_1_2 ||
	    in->suite->exchange == EXCHANGE_TLS13 ||
	    (in->version < TLS_1_2 && cipher_info(in->suite->cipher)->class == CIPHER_CLASS_AEAD))
		return FAIL(e, UNSUPPORTED, "cipher suite 0x%04x is not one of version 0x%04x",
			    in->suite->code, in->version);
	if (!cipher_available(in->suite->cipher, e) || key_block_make(in, &b, e) < 0 ||
	    make(in, CLIENT, &b, &client, e) < 0 || make(in, SERVER, &b, &server, e) < 0)
		return -1;
	out[CLIENT] = STEAL(client);
	out[SERVER] = STEAL(server);
	return 0;
}

void protect_free(struct protect *p)
{
	if (!p)
		return;
	cipher_free(p->cipher);
	keystream_free(p->keystream);
	mem_wipe(p, sizeof(*p));
	mem_free(p);
}

bool protect_open(struct protect *p, uint64_t seq, const struct record *r, uint8_t *out,
		  struct protect_opened *opened)
{
	return r->body.n <= RECORD_CIPHER_MAX_12 && p->open(p, seq, r, out, opened);
}

size_t protect_overhead(const struct protect *p)
{
	const size_t block = p->info->block_n;

	if (p->version > TLS_1_2)
		return p->mac_n + p->info->tag_n + 1;
	switch (p->info->class) {
	case CIPHER_CLASS_AEAD:
		return (p->iv.n == 4 ? 8 : 0) + p->info->tag_n;
	case CIPHER_CLASS_CBC:
		if (p->encrypt_then_mac)
			return (p->implicit_iv ? 0 : block) + block + p->mac_n;
		/* At least one byte of padding: its length. */
		return (p->implicit_iv ? 0 : block) + (p->mac_n + 1 + block - 1) / block * block;
	default:
		return p->mac_n;
	}
}

bool protect_is_chained(const struct protect *p)
{
	return p->implicit_iv || p->info->class == CIPHER_CLASS_STREAM;
}

static void skip_stream(struct protect *p, uint64_t n)
{
	static const uint8_t nothing[4096];
	uint8_t out[4096];

	while (n) {
		const size_t part = n < sizeof(out) ? (size_t)n : sizeof(out);

		if (!stream_decrypt(p->cipher, bytes_of(nothing, part), out))
			return;
		n -= part;
	}
	mem_wipe(out, sizeof(out));
}

void protect_skip(struct protect *p, uint64_t n, struct bytes last)
{
	const size_t behind = p->encrypt_then_mac ? p->mac_n : 0;

	if (p->info->class == CIPHER_CLASS_STREAM)
		skip_stream(p, n);
	if (!p->implicit_iv)
		return;
	p->iv_given = last.n >= p->iv.n + behind;
	p->iv_seq = UINT64_MAX;
	if (p->iv_given)
		memcpy(p->iv.b, last.p + last.n - behind - p->iv.n, p->iv.n);
}
