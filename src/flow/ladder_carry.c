#include "flow/ladder_carry.h"

#include "base/rd.h"
#include "wire/client_hello.h"
#include "wire/der.h"
#include "wire/handshake.h"
#include "wire/names.h"
#include "wire/record.h"
#include "wire/server_hello.h"

#define TLS_13 0x0304
#define LIST_SHOWN 6

static const struct {
	const char *name, *purpose;
} words[] = {
	[HANDSHAKE_HELLO_REQUEST] = { "HelloRequest", "asks the client to negotiate again" },
	[HANDSHAKE_CLIENT_HELLO] = { "ClientHello",
				     "whom the client wants to talk to, all that it can "
				     "do, and its half of the key exchange" },
	[HANDSHAKE_SERVER_HELLO] = { "ServerHello",
				     "what the server chose, and its half of the key "
				     "exchange" },
	[HANDSHAKE_HELLO_VERIFY_REQUEST] = { "HelloVerifyRequest",
					     "asks for the hello once more, to "
					     "see that the address is right" },
	[HANDSHAKE_NEW_SESSION_TICKET] = { "NewSessionTicket",
					   "with it the next connection can resume "
					   "this session" },
	[HANDSHAKE_END_OF_EARLY_DATA] = { "EndOfEarlyData",
					  "what follows is protected by the keys of "
					  "this handshake" },
	[HANDSHAKE_ENCRYPTED_EXTENSIONS] = { "EncryptedExtensions",
					     "what the server agrees to that "
					     "nobody else needs to know" },
	[HANDSHAKE_CERTIFICATE] = { "Certificate", "who the sender says it is: its certificate and "
						   "those above it" },
	[HANDSHAKE_SERVER_KEY_EXCHANGE] = { "ServerKeyExchange",
					    "the server's half of the key exchange, "
					    "signed" },
	[HANDSHAKE_CERTIFICATE_REQUEST] = { "CertificateRequest",
					    "asks the client for a certificate" },
	[HANDSHAKE_SERVER_HELLO_DONE] = { "ServerHelloDone", "it is the client's turn" },
	[HANDSHAKE_CERTIFICATE_VERIFY] = { "CertificateVerify",
					   "proves that the sender has the key of "
					   "its certificate, by signing all "
					   "messages so far" },
	[HANDSHAKE_CLIENT_KEY_EXCHANGE] = { "ClientKeyExchange",
					    "the client's half of the key exchange: "
					    "both have the keys now" },
	[HANDSHAKE_FINISHED] = { "Finished",
				 "proves that both saw the same messages: the first under "
				 "the new keys" },
	[HANDSHAKE_CERTIFICATE_URL] = { "CertificateURL", "where the client's certificate is" },
	[HANDSHAKE_CERTIFICATE_STATUS] = { "CertificateStatus",
					   "an answer of OCSP: the certificate was "
					   "not revoked" },
	[HANDSHAKE_SUPPLEMENTAL_DATA] = { "SupplementalData", "" },
	[HANDSHAKE_KEY_UPDATE] = { "KeyUpdate", "what the sender sends from here on has new keys" },
	[HANDSHAKE_COMPRESSED_CERTIFICATE] = { "CompressedCertificate",
					       "its certificate and those above "
					       "it, compressed" },
	[HANDSHAKE_NEXT_PROTOCOL] = { "NextProtocol", "the protocol that the client chose" },
};

static bool is_ccs(const struct ev_handshake_message *m)
{
	return m->content == RECORD_CHANGE_CIPHER_SPEC;
}

static bool is_retry(const struct ev_handshake_message *m)
{
	struct server_hello h;

	return !is_ccs(m) && m->type == HANDSHAKE_SERVER_HELLO &&
	       server_hello_parse(m->raw, &h, NULL, NULL) == 0 && h.retry;
}

