/* What libssl no longer speaks: RC4, DEFLATE within TLS, hellos in SSLv2's format. A connection of TLS
 * 1.2 is written by hand, sealed with libcrypto's legacy provider. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/wr.h"
#include "crypt/digest.h"
#include "tap/session_kit.h"
#include "wire/handshake.h"
#include "wire/record.h"

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/provider.h>
#include <zlib.h>

#define MASTER 48
#define KEY 16
#define MAC 20
#define RECORDS 200

/* One direction that seals. */
struct sealer {
	EVP_CIPHER_CTX *rc4;
	uint8_t mac[MAC];
	uint64_t seq;
};

struct talk {
	bool v2;      /* the client's hello has SSLv2's format */
	bool deflate; /* what is sealed is compressed */
	z_stream z[2];
	struct buf wire[2];				/* by direction */
	size_t starts[RECORDS + 1], plain[RECORDS + 1]; /* of the server's records of data */
	struct buf said;
	struct sealer sealers[2];
	uint8_t randoms[2][32], master[MASTER];
};

static void plain_record(struct buf *out, uint8_t type, struct bytes body)
{
	struct wr w = wr_init(out);

	wr_u8(&w, type);
	wr_u16(&w, 0x0303);
	wr_u16(&w, (uint16_t)body.n);
	wr_bytes(&w, body);
	assert_int_equal(wr_end(&w, NULL), 0);
}

/* RFC 5246, E.2. Of the random only the last 16 bytes are sent; the others are zeros. */
static void v2_hello(struct talk *t)
{
	struct wr w = wr_init(&t->wire[DIR_UP]);

	memset(t->randoms[0], 0, 16);
	wr_u16(&w, 0x8000 | (9 + 3 + 16));
	wr_u8(&w, HANDSHAKE_CLIENT_HELLO);
	wr_u16(&w, 0x0303);
	wr_u16(&w, 3); /* of suites */
	wr_u16(&w, 0); /* of a session id */
	wr_u16(&w, 16);
	wr_u24(&w, 0x000005);
	wr_bytes(&w, bytes_of(t->randoms[0] + 16, 16));
	assert_int_equal(wr_end(&w, NULL), 0);
}

static void hello(struct talk *t, enum flow_dir dir)
{
	AUTO(buf_fini) struct buf message = buf_init(1000);
	struct wr w = wr_init(&message);

	wr_u8(&w, dir == DIR_UP ? HANDSHAKE_CLIENT_HELLO : HANDSHAKE_SERVER_HELLO);
	struct wr_mark whole = wr_open(&w, 3);
	wr_u16(&w, 0x0303);
	wr_bytes(&w, bytes_of(t->randoms[dir], 32));
	wr_u8(&w, 0);
	if (dir == DIR_UP)
		wr_u16(&w, 2);
	wr_u16(&w, 0x0005); /* TLS_RSA_WITH_RC4_128_SHA */
	if (dir == DIR_UP)
		wr_u8(&w, 1);
	wr_u8(&w, t->deflate);
	wr_close(&w, whole);
	assert_int_equal(wr_end(&w, NULL), 0);
	plain_record(&t->wire[dir], RECORD_HANDSHAKE, buf_bytes(&message));
}

static struct bytes compress_to(z_stream *z, struct bytes in, uint8_t *out, size_t size)
{
	z->next_in = (z_const Bytef *)in.p;
	z->avail_in = (uInt)in.n;
	z->next_out = out;
	z->avail_out = (uInt)size;
	assert_int_equal(deflate(z, Z_SYNC_FLUSH), Z_OK);
	return bytes_of(out, size - z->avail_out);
}

static void seal(struct talk *t, enum flow_dir dir, uint8_t type, struct bytes plain)
{
	uint8_t compressed[20000];

	if (t->deflate)
		plain = compress_to(&t->z[dir], plain, compressed, sizeof(compressed));
	AUTO(buf_fini) struct buf text = buf_init(20000);
	AUTO(buf_fini) struct buf head = buf_init(20);
	struct sealer *s = &t->sealers[dir];
	struct wr w = wr_init(&head);
	uint8_t mac[DIGEST_MAX], sealed[20000];
	int n;

	wr_u64(&w, s->seq++);
	wr_u8(&w, type);
	wr_u16(&w, 0x0303);
	wr_u16(&w, (uint16_t)plain.n);
	assert_int_equal(wr_end(&w, NULL), 0);
	const struct bytes parts[] = { buf_bytes(&head), plain };
	const struct hmac_input in = { bytes_of(s->mac, MAC), parts, 2 };
	assert_int_equal(hmac_of(DIGEST_SHA1, &in, mac, NULL), 0);
	assert_int_equal(buf_add(&text, plain, NULL), 0);
	assert_int_equal(buf_add(&text, bytes_of(mac, MAC), NULL), 0);
	assert_int_equal(EVP_EncryptUpdate(s->rc4, sealed, &n, text.p, (int)text.n), 1);
	plain_record(&t->wire[dir], type, bytes_of(sealed, (size_t)n));
}

