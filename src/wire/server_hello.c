#include "wire/server_hello.h"

#include "base/rd.h"
#include "wire/handshake.h"
#include "wire/names.h"

/* RFC 8446, 4.1.3: SHA-256 of "HelloRetryRequest". */
static const uint8_t retry_random[32] = {
	0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
	0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
	0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

static int fail(enum alert which, enum alert *alert)
{
	if (alert)
		*alert = which;
	return -1;
}

/* A list of exactly one name (RFC 7301, 3.1). */
static struct bytes take_alpn(struct rd *r)
{
	struct rd list = rd_vec16(r);
	struct bytes name = rd_take(&list, rd_u8(&list));

	rd_end(&list);
	if (name.n == 0)
		*r->bad = true;
	return name;
}

static void take_key_share(struct server_hello *h, struct rd *r)
{
	h->group = rd_u16(r);
	if (h->retry)
		return;
	h->key = rd_take(r, rd_u16(r));
	if (h->key.n == 0)
		*r->bad = true;
}

static void server_extension(struct server_hello *h, uint16_t type, struct rd *r)
{
	switch (type) {
	case EXTENSION_SUPPORTED_VERSIONS:
		h->version = rd_u16(r);
		break;
	case EXTENSION_KEY_SHARE:
		take_key_share(h, r);
		break;
	case EXTENSION_PRE_SHARED_KEY:
		h->has_psk = true;
		h->psk = rd_u16(r);
		break;
	case EXTENSION_ALPN:
		h->alpn = take_alpn(r);
		break;
	case EXTENSION_EXTENDED_MASTER_SECRET:
		h->has_extended_master_secret = true;
		break;
	case EXTENSION_ENCRYPT_THEN_MAC:
		h->has_encrypt_then_mac = true;
		break;
	case EXTENSION_SESSION_TICKET:
		h->has_session_ticket = true;
		break;
	case EXTENSION_STATUS_REQUEST:
		h->has_status_request = true;
		break;
	case EXTENSION_RECORD_SIZE_LIMIT:
		h->record_size_limit = rd_u16(r);
		break;
	case EXTENSION_MAX_FRAGMENT_LENGTH:
		h->max_fragment_length = rd_u8(r);
		break;
	default:
		rd_skip(r, r->n);
	}
}

static void encrypted_extension(struct encrypted_extensions *x, uint16_t type, struct rd *r)
{
	switch (type) {
	case EXTENSION_ALPN:
		x->alpn = take_alpn(r);
		break;
	case EXTENSION_EARLY_DATA:
		x->has_early_data = true;
		break;
	case EXTENSION_SERVER_NAME:
		x->has_server_name = true;
		break;
	case EXTENSION_RECORD_SIZE_LIMIT:
		x->record_size_limit = rd_u16(r);
		break;
	default:
		rd_skip(r, r->n);
	}
}

/* Is type among the extensions before the rest of list that is left? */
static bool seen_before(struct bytes list, struct bytes left, uint16_t type)
{
	struct bytes before = bytes_slice(list, 0, list.n - left.n);
	struct extension ext;
	size_t count = 0;

	while (extension_next(&before, &ext))
		count += ext.type == type;
	return count > 1;
}

/* A server answers at most what was offered: a hundred extensions is more than any has. */
#define EXTENSIONS_MAX 100

/* Walks list, giving each extension to one of the two. */
static int walk(struct bytes list, struct server_hello *h, struct encrypted_extensions *x,
		enum alert *alert, struct err *e)
{
	struct bytes left = list;
	struct extension ext;
	char code[NAMES_CODE_MAX];

	for (size_t i = 0; left.n; i++) {
		bool bad = !extension_next(&left, &ext) || i >= EXTENSIONS_MAX;

		if (bad) {
			FAIL(e, TLS_DECODE, "a server's extension %zu is cut off, or one too many",
			     i + 1);
			return fail(ALERT_DECODE_ERROR, alert);
		}
		struct rd r = rd_init(ext.body, &bad);
		if (h)
			server_extension(h, ext.type, &r);
		else
			encrypted_extension(x, ext.type, &r);
		rd_end(&r);
		if (bad) {
			FAIL(e, TLS_DECODE, "a server's extension %s of %zu bytes is malformed",
			     names_or_code(extension_name(ext.type), ext.type, code), ext.body.n);
			return fail(ALERT_DECODE_ERROR, alert);
		}
		if (seen_before(list, left, ext.type)) {
			FAIL(e, TLS_DECODE, "a server's extension %s is there twice",
			     names_or_code(extension_name(ext.type), ext.type, code));
			return fail(ALERT_ILLEGAL_PARAMETER, alert);
		}
	}
	return 0;
}

/* RFC 8446, 4.1.3: "DOWNGRD" and 1 or 0 in the last 8 bytes. */
static uint16_t downgrade_of(struct bytes random)
{
	struct bytes end = bytes_slice(random, 24, 8);

	if (!bytes_starts(end, bytes_str("DOWNGRD")))
		return 0;
	if (end.p[7] == 1)
		return 0x0303;
	return end.p[7] == 0 ? 0x0302 : 0;
}

/* The body of a message of this type. */
static int open_message(struct bytes message, enum handshake_type want, struct bytes *body,
			enum alert *alert, struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(message, &bad);
	uint8_t type = rd_u8(&r);
	struct rd rest = rd_vec24(&r);

	rd_end(&r);
	if (bad) {
		FAIL(e, TLS_DECODE, "%s of %zu bytes: malformed",
		     handshake_type_name((uint8_t)want), message.n);
		return fail(ALERT_DECODE_ERROR, alert);
	}
	if (type != want) {
		FAIL(e, TLS_DECODE, "the message is %s (%u), not %s", handshake_type_name(type),
		     type, handshake_type_name((uint8_t)want));
		return fail(ALERT_UNEXPECTED_MESSAGE, alert);
	}
	*body = rd_rest(&rest);
	return 0;
}

int server_hello_parse(struct bytes message, struct server_hello *out, enum alert *alert,
		       struct err *e)
{
	struct server_hello h = { .raw = message };
	struct bytes body;
	bool bad = false;

	if (open_message(message, HANDSHAKE_SERVER_HELLO, &body, alert, e) < 0)
		return -1;
	struct rd r = rd_init(body, &bad);
	h.legacy_version = h.version = rd_u16(&r);
	h.random = rd_take(&r, 32);
	h.session_id = rd_take(&r, rd_u8(&r));
	h.cipher = rd_u16(&r);
	h.compression = rd_u8(&r);
	if (r.n)
		h.extensions = rd_take(&r, rd_u16(&r));
	rd_end(&r);
	if (bad || h.session_id.n > 32) {
		FAIL(e, TLS_DECODE, "server_hello of %zu bytes: malformed", message.n);
		return fail(ALERT_DECODE_ERROR, alert);
	}
	h.retry = bytes_equal(h.random, bytes_of(retry_random, sizeof(retry_random)));
	h.downgrade = downgrade_of(h.random);
	if (walk(h.extensions, &h, NULL, alert, e) < 0)
		return -1;
	*out = h;
	return 0;
}

int encrypted_extensions_parse(struct bytes message, struct encrypted_extensions *out,
			       enum alert *alert, struct err *e)
{
	struct encrypted_extensions x = { 0 };
	struct bytes body;
	bool bad = false;

	if (open_message(message, HANDSHAKE_ENCRYPTED_EXTENSIONS, &body, alert, e) < 0)
		return -1;
	struct rd r = rd_init(body, &bad);
	x.extensions = rd_take(&r, rd_u16(&r));
	rd_end(&r);
	if (bad) {
		FAIL(e, TLS_DECODE, "encrypted_extensions of %zu bytes: malformed", message.n);
		return fail(ALERT_DECODE_ERROR, alert);
	}
	if (walk(x.extensions, NULL, &x, alert, e) < 0)
		return -1;
	*out = x;
	return 0;
}