const char *ladder_name(const struct ev_handshake_message *m)
{
	if (is_ccs(m))
		return "ChangeCipherSpec";
	if (is_retry(m))
		return "HelloRetryRequest";
	if (m->type < ARRAY_LEN(words) && words[m->type].name)
		return words[m->type].name;
	return "unknown message";
}

const char *ladder_purpose(const struct ev_handshake_message *m, const struct ladder_known *k)
{
	if (is_ccs(m))
		return k->version == TLS_13
			       ? "means nothing in TLS 1.3; for middleboxes that expect it"
			       : "what the sender sends from here on is encrypted";
	if (is_retry(m))
		return "asks for the hello once more, with a key share that the server can use";
	if (m->type < ARRAY_LEN(words) && words[m->type].purpose)
		return words[m->type].purpose;
	return "";
}

/* What separates the parts of a sentence. */
static void next(struct put *w, bool *begun)
{
	if (*begun)
		put_str(w, ", ");
	*begun = true;
}

static void say(struct put *w, bool *begun, const char *what, bool is)
{
	if (!is)
		return;
	next(w, begun);
	put_str(w, what);
}

static void put_code(struct put *w, const char *name, uint16_t code)
{
	char room[NAMES_CODE_MAX];

	put_str(w, names_or_code(name, code, room));
}

static void put_version(struct put *w, uint16_t version)
{
	const char *name = version_name(version);

	if (name && strncmp(name, "TLS ", 4) == 0)
		put_str(w, name + 4);
	else
		put_code(w, name, version);
}

static void put_group(struct put *w, uint16_t code)
{
	put_code(w, group_name(code), code);
}

/* Codes that are not GREASE, the first few of them. */
static void put_codes(struct put *w, struct bytes list, void (*one)(struct put *w, uint16_t code))
{
	size_t shown = 0;

	for (size_t i = 0; i < codes_count(list); i++) {
		uint16_t code = codes_get(list, i);

		if (code_is_grease(code))
			continue;
		if (shown++ == LIST_SHOWN) {
			put_str(w, " …");
			return;
		}
		put_char(w, ' ');
		one(w, code);
	}
}

static void put_shares(struct put *w, bool *begun, const struct client_hello *h)
{
	uint16_t groups[LIST_SHOWN];
	size_t n = client_hello_share_groups(h, groups, LIST_SHOWN);

	if (!h->has_key_share)
		return;
	next(w, begun);
	put_str(w, n ? "key share" : "no key share");
	for (size_t i = 0; i < n; i++) {
		put_char(w, ' ');
		put_group(w, groups[i]);
	}
}

static void put_offered(struct put *w, bool *begun, const struct client_hello *h)
{
	next(w, begun);
	put_str(w, "versions");
	if (h->supported_versions.n) {
		put_codes(w, h->supported_versions, put_version);
	} else {
		put_str(w, " up to ");
		put_version(w, h->max_version);
	}
	next(w, begun);
	put_u64(w, codes_count(h->cipher_suites));
	put_str(w, " ciphers");
	if (h->supported_groups.n) {
		next(w, begun);
		put_str(w, "groups");
		put_codes(w, h->supported_groups, put_group);
	}
}

static void client_hello(struct put *w, struct bytes raw)
{
	struct client_hello h;
	struct bytes list, name;
	bool begun = false;

	if (client_hello_parse(raw, &h, NULL, NULL) < 0)
		return;
	next(w, &begun);
	put_str(w, h.server_name.n ? "sni " : "no sni");
	put_bytes(w, h.server_name);
	put_offered(w, &begun, &h);
	put_shares(w, &begun, &h);
	list = h.alpn;
	if (list.n) {
		next(w, &begun);
		put_str(w, "alpn");
	}
	while (alpn_next(&list, &name)) {
		put_char(w, ' ');
		put_bytes(w, name);
	}
	say(w, &begun, "a session to resume (pre_shared_key)", h.has_psk);
	say(w, &begun, "a session to resume (ticket)", h.session_ticket.n > 0);
	say(w, &begun, "early data follows", h.has_early_data);
	say(w, &begun, "encrypted hello (ECH or GREASE)", h.has_ech);
	say(w, &begun, "answers a retry", h.cookie.n > 0);
}