static void make_keys(struct talk *t)
{
	const struct prf_input in = {
		.secret = bytes_of(t->master, MASTER),
		.label = "key expansion",
		.seed_a = bytes_of(t->randoms[1], 32),
		.seed_b = bytes_of(t->randoms[0], 32),
	};
	uint8_t block[2 * (MAC + KEY)];
	EVP_CIPHER *rc4 = EVP_CIPHER_fetch(NULL, "RC4", NULL);

	assert_non_null(rc4);
	assert_int_equal(prf_of(DIGEST_SHA256, &in, block, sizeof(block), NULL), 0);
	for (int dir = 0; dir < 2; dir++) {
		struct sealer *s = &t->sealers[dir];

		memcpy(s->mac, block + dir * MAC, MAC);
		s->rc4 = EVP_CIPHER_CTX_new();
		assert_int_equal(EVP_EncryptInit_ex2(s->rc4, rc4, block + 2 * MAC + dir * KEY, NULL,
						     NULL),
				 1);
	}
	EVP_CIPHER_free(rc4);
}

/* A server that talks in records of different lengths. */
static void talk_init(struct talk *t, bool v2, bool deflate)
{
	static const uint8_t finished[16] = { HANDSHAKE_FINISHED, 0, 0, 12 };

	*t = (struct talk){ .wire = { buf_init(1 << 22), buf_init(1 << 22) },
			    .said = buf_init(1 << 22),
			    .v2 = v2,
			    .deflate = deflate };
	for (size_t i = 0; i < 32; i++) {
		t->randoms[0][i] = (uint8_t)i;
		t->randoms[1][i] = (uint8_t)(100 + i);
	}
	memset(t->master, 7, MASTER);
	if (v2)
		v2_hello(t);
	make_keys(t);
	for (int dir = 0; dir < 2; dir++) {
		assert_int_equal(deflateInit(&t->z[dir], 9), Z_OK);
		if (dir == DIR_DOWN || !v2)
			hello(t, (enum flow_dir)dir);
		plain_record(&t->wire[dir], RECORD_CHANGE_CIPHER_SPEC, bytes_str("\1"));
		seal(t, (enum flow_dir)dir, RECORD_HANDSHAKE, bytes_of(finished, sizeof(finished)));
	}
	for (size_t i = 0; i < RECORDS; i++) {
		uint8_t text[8000];
		size_t n = (i * 761) % 7000 + 1;

		for (size_t j = 0; j < n; j++)
			text[j] = (uint8_t)(i + j);
		t->starts[i] = t->wire[DIR_DOWN].n;
		t->plain[i] = t->said.n;
		seal(t, DIR_DOWN, RECORD_APPLICATION_DATA, bytes_of(text, n));
		assert_int_equal(buf_add(&t->said, bytes_of(text, n), NULL), 0);
	}
	t->starts[RECORDS] = t->wire[DIR_DOWN].n;
	t->plain[RECORDS] = t->said.n;
}

static void talk_fini(struct talk *t)
{
	for (int dir = 0; dir < 2; dir++) {
		buf_fini(&t->wire[dir]);
		(void)deflateEnd(&t->z[dir]);
		EVP_CIPHER_CTX_free(t->sealers[dir].rc4);
	}
	buf_fini(&t->said);
}

static void keys_of(const struct talk *t, struct buf *out)
{
	assert_int_equal(buf_printf(out, NULL, "CLIENT_RANDOM "), 0);
	for (size_t i = 0; i < 32; i++)
		assert_int_equal(buf_printf(out, NULL, "%02x", t->randoms[0][i]), 0);
	assert_int_equal(buf_printf(out, NULL, " "), 0);
	for (size_t i = 0; i < MASTER; i++)
		assert_int_equal(buf_printf(out, NULL, "%02x", t->master[i]), 0);
	assert_int_equal(buf_printf(out, NULL, "\n"), 0);
}

