#include "wire/client_hello.h"

#include "base/rd.h"
#include "wire/handshake.h"
#include "wire/names.h"

#define TLS_EMPTY_RENEGOTIATION_INFO_SCSV 0x00ff
#define TLS_FALLBACK_SCSV 0x5600
#define TLS13 0x0304

/* Which code points were seen: tells of duplicates in one pass, however many there are. */
struct code_set {
	uint64_t bits[1024];
};

/* False when it was there before. */
static bool code_set_add(struct code_set *set, uint16_t code)
{
	uint64_t bit = UINT64_C(1) << (code & 63);
	bool fresh = !(set->bits[code >> 6] & bit);

	set->bits[code >> 6] |= bit;
	return fresh;
}

static int fail(enum alert which, enum alert *alert)
{
	if (alert)
		*alert = which;
	return -1;
}

/* A list of at least one code point with a length of size bytes before it. */
static struct bytes take_codes(struct rd *r, size_t size)
{
	struct bytes list = rd_take(r, (size_t)rd_uint(r, size));

	if (list.n == 0 || list.n % 2)
		*r->bad = true;
	return list;
}

static struct bytes take_some(struct rd *r, size_t size)
{
	struct bytes list = rd_take(r, (size_t)rd_uint(r, size));

	if (list.n == 0)
		*r->bad = true;
	return list;
}

/* The extensions. Each reads its body to the end; what it returns is NULL or what is illegal. */

static const char *server_name(struct client_hello *h, struct rd *r)
{
	struct rd list = rd_vec16(r);

	while (list.n) {
		uint8_t type = rd_u8(&list);
		struct bytes val = rd_take(&list, rd_u16(&list));

		if (type != 0)
			continue;
		/* RFC 6066, 3: one name of each type, and not empty: else an attack or a bug. */
		if (h->server_name.p || val.n == 0)
			*r->bad = true;
		h->server_name = val;
	}
	if (h->server_name.n == 0)
		*r->bad = true;
	return NULL;
}

static const char *max_fragment_length(struct client_hello *h, struct rd *r)
{
	h->max_fragment_length = rd_u8(r);
	if (!*r->bad && (h->max_fragment_length < 1 || h->max_fragment_length > 4))
		return "a code that is not 1 to 4";
	return NULL;
}

static const char *status_request(struct client_hello *h, struct rd *r)
{
	h->has_status_request = true;
	if (rd_u8(r) == 1) {
		(void)rd_vec16(r); /* responders */
		(void)rd_vec16(r); /* their extensions */
	} else {
		rd_skip(r, r->n);
	}
	return NULL;
}

static const char *supported_groups(struct client_hello *h, struct rd *r)
{
	h->supported_groups = take_codes(r, 2);
	return NULL;
}

static const char *ec_point_formats(struct client_hello *h, struct rd *r)
{
	h->point_formats = take_some(r, 1);
	return NULL;
}

static const char *signature_algorithms(struct client_hello *h, struct rd *r)
{
	h->signature_algorithms = take_codes(r, 2);
	return NULL;
}

static const char *signature_algorithms_cert(struct client_hello *h, struct rd *r)
{
	h->signature_algorithms_cert = take_codes(r, 2);
	return NULL;
}

static const char *alpn(struct client_hello *h, struct rd *r)
{
	h->alpn = rd_take(r, rd_u16(r));
	if (alpn_check(h->alpn, NULL) < 0)
		*r->bad = true;
	return NULL;
}

static const char *encrypt_then_mac(struct client_hello *h, struct rd *r)
{
	(void)r;
	h->has_encrypt_then_mac = true;
	return NULL;
}

static const char *extended_master_secret(struct client_hello *h, struct rd *r)
{
	(void)r;
	h->has_extended_master_secret = true;
	return NULL;
}

static const char *compress_certificate(struct client_hello *h, struct rd *r)
{
	h->compress_certificate = take_codes(r, 1);
	return NULL;
}

static const char *record_size_limit(struct client_hello *h, struct rd *r)
{
	h->record_size_limit = rd_u16(r);
	if (!*r->bad && h->record_size_limit < 64)
		return "a limit below 64";
	return NULL;
}

static const char *session_ticket(struct client_hello *h, struct rd *r)
{
	h->has_session_ticket = true;
	h->session_ticket = rd_take(r, r->n);
	return NULL;
}

/* RFC 8446, 4.2.11: identities, then as many binders. */
static const char *pre_shared_key(struct client_hello *h, struct rd *r)
{
	struct rd identities = rd_vec16(r);
	struct rd binders = rd_vec16(r);
	size_t identity_count = 0, binder_count = 0;

	h->has_psk = true;
	if (identities.n == 0 || binders.n == 0)
		*r->bad = true;
	for (; identities.n; identity_count++) {
		(void)take_some(&identities, 2);
		rd_skip(&identities, 4); /* obfuscated_ticket_age */
	}
	for (; binders.n; binder_count++) {
		if (rd_take(&binders, rd_u8(&binders)).n < 32)
			*r->bad = true;
	}
	return identity_count == binder_count ? NULL : "not one binder for each identity";
}

