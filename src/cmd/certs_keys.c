#include "cmd/certs_keys.h"

#include "base/escape.h"
#include "base/suggest.h"
#include "cmd/certs_value.h"

#define SERIAL_SIZE 8

typedef int (*read_value)(struct certs_reader *r, const struct config_node *n);

int certs_no_memory(const struct certs_reader *r)
{
	return FAIL(r->e, NOMEM, "%s: out of memory", r->m->name);
}

/* A word of a table, at the node. */
struct word {
	const char *name;
	unsigned value; /* or the place of the OID */
};

static int find_word(const struct certs_reader *r, const struct config_node *n,
		     const struct word *words, const char *key, unsigned *out)
{
	struct suggest s = suggest_init(n->text);
	char shown[CONFIG_FOUND_MAX], near[SUGGEST_MAX];

	for (; n->kind == CONFIG_NODE_TEXT && words->name; words++) {
		if (bytes_equal(n->text, bytes_str(words->name))) {
			*out = words->value;
			return 0;
		}
		suggest_offer(&s, words->name);
	}
	return CONFIG_FAIL(&n->at, r->e, "%s contains invalid value: %s%s", key,
			   config_node_text(n, shown), suggest_text(&s, "", near));
}

static int expect_list(const struct certs_reader *r, const struct config_node *n, const char *key)
{
	char found[CONFIG_FOUND_MAX];

	if (n->kind == CONFIG_NODE_LIST)
		return 0;
	return CONFIG_FAIL(&n->at, r->e, "%s: expected a list; found %s", key,
			   config_node_text(n, found));
}

static int read_text(struct certs_reader *r, const struct config_node *n, const char **out)
{
	return certs_value_text(n, out, r->e);
}

static int read_subject(struct certs_reader *r, const struct config_node *n)
{
	return read_text(r, n, &r->entry->subject);
}

static int read_issuer(struct certs_reader *r, const struct config_node *n)
{
	return read_text(r, n, &r->entry->issuer_subject);
}

/* A path within the folder. */
static bool is_contained(struct bytes path)
{
	while (path.n) {
		struct bytes step = bytes_slice(path, 0, bytes_index(path, '/'));

		if (step.n == 0 || bytes_equal(step, bytes_str(".")) ||
		    bytes_equal(step, bytes_str("..")))
			return false;
		if (step.n < path.n && step.n + 1 == path.n)
			return false;
		path = bytes_slice(path, step.n + 1, path.n);
	}
	return true;
}

int certs_filename_set(struct certs_reader *r, const struct config_at *at, const char *name)
{
	char shown[80];

	if (!is_contained(bytes_str(name)))
		return CONFIG_FAIL(at, r->e,
				   "a file \"%s\" would leave the folder; expected a name without "
				   "\"..\", and without / at its begin or end (set filename)",
				   escape_to(shown, sizeof(shown), bytes_str(name)));
	r->entry->filename = name;
	return 0;
}

static int read_filename(struct certs_reader *r, const struct config_node *n)
{
	const char *name;

	if (read_text(r, n, &name) < 0)
		return -1;
	return certs_filename_set(r, &n->at, name);
}

static int read_names(struct certs_reader *r, const struct config_node *n, const char *key,
		      bool tree, struct ca_names *out)
{
	struct san *list;
	size_t i = 0;

	if (expect_list(r, n, key) < 0)
		return -1;
	list = arena_new(&r->m->arena, n->count + 1, sizeof(*list));
	if (!list)
		return certs_no_memory(r);
	for (const struct config_node *c = n->first; c; c = c->next)
		if (certs_value_name(&r->m->arena, c, tree, &list[i++], r->e) < 0)
			return -1;
	*out = (struct ca_names){ list, i };
	return 0;
}

static int read_sans(struct certs_reader *r, const struct config_node *n)
{
	if (expect_list(r, n, "sans") < 0)
		return -1;
	return read_names(r, n, "sans", false, &r->entry->profile.names);
}