/* Without n bytes from from: what is said but for records a (included) to b. */
static void loses(const struct talk *t, size_t from, size_t n, size_t a, size_t b)
{
	AUTO(buf_fini) struct buf keys = buf_init(1000);
	AUTO(buf_fini) struct buf want = buf_init(1 << 22);
	struct bytes down = buf_bytes(&t->wire[DIR_DOWN]);
	struct play p;

	keys_of(t, &keys);
	play_init(&p, buf_bytes(&keys));
	play_feed(&p, DIR_UP, buf_bytes(&t->wire[DIR_UP]));
	play_feed(&p, DIR_DOWN, bytes_slice(down, 0, from));
	if (n)
		play_gap(&p, DIR_DOWN, n);
	play_feed(&p, DIR_DOWN, bytes_slice(down, from + n, down.n));
	play_end(&p);
	assert_int_equal(buf_add(&want, bytes_slice(buf_bytes(&t->said), 0, t->plain[a]), NULL), 0);
	assert_int_equal(buf_add(&want, bytes_slice(buf_bytes(&t->said), t->plain[b], t->said.n),
				 NULL),
			 0);
	if (p.plain[DIR_DOWN].n != want.n)
		print_error("%.*s", BYTES_FMT(buf_bytes(&p.log)));
	assert_int_equal(p.plain[DIR_DOWN].n, want.n);
	assert_memory_equal(p.plain[DIR_DOWN].p, want.p, want.n);
	assert_int_equal(p.darks, 0);
	play_fini(&p);
}

/* All of it, in pieces of this size. */
static void plays(const struct talk *t, size_t size)
{
	AUTO(buf_fini) struct buf keys = buf_init(1000);
	struct play p;

	keys_of(t, &keys);
	play_init(&p, buf_bytes(&keys));
	for (int dir = 0; dir < 2; dir++)
		for (struct bytes b = buf_bytes(&t->wire[dir]); b.n; b = bytes_slice(b, size, b.n))
			play_feed(&p, (enum flow_dir)dir, bytes_slice(b, 0, size));
	play_end(&p);
	assert_int_equal(p.darks, 0);
	assert_true(bytes_equal(buf_bytes(&p.plain[DIR_DOWN]), buf_bytes(&t->said)));
	assert_true(play_logged(&p, "done TLS 1.2 TLS_RSA_WITH_RC4_128_SHA"));
	play_fini(&p);
}

static int load_legacy(void **state)
{
	static OSSL_PROVIDER *providers[2];

	(void)state;
	providers[0] = OSSL_PROVIDER_load(NULL, "legacy");
	providers[1] = OSSL_PROVIDER_load(NULL, "default");
	return providers[0] && providers[1] ? 0 : -1;
}

static void opens_after_a_hello_in_the_format_of_sslv2(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, true, false);
	plays(&t, SIZE_MAX);
	plays(&t, 1);
	talk_fini(&t);
}

static void undoes_compression(void **state)
{
	AUTO(buf_fini) struct buf keys = buf_init(1000);
	struct talk t;
	struct play p;
	size_t cut;

	(void)state;
	talk_init(&t, false, true);
	plays(&t, SIZE_MAX);
	plays(&t, 1000);
	/* What comes after a loss refers to what is lost. */
	cut = t.starts[50] + 20;
	keys_of(&t, &keys);
	play_init(&p, buf_bytes(&keys));
	play_feed(&p, DIR_UP, buf_bytes(&t.wire[DIR_UP]));
	play_feed(&p, DIR_DOWN, bytes_slice(buf_bytes(&t.wire[DIR_DOWN]), 0, cut));
	play_gap(&p, DIR_DOWN, 10);
	play_feed(&p, DIR_DOWN, bytes_slice(buf_bytes(&t.wire[DIR_DOWN]), cut + 10, SIZE_MAX));
	play_end(&p);
	assert_int_equal(p.darks, 1);
	assert_int_equal(p.why, DARK_GAP);
	assert_int_equal(p.plain[DIR_DOWN].n, t.plain[50]);
	play_fini(&p);
	talk_fini(&t);
}

static void goes_on_after_a_gap_in_a_stream_cipher(void **state)
{
	struct talk t;

	(void)state;
	talk_init(&t, false, false);
	plays(&t, 1);
	loses(&t, t.starts[50], 0, 0, 0);
	loses(&t, t.starts[50], t.starts[51] - t.starts[50], 50, 51);
	loses(&t, t.starts[50] + 3, 1, 50, 51);
	loses(&t, t.starts[50] + 100, 1, 50, 51);
	loses(&t, t.starts[50] - 1, 2, 49, 51);
	loses(&t, t.starts[50] + 10, t.starts[90] - t.starts[50], 50, 91);
	talk_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_on_after_a_gap_in_a_stream_cipher),
		cmocka_unit_test(opens_after_a_hello_in_the_format_of_sslv2),
		cmocka_unit_test(undoes_compression),
	};

	return cmocka_run_group_tests(tests, load_legacy, NULL);
}