static const char *early_data(struct client_hello *h, struct rd *r)
{
	(void)r;
	h->has_early_data = true;
	return NULL;
}

static const char *supported_versions(struct client_hello *h, struct rd *r)
{
	h->supported_versions = take_codes(r, 1);
	return NULL;
}

static const char *cookie(struct client_hello *h, struct rd *r)
{
	h->cookie = take_some(r, 2);
	return NULL;
}

static const char *psk_key_exchange_modes(struct client_hello *h, struct rd *r)
{
	h->psk_modes = take_some(r, 1);
	return NULL;
}

static const char *post_handshake_auth(struct client_hello *h, struct rd *r)
{
	(void)r;
	h->has_post_handshake_auth = true;
	return NULL;
}

static const char *key_share(struct client_hello *h, struct rd *r)
{
	struct code_set seen = { 0 };
	struct rd list = rd_vec16(r);
	const char *fault = NULL;

	h->has_key_share = true;
	h->key_shares = rd_rest(&list);
	while (list.n) {
		uint16_t group = rd_u16(&list);

		(void)take_some(&list, 2);
		if (!code_set_add(&seen, group))
			fault = "two shares for one group";
	}
	return fault;
}

static const char *quic_transport_parameters(struct client_hello *h, struct rd *r)
{
	h->has_quic_parameters = true;
	rd_skip(r, r->n);
	return NULL;
}

static const char *encrypted_client_hello(struct client_hello *h, struct rd *r)
{
	h->has_ech = true;
	rd_skip(r, r->n);
	return NULL;
}

static const char *renegotiation_info(struct client_hello *h, struct rd *r)
{
	h->has_renegotiation_info = true;
	(void)rd_vec8(r);
	return NULL;
}

static const char *other(struct client_hello *h, struct rd *r)
{
	(void)h;
	rd_skip(r, r->n);
	return NULL;
}

typedef const char *extension_parser(struct client_hello *h, struct rd *r);

static extension_parser *const parsers[] = {
	[EXTENSION_SERVER_NAME] = server_name,
	[EXTENSION_MAX_FRAGMENT_LENGTH] = max_fragment_length,
	[EXTENSION_STATUS_REQUEST] = status_request,
	[EXTENSION_SUPPORTED_GROUPS] = supported_groups,
	[EXTENSION_EC_POINT_FORMATS] = ec_point_formats,
	[EXTENSION_SIGNATURE_ALGORITHMS] = signature_algorithms,
	[EXTENSION_ALPN] = alpn,
	[EXTENSION_ENCRYPT_THEN_MAC] = encrypt_then_mac,
	[EXTENSION_EXTENDED_MASTER_SECRET] = extended_master_secret,
	[EXTENSION_COMPRESS_CERTIFICATE] = compress_certificate,
	[EXTENSION_RECORD_SIZE_LIMIT] = record_size_limit,
	[EXTENSION_SESSION_TICKET] = session_ticket,
	[EXTENSION_PRE_SHARED_KEY] = pre_shared_key,
	[EXTENSION_EARLY_DATA] = early_data,
	[EXTENSION_SUPPORTED_VERSIONS] = supported_versions,
	[EXTENSION_COOKIE] = cookie,
	[EXTENSION_PSK_KEY_EXCHANGE_MODES] = psk_key_exchange_modes,
	[EXTENSION_POST_HANDSHAKE_AUTH] = post_handshake_auth,
	[EXTENSION_SIGNATURE_ALGORITHMS_CERT] = signature_algorithms_cert,
	[EXTENSION_KEY_SHARE] = key_share,
	[EXTENSION_QUIC_TRANSPORT_PARAMETERS] = quic_transport_parameters,
};

static extension_parser *parser_of(uint16_t type)
{
	if (type == EXTENSION_RENEGOTIATION_INFO)
		return renegotiation_info;
	if (type == EXTENSION_ENCRYPTED_CLIENT_HELLO)
		return encrypted_client_hello;
	return type < ARRAY_LEN(parsers) && parsers[type] ? parsers[type] : other;
}

static int parse_extension(struct client_hello *h, const struct extension *ext, enum alert *alert,
			   struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(ext->body, &bad);
	const char *illegal = parser_of(ext->type)(h, &r);
	char code[NAMES_CODE_MAX];

	rd_end(&r);
	if (!bad && !illegal)
		return 0;
	FAIL(e, TLS_DECODE, "ClientHello: extension %s of %zu bytes: %s",
	     names_or_code(extension_name(ext->type), ext->type, code), ext->body.n,
	     bad ? "malformed" : illegal);
	return fail(bad ? ALERT_DECODE_ERROR : ALERT_ILLEGAL_PARAMETER, alert);
}