static int read_key_type(struct certs_reader *r, const struct config_node *n)
{
	static const struct word types[] = { { "EC", KEY_TYPE_EC },
					     { "RSA", KEY_TYPE_RSA },
					     { "ED25519", KEY_TYPE_ED25519 },
					     { 0 } };
	unsigned type = 0;

	if (find_word(r, n, types, "key_type", &type) < 0)
		return -1;
	r->entry->key_type = (enum key_type)type;
	return 0;
}

static int read_key_size(struct certs_reader *r, const struct config_node *n)
{
	uint64_t bits;

	if (certs_value_number(n, &bits, r->e) < 0)
		return -1;
	if (bits > 16384)
		return CONFIG_FAIL(&n->at, r->e,
				   "key_size: expected EC 256, 384 or 521, RSA 1024 to 16384, "
				   "ED25519 256; found %llu",
				   (unsigned long long)bits);
	r->entry->key_bits = (unsigned)bits;
	return 0;
}

static int read_expires(struct certs_reader *r, const struct config_node *n)
{
	if (certs_value_duration(n, &r->entry->expires_s, r->e) < 0)
		return -1;
	if (r->entry->expires_s == 0)
		return CONFIG_FAIL(&n->at, r->e, "expires: expected at least a second");
	return 0;
}

static int read_backdate(struct certs_reader *r, const struct config_node *n)
{
	return certs_value_duration(n, &r->entry->backdate_s, r->e);
}

static int read_not_before(struct certs_reader *r, const struct config_node *n)
{
	return certs_value_time(n, &r->entry->profile.not_before, r->e);
}

static int read_not_after(struct certs_reader *r, const struct config_node *n)
{
	return certs_value_time(n, &r->entry->profile.not_after, r->e);
}

static int read_key_usages(struct certs_reader *r, const struct config_node *n)
{
	static const struct word usages[] = { { "DigitalSignature", USAGE_DIGITAL_SIGNATURE },
					      { "ContentCommitment", USAGE_NON_REPUDIATION },
					      { "KeyEncipherment", USAGE_KEY_ENCIPHERMENT },
					      { "DataEncipherment", USAGE_DATA_ENCIPHERMENT },
					      { "KeyAgreement", USAGE_KEY_AGREEMENT },
					      { "CertSign", USAGE_KEY_CERT_SIGN },
					      { "CRLSign", USAGE_CRL_SIGN },
					      { "EncipherOnly", USAGE_ENCIPHER_ONLY },
					      { "DecipherOnly", USAGE_DECIPHER_ONLY },
					      { 0 } };
	uint16_t bits = 0;

	if (expect_list(r, n, "key_usages") < 0)
		return -1;
	for (const struct config_node *c = n->first; c; c = c->next) {
		unsigned bit = 0;

		if (find_word(r, c, usages, "key_usages", &bit) < 0)
			return -1;
		bits = (uint16_t)(bits | 1u << bit);
	}
	r->entry->profile.key_usage = bits;
	r->entry->says_usages = bits != 0;
	return 0;
}

#define PKIX "\x2b\x06\x01\x05\x05\x07\x03"
#define MICROSOFT "\x2b\x06\x01\x04\x01\x82\x37"
static const struct {
	const char *name, *oid;
} purposes[] = {
	{ "Any", "\x55\x1d\x25" },
	{ "ServerAuth", PKIX "\x01" },
	{ "ClientAuth", PKIX "\x02" },
	{ "CodeSigning", PKIX "\x03" },
	{ "EmailProtection", PKIX "\x04" },
	{ "IPSECEndSystem", PKIX "\x05" },
	{ "IPSECTunnel", PKIX "\x06" },
	{ "IPSECUser", PKIX "\x07" },
	{ "TimeStamping", PKIX "\x08" },
	{ "OCSPSigning", PKIX "\x09" },
	{ "MicrosoftServerGatedCrypto", MICROSOFT "\x0a\x03\x03" },
	{ "NetscapeServerGatedCrypto", "\x60\x86\x48\x01\x86\xf8\x42\x04\x01" },
	{ "MicrosoftCommercialCodeSigning", MICROSOFT "\x02\x01\x16" },
	{ "MicrosoftKernelCodeSigning", MICROSOFT "\x3d\x01\x01" },
};