static void server_hello(struct put *w, struct bytes raw, struct ladder_known *k)
{
	struct server_hello h;
	bool begun = false;

	if (server_hello_parse(raw, &h, NULL, NULL) < 0)
		return;
	k->version = h.version;
	k->cipher = h.cipher;
	next(w, &begun);
	put_str(w, "version ");
	put_version(w, h.version);
	next(w, &begun);
	put_code(w, cipher_name(h.cipher), h.cipher);
	if (h.group) {
		next(w, &begun);
		put_str(w, h.retry ? "wants a key share of " : "key share ");
		put_group(w, h.group);
	}
	if (h.alpn.n) {
		next(w, &begun);
		put_str(w, "alpn ");
		put_bytes(w, h.alpn);
	}
	say(w, &begun, "the session is resumed (pre_shared_key)", h.has_psk);
	say(w, &begun, "extended master secret", h.has_extended_master_secret);
	say(w, &begun, "encrypt then MAC", h.has_encrypt_then_mac);
	say(w, &begun, "a ticket follows", h.has_session_ticket);
	say(w, &begun, "talked down from TLS 1.3", h.downgrade != 0);
}

static void encrypted_extensions(struct put *w, struct bytes raw)
{
	struct encrypted_extensions x;
	bool begun = false;

	if (encrypted_extensions_parse(raw, &x, NULL, NULL) < 0)
		return;
	if (x.alpn.n) {
		next(w, &begun);
		put_str(w, "alpn ");
		put_bytes(w, x.alpn);
	}
	say(w, &begun, "early data accepted", x.has_early_data);
	say(w, &begun, "server name used", x.has_server_name);
}

/* The common name in a subject (RFC 5280, 4.1.2.6); empty when there is none. */
static struct bytes common_name(struct rd names)
{
	static const uint8_t oid[] = { 0x55, 0x04, 0x03 };
	struct bytes found = { 0 };

	while (names.n) {
		struct rd set = der_open(&names, DER_SET);

		while (set.n) {
			struct rd pair = der_open(&set, DER_SEQUENCE);
			struct bytes type = der_oid(&pair);
			struct der value = der_next(&pair);

			if (bytes_equal(type, bytes_of(oid, sizeof(oid))))
				found = value.value;
		}
	}
	return found;
}

static struct bytes subject_of(struct bytes certificate)
{
	bool bad = false;
	struct rd r = rd_init(certificate, &bad);
	struct rd outer = der_open(&r, DER_SEQUENCE);
	struct rd tbs = der_open(&outer, DER_SEQUENCE);
	struct rd subject;
	struct bytes name;

	if (der_peek(&tbs) == DER_CONTEXT_OPEN(0))
		(void)der_next(&tbs);
	(void)der_integer(&tbs);
	/* signature, issuer, validity */
	for (int i = 0; i < 3; i++)
		(void)der_open(&tbs, DER_SEQUENCE);
	subject = der_open(&tbs, DER_SEQUENCE);
	name = common_name(subject);
	if (bad)
		name = (struct bytes){ 0 };
	return name;
}

static void certificate(struct put *w, struct bytes body, bool is_13)
{
	bool bad = false;
	struct rd r = rd_init(body, &bad), list;
	struct bytes leaf = { 0 }, name;
	size_t count = 0, bytes = 0;

	if (is_13)
		(void)rd_vec8(&r);
	list = rd_vec24(&r);
	while (list.n) {
		struct rd one = rd_vec24(&list);

		if (is_13)
			(void)rd_vec16(&list);
		if (count++ == 0)
			leaf = rd_rest(&one);
		bytes += one.n;
	}
	if (bad)
		return;
	put_u64(w, count);
	put_str(w, count == 1 ? " certificate, " : " certificates, ");
	put_u64(w, bytes);
	put_str(w, " bytes");
	name = subject_of(leaf);
	if (name.n) {
		put_str(w, ", for ");
		put_bytes(w, name);
	}
}