static int parse_extensions(struct client_hello *h, enum alert *alert, struct err *e)
{
	struct code_set seen = { 0 };
	struct bytes list = h->extensions;
	struct extension ext = { 0 };
	char code[NAMES_CODE_MAX];

	while (list.n) {
		if (!extension_next(&list, &ext)) {
			FAIL(e, TLS_DECODE, "ClientHello: extension %zu is cut off",
			     h->extension_count + 1);
			return fail(ALERT_DECODE_ERROR, alert);
		}
		h->extension_count++;
		h->has_grease |= code_is_grease(ext.type);
		if (!code_set_add(&seen, ext.type)) {
			FAIL(e, TLS_DECODE, "ClientHello: extension %s is there twice",
			     names_or_code(extension_name(ext.type), ext.type, code));
			return fail(ALERT_ILLEGAL_PARAMETER, alert);
		}
		if (parse_extension(h, &ext, alert, e) < 0)
			return -1;
	}
	/* RFC 8446, 4.2.11: its binders cover everything before them. */
	if (h->has_psk && ext.type != EXTENSION_PRE_SHARED_KEY) {
		FAIL(e, TLS_DECODE, "ClientHello: pre_shared_key is not the last extension");
		return fail(ALERT_ILLEGAL_PARAMETER, alert);
	}
	return 0;
}

static int check_compression(const struct client_hello *h, enum alert *alert, struct err *e)
{
	bool tls13 = codes_have(h->supported_versions, TLS13);

	if (bytes_index(h->compression, 0) < h->compression.n && (h->compression.n == 1 || !tls13))
		return 0;
	FAIL(e, TLS_DECODE, "ClientHello: compression methods %s null",
	     tls13 ? "other than" : "without");
	return fail(ALERT_ILLEGAL_PARAMETER, alert);
}

static void look_at_ciphers(struct client_hello *h)
{
	for (size_t i = 0; i < codes_count(h->cipher_suites); i++) {
		uint16_t cipher = codes_get(h->cipher_suites, i);

		h->has_grease |= code_is_grease(cipher);
		h->has_fallback_scsv |= cipher == TLS_FALLBACK_SCSV;
		h->has_renegotiation_info |= cipher == TLS_EMPTY_RENEGOTIATION_INFO_SCSV;
	}
}

/* supported_versions overrules legacy_version (RFC 8446, 4.2.1). */
static uint16_t max_version(const struct client_hello *h)
{
	uint16_t max = 0;

	if (h->supported_versions.n == 0)
		return h->legacy_version;
	for (size_t i = 0; i < codes_count(h->supported_versions); i++) {
		uint16_t version = codes_get(h->supported_versions, i);

		if (!code_is_grease(version) && version > max)
			max = version;
	}
	return max;
}

int client_hello_parse(struct bytes message, struct client_hello *out, enum alert *alert,
		       struct err *e)
{
	struct client_hello h = { .raw = message };
	bool bad = false;
	struct rd r = rd_init(message, &bad);
	uint8_t type = rd_u8(&r);
	struct rd body = rd_vec24(&r);

	rd_end(&r);
	if (!bad && type != HANDSHAKE_CLIENT_HELLO) {
		FAIL(e, TLS_DECODE, "the message is %s (%u), not client_hello",
		     handshake_type_name(type), type);
		return fail(ALERT_UNEXPECTED_MESSAGE, alert);
	}
	h.legacy_version = rd_u16(&body);
	h.random = rd_take(&body, 32);
	h.session_id = rd_take(&body, rd_u8(&body));
	h.cipher_suites = take_codes(&body, 2);
	h.compression = take_some(&body, 1);
	if (body.n) /* RFC 5246, 7.4.1.2: before TLS 1.3 there may be none */
		h.extensions = rd_take(&body, rd_u16(&body));
	rd_end(&body);
	if (bad || h.session_id.n > 32) {
		FAIL(e, TLS_DECODE, "ClientHello of %zu bytes: malformed", message.n);
		return fail(ALERT_DECODE_ERROR, alert);
	}
	if (h.legacy_version >> 8 != 3) {
		FAIL(e, TLS_DECODE, "ClientHello of version 0x%04x", h.legacy_version);
		return fail(ALERT_PROTOCOL_VERSION, alert);
	}
	look_at_ciphers(&h);
	if (parse_extensions(&h, alert, e) < 0 || check_compression(&h, alert, e) < 0)
		return -1;
	h.max_version = max_version(&h);
	*out = h;
	return 0;
}

size_t client_hello_share_groups(const struct client_hello *hello, uint16_t *out, size_t max)
{
	struct bytes list = hello->key_shares, key;
	uint16_t group;
	size_t n = 0;

	while (n < max && key_share_next(&list, &group, &key)) {
		if (!code_is_grease(group))
			out[n++] = group;
	}
	return n;
}