/* anyExtendedKeyUsage is 2.5.29.37.0: it ends with a NUL. */
static struct bytes purpose_oid(size_t i)
{
	return bytes_of(purposes[i].oid, strlen(purposes[i].oid) + (i == 0));
}

static int read_ext_key_usages(struct certs_reader *r, const struct config_node *n)
{
	struct word words[ARRAY_LEN(purposes) + 1] = { 0 };
	struct bytes *list;
	size_t count = 0;

	if (expect_list(r, n, "ext_key_usages") < 0)
		return -1;
	list = arena_new(&r->m->arena, n->count + 1, sizeof(*list));
	if (!list)
		return certs_no_memory(r);
	for (size_t i = 0; i < ARRAY_LEN(purposes); i++)
		words[i] = (struct word){ purposes[i].name, (unsigned)i };
	for (const struct config_node *c = n->first; c; c = c->next) {
		unsigned i = 0;

		if (find_word(r, c, words, "ext_key_usages", &i) < 0)
			return -1;
		list[count++] = purpose_oid(i);
	}
	r->entry->profile.ext_key_usage = (struct ca_texts){ list, count };
	return 0;
}

static int read_ca(struct certs_reader *r, const struct config_node *n)
{
	r->entry->says_ca = true;
	return certs_value_bool(n, &r->entry->profile.is_ca, r->e);
}

static int read_serial(struct certs_reader *r, const struct config_node *n)
{
	uint8_t big[SERIAL_SIZE];
	uint64_t v;
	void *copy;

	if (certs_value_number(n, &v, r->e) < 0)
		return -1;
	for (size_t i = 0; i < SERIAL_SIZE; i++)
		big[i] = (uint8_t)(v >> (56 - 8 * i));
	copy = arena_dup(&r->m->arena, bytes_of(big, sizeof(big)));
	if (!copy)
		return certs_no_memory(r);
	r->entry->profile.serial = bytes_of(copy, sizeof(big));
	return 0;
}

static int read_revoked(struct certs_reader *r, const struct config_node *n)
{
	return certs_value_bool(n, &r->entry->revoked, r->e);
}

static int read_urls(struct certs_reader *r, const struct config_node *n, const char *key,
		     struct ca_texts *out)
{
	struct bytes *list;
	const char *text;
	size_t count = 0;

	if (expect_list(r, n, key) < 0)
		return -1;
	list = arena_new(&r->m->arena, n->count + 1, sizeof(*list));
	if (!list)
		return certs_no_memory(r);
	for (const struct config_node *c = n->first; c; c = c->next) {
		if (certs_value_text(c, &text, r->e) < 0)
			return -1;
		list[count++] = c->text;
	}
	*out = (struct ca_texts){ list, count };
	return 0;
}

static int read_crl_urls(struct certs_reader *r, const struct config_node *n)
{
	return read_urls(r, n, "crl_distribution_points", &r->entry->profile.crl_urls);
}

static int read_ocsp(struct certs_reader *r, const struct config_node *n)
{
	return read_urls(r, n, "ocsp", &r->entry->profile.ocsp_urls);
}