static void put_sigalg(struct put *w, uint16_t code)
{
	put_str(w, "signed with ");
	put_code(w, sigalg_name(code), code);
}

static bool cipher_has(const struct ladder_known *k, const char *part)
{
	const char *name = cipher_name(k->cipher);

	return name && strstr(name, part);
}

/* RFC 8422, 5.4; RFC 5246, 7.4.3. */
static void server_key_exchange(struct put *w, struct bytes body, const struct ladder_known *k)
{
	bool bad = false;
	struct rd r = rd_init(body, &bad);
	uint16_t group = 0;
	size_t bits = 0;

	if (cipher_has(k, "_ECDHE_")) {
		(void)rd_u8(&r);
		group = rd_u16(&r);
		(void)rd_vec8(&r);
	} else if (cipher_has(k, "_DHE_")) {
		bits = rd_vec16(&r).n * 8;
		(void)rd_vec16(&r);
		(void)rd_vec16(&r);
	} else {
		return;
	}
	if (bad)
		return;
	if (group) {
		put_group(w, group);
	} else {
		put_str(w, "a group of ");
		put_u64(w, bits);
		put_str(w, " bits");
	}
	if (k->version == 0x0303 && r.n > 2) {
		put_str(w, ", ");
		put_sigalg(w, rd_u16(&r));
	}
}

static void new_session_ticket(struct put *w, struct bytes body, bool is_13)
{
	bool bad = false;
	struct rd r = rd_init(body, &bad), ticket;
	uint32_t lifetime = rd_u32(&r);

	if (is_13) {
		(void)rd_u32(&r);
		(void)rd_vec8(&r);
	}
	ticket = rd_vec16(&r);
	if (bad)
		return;
	put_str(w, "ticket of ");
	put_u64(w, ticket.n);
	put_str(w, " bytes, good for ");
	put_u64(w, lifetime);
	put_str(w, " s");
}

static void put_length(struct put *w, struct bytes body)
{
	put_u64(w, body.n);
	put_str(w, body.n == 1 ? " byte" : " bytes");
}

void ladder_carries(struct put *w, const struct ev_handshake_message *m, struct ladder_known *k)
{
	struct bytes body = bytes_slice(m->raw, HANDSHAKE_HEADER_SIZE, m->raw.n);
	bool bad = false;
	struct rd r = rd_init(body, &bad);

	if (is_ccs(m) || m->bad)
		return;
	switch (m->type) {
	case HANDSHAKE_CLIENT_HELLO:
		client_hello(w, m->raw);
		break;
	case HANDSHAKE_SERVER_HELLO:
		server_hello(w, m->raw, k);
		break;
	case HANDSHAKE_ENCRYPTED_EXTENSIONS:
		encrypted_extensions(w, m->raw);
		break;
	case HANDSHAKE_CERTIFICATE:
		certificate(w, body, k->version == TLS_13);
		break;
	case HANDSHAKE_SERVER_KEY_EXCHANGE:
		server_key_exchange(w, body, k);
		break;
	case HANDSHAKE_CERTIFICATE_VERIFY:
		if (body.n > 2 && k->version >= 0x0303)
			put_sigalg(w, rd_u16(&r));
		break;
	case HANDSHAKE_NEW_SESSION_TICKET:
		new_session_ticket(w, body, k->version == TLS_13);
		break;
	case HANDSHAKE_KEY_UPDATE:
		if (rd_u8(&r) == 1)
			put_str(w, "asks the other side for the same");
		break;
	case HANDSHAKE_CLIENT_KEY_EXCHANGE:
	case HANDSHAKE_CERTIFICATE_STATUS:
	case HANDSHAKE_COMPRESSED_CERTIFICATE:
		put_length(w, body);
		break;
	default:
		break;
	}
}