static int read_profile(struct certs_reader *r, const struct config_node *n)
{
	enum { SERVER, CLIENT, PEER, CA };
	static const struct word words[] = {
		{ "server", SERVER }, { "client", CLIENT }, { "peer", PEER }, { "ca", CA }, { 0 }
	};
	struct bytes *list = arena_new(&r->m->arena, 2, sizeof(*list));
	unsigned which = 0;
	size_t count = 0;

	if (!list)
		return certs_no_memory(r);
	if (find_word(r, n, words, "profile", &which) < 0)
		return -1;
	if (which == SERVER || which == PEER)
		list[count++] = purpose_oid(1);
	if (which == CLIENT || which == PEER)
		list[count++] = purpose_oid(2);
	r->entry->profile.ext_key_usage = (struct ca_texts){ list, count };
	r->entry->profile.is_ca = which == CA;
	r->entry->says_ca = true;
	return 0;
}

static int read_path_length(struct certs_reader *r, const struct config_node *n)
{
	uint64_t v;

	if (certs_value_number(n, &v, r->e) < 0)
		return -1;
	if (v > 100)
		return CONFIG_FAIL(&n->at, r->e,
				   "path_length: expected how many CAs may follow, 0 to 100");
	r->entry->profile.path_length = (int)v;
	return 0;
}

static int read_name_constraints(struct certs_reader *r, const struct config_node *n)
{
	char found[CONFIG_FOUND_MAX];

	if (n->kind == CONFIG_NODE_LIST)
		return read_names(r, n, "name_constraints", true, &r->entry->profile.permitted);
	if (n->kind != CONFIG_NODE_MAP)
		return CONFIG_FAIL(&n->at, r->e,
				   "name_constraints: expected permitted: and excluded: with lists "
				   "of names; found %s",
				   config_node_text(n, found));
	for (const struct config_node *c = n->first; c; c = c->next) {
		bool permitted = bytes_equal(c->key->text, bytes_str("permitted"));

		if (!permitted && !bytes_equal(c->key->text, bytes_str("excluded")))
			return CONFIG_FAIL(&c->key->at, r->e,
					   "name_constraints: unknown key; expected permitted or "
					   "excluded");
		if (read_names(r, c, "name_constraints", true,
			       permitted ? &r->entry->profile.permitted
					 : &r->entry->profile.excluded) < 0)
			return -1;
	}
	return 0;
}

static int read_must_staple(struct certs_reader *r, const struct config_node *n)
{
	return certs_value_bool(n, &r->entry->profile.must_staple, r->e);
}

static const struct {
	struct word word;
	const char *suffix;
} outputs[] = {
	{ { "pkcs12", CERTS_PKCS12 }, ".p12" },
	{ { "truststore", CERTS_TRUSTSTORE }, "-trust.p12" },
	{ { "combined", CERTS_COMBINED }, "-combined.pem" },
	{ { "kubernetes", CERTS_KUBERNETES }, "-secret.yaml" },
	{ { "hashed", CERTS_HASHED }, "-hashed" },
};

const char *certs_output_suffix(enum certs_output o)
{
	size_t i = 0;

	while (outputs[i].word.value != (unsigned)o)
		i++;
	return outputs[i].suffix;
}

static int read_outputs(struct certs_reader *r, const struct config_node *n)
{
	struct word words[ARRAY_LEN(outputs) + 1] = { 0 };
	unsigned all = 0, one = 0;

	for (size_t i = 0; i < ARRAY_LEN(outputs); i++)
		words[i] = outputs[i].word;
	if (expect_list(r, n, "outputs") < 0)
		return -1;
	for (const struct config_node *c = n->first; c; c = c->next, all |= one)
		if (find_word(r, c, words, "outputs", &one) < 0)
			return -1;
	r->entry->outputs = all;
	return 0;
}

static int read_csr(struct certs_reader *r, const struct config_node *n)
{
	return read_text(r, n, &r->entry->csr);
}

static int read_key_passphrase(struct certs_reader *r, const struct config_node *n)
{
	return read_text(r, n, &r->entry->key_passphrase);
}

static int read_pkcs12_password(struct certs_reader *r, const struct config_node *n)
{
	return read_text(r, n, &r->entry->pkcs12_password);
}

/* In the order in which they are read: what follows may set what went before anew. */
static const struct key {
	const char *name;
	read_value read;
	bool own; /* cannot be a default of many */
} keys[] = {
	{ "profile", read_profile, false },
	{ "subject", read_subject, true },
	{ "sans", read_sans, false },
	{ "key_type", read_key_type, false },
	{ "key_size", read_key_size, false },
	{ "expires", read_expires, false },
	{ "not_before", read_not_before, false },
	{ "not_after", read_not_after, false },
	{ "backdate", read_backdate, false },
	{ "key_usages", read_key_usages, false },
	{ "ext_key_usages", read_ext_key_usages, false },
	{ "issuer", read_issuer, false },
	{ "filename", read_filename, true },
	{ "ca", read_ca, false },
	{ "path_length", read_path_length, false },
	{ "name_constraints", read_name_constraints, false },
	{ "serial", read_serial, true },
	{ "revoked", read_revoked, true },
	{ "crl_distribution_points", read_crl_urls, false },
	{ "ocsp", read_ocsp, false },
	{ "must_staple", read_must_staple, false },
	{ "outputs", read_outputs, false },
	{ "csr", read_csr, true },
	{ "key_passphrase_file", read_key_passphrase, false },
	{ "pkcs12_password_file", read_pkcs12_password, false },
};

static bool is_key(const struct config_node *n, const char *name)
{
	return bytes_equal_nocase(n->key->text, bytes_str(name));
}

/* The value of a key, of the mapping itself or of one that is merged into it (<<). */
const struct config_node *certs_keys_find(const struct config_node *map, const char *name)
{
	const struct config_node *merged = NULL;

	for (const struct config_node *n = map ? map->first : NULL; n; n = n->next) {
		if (is_key(n, name))
			return n;
		if (is_key(n, "<<") && n->kind == CONFIG_NODE_MAP)
			merged = certs_keys_find(n, name);
	}
	return merged;
}

static int refuse_key(const struct certs_reader *r, const struct config_node *n, bool defaults)
{
	struct suggest s = suggest_init(n->key->text);
	char shown[64], near[SUGGEST_MAX];

	escape_to(shown, sizeof(shown), n->key->text);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (defaults && is_key(n, keys[i].name))
			return CONFIG_FAIL(&n->key->at, r->e,
					   "\"%s\" is of one certificate; it cannot be a default",
					   shown);
		suggest_offer(&s, keys[i].name);
	}
	return CONFIG_FAIL(&n->key->at, r->e, "unknown key \"%s\"%s", shown,
			   suggest_text(&s, "", near));
}

int certs_keys_check(const struct certs_reader *r, const struct config_node *map, bool defaults)
{
	char found[CONFIG_FOUND_MAX];

	if (map->kind != CONFIG_NODE_MAP)
		return CONFIG_FAIL(&map->at, r->e,
				   "expected the keys of a certificate, such as subject: CN=a; "
				   "found %s",
				   config_node_text(map, found));
	for (const struct config_node *n = map->first; n; n = n->next) {
		bool known = is_key(n, "<<");

		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			known |= is_key(n, keys[i].name) && !(defaults && keys[i].own);
		if (!known)
			return refuse_key(r, n, defaults);
		for (const struct config_node *other = map->first; other != n; other = other->next)
			if (bytes_equal_nocase(other->key->text, n->key->text))
				return CONFIG_FAIL(&n->key->at, r->e,
						   "%s is there twice; the first is in line %u",
						   (const char *)n->key->text.p, other->at.line);
	}
	return 0;
}

int certs_keys_read(struct certs_reader *r, const struct config_node *map)
{
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct config_node *n = certs_keys_find(map, keys[i].name);

		if (!n)
			n = certs_keys_find(r->defaults, keys[i].name);
		if (n && !config_node_is_nothing(n) && keys[i].read(r, n) < 0)
			return -1;
	}
	return 0;
}
