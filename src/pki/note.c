#include "pki/note.h"

#include <stdarg.h>
#include <stdio.h>

#include "pki/extension_text.h"
#include "wire/der.h"

#define DAY_S ((int64_t)86400)
#define SERIAL_SHORT 8
#define SERIAL_LONG 20

static const struct {
	const char *oid, *name;
	bool weak;
} signatures[] = {
	{ "1.2.840.113549.1.1.2", "MD2 with RSA", true },
	{ "1.2.840.113549.1.1.3", "MD4 with RSA", true },
	{ "1.2.840.113549.1.1.4", "MD5 with RSA", true },
	{ "1.2.840.113549.1.1.5", "SHA-1 with RSA", true },
	{ "1.3.14.3.2.29", "SHA-1 with RSA", true },
	{ "1.2.840.10040.4.3", "SHA-1 with DSA", true },
	{ "1.2.840.10045.4.1", "SHA-1 with ECDSA", true },
	{ "1.2.840.113549.1.1.10", "RSA-PSS", false },
	{ "1.2.840.113549.1.1.11", "SHA-256 with RSA", false },
	{ "1.2.840.113549.1.1.12", "SHA-384 with RSA", false },
	{ "1.2.840.113549.1.1.13", "SHA-512 with RSA", false },
	{ "1.2.840.113549.1.1.14", "SHA-224 with RSA", false },
	{ "2.16.840.1.101.3.4.3.2", "SHA-256 with DSA", false },
	{ "1.2.840.10045.4.3.1", "SHA-224 with ECDSA", false },
	{ "1.2.840.10045.4.3.2", "SHA-256 with ECDSA", false },
	{ "1.2.840.10045.4.3.3", "SHA-384 with ECDSA", false },
	{ "1.2.840.10045.4.3.4", "SHA-512 with ECDSA", false },
	{ "1.3.101.112", "Ed25519", false },
	{ "1.3.101.113", "Ed448", false },
};

static size_t signature_of(struct bytes oid, char room[64])
{
	size_t i = 0;

	oid_text(oid, room, 64);
	while (i < ARRAY_LEN(signatures) && strcmp(signatures[i].oid, room) != 0)
		i++;
	return i;
}

const char *signature_text(struct bytes oid, char room[64])
{
	size_t i = signature_of(oid, room);

	return i < ARRAY_LEN(signatures) ? signatures[i].name : room;
}

const char *note_level_text(enum note_level l)
{
	return l == NOTE_ERROR ? "error" : l == NOTE_WARNING ? "warning" : "hint";
}

void note_add(struct notes *out, enum note_level level, const char *word, const char *remedy,
	      const char *sentence)
{
	struct note *n = &out->list[out->count];

	if (out->count == NOTES_MAX)
		return;
	*n = (struct note){ .level = level, .word = word, .remedy = remedy };
	snprintf(n->sentence, sizeof(n->sentence), "%s", sentence);
	out->count++;
}

void notes_sort(struct notes *n)
{
	for (size_t i = 1; i < n->count; i++) {
		for (size_t k = i; k > 0 && n->list[k].level < n->list[k - 1].level; k--) {
			struct note moved = n->list[k];

			n->list[k] = n->list[k - 1];
			n->list[k - 1] = moved;
		}
	}
}

/* What the rules look at. */
struct look {
	const struct cert *c;
	bool leaf;   /* no issuer of others */
	bool server; /* may be for TLS servers */
	int64_t now;
	struct notes *out;
};

static void tell(const struct look *l, enum note_level level, const char *word, const char *remedy,
		 const char *fmt, ...) PRINTF_LIKE(5, 6);

static void tell(const struct look *l, enum note_level level, const char *word, const char *remedy,
		 const char *fmt, ...)
{
	char sentence[sizeof(((struct note *)NULL)->sentence)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(sentence, sizeof(sentence), fmt, ap);
	va_end(ap);
	note_add(l->out, level, word, remedy, sentence);
}

static bool has_eku(const struct cert *c, const char *name)
{
	struct bytes rest = c->eku, oid;
	char room[64];

	while (eku_next(&rest, &oid)) {
		if (strcmp(eku_title(oid, room), name) == 0)
			return true;
	}
	return false;
}

static bool may(const struct cert *c, enum key_usage u)
{
	return !(c->has & CERT_HAS_KEY_USAGE) || c->key_usage & 1u << u;
}

/* ---- the rules */

static void dates(const struct look *l)
{
	int64_t left = l->c->not_after - l->now, whole = l->c->not_after - l->c->not_before;
	char date[16];

	if (l->c->not_after < l->c->not_before)
		tell(l, NOTE_ERROR, "dates", "issue it again", "it ends before it begins");
	else if (left <= 0)
		tell(l, NOTE_ERROR, "expired", "renew it", "it expired on %s, %lld days ago",
		     date_text(l->c->not_after, date), (long long)(-left / DAY_S));
	else if (l->now < l->c->not_before)
		tell(l, NOTE_ERROR, "not-yet-valid", "check the clocks, or wait",
		     "it is not valid before %s", date_text(l->c->not_before, date));
	else if (left < 30 * DAY_S && left < whole / 3)
		tell(l, NOTE_WARNING, "expires-soon", "renew it now",
		     "it expires on %s, in %lld %s", date_text(l->c->not_after, date),
		     (long long)(left >= 2 * DAY_S ? left / DAY_S : left / 3600),
		     left >= 2 * DAY_S ? "days" : "hours");
}

/* CA/Browser Forum, Baseline Requirements, 6.3.2; Apple's limit is for every issuer. */
static void length(const struct look *l)
{
	static const struct {
		int64_t until, days;
	} limits[] = {
		{ 1598918400, 825 }, /* 2020-09-01 */
		{ 1773532800, 398 }, /* 2026-03-15 */
		{ 1805068800, 200 }, /* 2027-03-15 */
		{ 1868227200, 100 }, /* 2029-03-15 */
		{ INT64_MAX, 47 },
	};
	int64_t days = (l->c->not_after - l->c->not_before) / DAY_S;
	size_t i = 0;

	if (!l->leaf || !l->server)
		return;
	while (l->c->not_before >= limits[i].until)
		i++;
	if (days > 825)
		tell(l, NOTE_WARNING, "too-long", "issue it for 90 days, and renew it by machine",
		     "it is valid for %lld days: Apple's systems take at most 825 from any CA",
		     (long long)days);
	else if (days > limits[i].days)
		tell(l, NOTE_HINT, "long", "issue it for less, and renew it by machine",
		     "it is valid for %lld days: from a public CA browsers take at most %lld",
		     (long long)days, (long long)limits[i].days);
}

static void strength(const struct look *l)
{
	const struct cert_key *k = &l->c->key;
	bool weak = (k->type == KEY_TYPE_RSA || k->type == KEY_TYPE_RSA_PSS) ? k->bits < 2048
		    : k->type == KEY_TYPE_EC				     ? k->bits < 224
									     : false;
	char text[80], room[64];
	size_t sig = signature_of(l->c->signature_oid, room);

	cert_key_text(k, text, sizeof(text));
	if (weak)
		tell(l, NOTE_ERROR, "weak-key", "make a new key: EC P-256, or RSA of 2048 bits",
		     "its key, %s, is too weak: libraries refuse it", text);
	if (k->type == KEY_TYPE_DSA || k->type == KEY_TYPE_UNKNOWN)
		tell(l, NOTE_WARNING, "odd-key", "make a new key: EC P-256, or RSA of 2048 bits",
		     "its key, %s, is of a kind that TLS does not use any more", text);
	/* Nobody looks at the signature of a root. */
	if (sig < ARRAY_LEN(signatures) && signatures[sig].weak && !cert_is_self_issued(l->c))
		tell(l, NOTE_ERROR, "weak-signature", "issue it again, signed with SHA-256",
		     "it is signed by %s, which libraries refuse", signatures[sig].name);
}

/* Does a name of the certificate cover this host name, wildcards included? */
static bool covers(const struct cert *c, struct bytes host)
{
	struct bytes rest = c->san, star = bytes_str("*.");
	struct san s;

	while (san_next(&rest, &s)) {
		struct bytes below = bytes_slice(host, bytes_index(host, '.'), host.n);

		if (s.kind == SAN_DNS && bytes_equal_nocase(s.value, host))
			return true;
		if (s.kind == SAN_DNS && bytes_starts(s.value, star) && below.n &&
		    bytes_equal_nocase(bytes_slice(s.value, 1, s.value.n), below))
			return true;
	}
	return false;
}

static bool is_host_like(const char *text)
{
	return strchr(text, '.') && !strpbrk(text, " @/\\=,:\"") && !strstr(text, "...");
}

static void names(const struct look *l)
{
	char cn[200];
	struct bytes rest = l->c->san;
	struct san s;

	if (!l->leaf)
		return;
	name_short_text(l->c->subject, cn, sizeof(cn));
	if (l->c->san.n == 0 && l->server)
		tell(l, NOTE_ERROR, "no-san", "issue it with its names as subjectAltName",
		     "it has no subject alternative name: browsers and libraries do not look at "
		     "the common name");
	else if (l->server && is_host_like(cn) && !covers(l->c, bytes_str(cn)))
		tell(l, NOTE_WARNING, "name-not-in-san",
		     "issue it with this name as subjectAltName",
		     "its common name %s is not among its subject alternative names, so that it is "
		     "not for that name",
		     cn);
	while (san_next(&rest, &s)) {
		if (s.kind == SAN_IP && s.value.n != 4 && s.value.n != 16)
			tell(l, NOTE_ERROR, "bad-san", "issue it again",
			     "an address among its names has %zu bytes, expected 4 or 16",
			     s.value.n);
		if (s.kind == SAN_DNS && bytes_index(s.value, 0) < s.value.n)
			tell(l, NOTE_ERROR, "bad-san", "issue it again",
			     "a name of it has a NUL in it");
	}
}

static void role(const struct look *l)
{
	const struct cert *c = l->c;
	static const uint8_t constraints[] = { 0x55, 0x1d, 0x13 };
	struct cert_extension x;

	if (l->leaf && c->is_ca)
		tell(l, NOTE_ERROR, "ca-as-leaf", "issue one without CA:TRUE for the server",
		     "it is a CA (CA:TRUE) and stands for a server: its key could sign anything");
	if (!l->leaf && !c->is_ca)
		tell(l, NOTE_ERROR, "not-a-ca", "issue with a CA's certificate",
		     "it stands where an issuer stands, but is no CA");
	if (c->is_ca && cert_extension_find(c, bytes_of(constraints, 3), &x) && !x.critical)
		tell(l, NOTE_WARNING, "not-critical", "issue it with critical basicConstraints",
		     "its basicConstraints are not critical: strict verifiers refuse it "
		     "(RFC 5280, 4.2.1.9)");
	if (c->is_ca && !may(c, USAGE_KEY_CERT_SIGN))
		tell(l, NOTE_ERROR, "no-cert-sign", "issue it with keyCertSign",
		     "it is a CA, but its key usage has no keyCertSign");
	if (!c->is_ca && c->has & CERT_HAS_KEY_USAGE && may(c, USAGE_KEY_CERT_SIGN))
		tell(l, NOTE_WARNING, "cert-sign", "issue it without keyCertSign",
		     "its key usage has keyCertSign, but it is no CA");
	if (c->is_ca && !(c->has & CERT_HAS_KEY_USAGE))
		tell(l, NOTE_WARNING, "no-key-usage", "issue it with keyCertSign and cRLSign",
		     "it is a CA without key usage: strict verifiers refuse it");
}

static void usage(const struct look *l)
{
	const struct cert *c = l->c;
	bool signs_only = c->key.type == KEY_TYPE_EC || c->key.type == KEY_TYPE_ED25519 ||
			  c->key.type == KEY_TYPE_ED448 || c->key.type == KEY_TYPE_RSA_PSS;
	char text[80];

	if (!l->leaf)
		return;
	cert_key_text(&c->key, text, sizeof(text));
	if (c->has & CERT_HAS_KEY_USAGE && !may(c, USAGE_DIGITAL_SIGNATURE) && !c->is_ca)
		tell(l, NOTE_WARNING, "no-digital-signature", "issue it with digitalSignature",
		     "its key usage has no digitalSignature, without which there is no TLS 1.3");
	if (signs_only && c->has & CERT_HAS_KEY_USAGE && may(c, USAGE_KEY_ENCIPHERMENT))
		tell(l, NOTE_HINT, "key-usage", "issue it with digitalSignature alone",
		     "its key usage has keyEncipherment, which a key of %s cannot do", text);
	if (!(c->has & CERT_HAS_EKU) && !c->is_ca)
		tell(l, NOTE_WARNING, "no-eku",
		     "issue it with extendedKeyUsage serverAuth or clientAuth",
		     "it has no extended key usage: browsers and Apple's systems want serverAuth");
	else if (!c->is_ca && !has_eku(c, "serverAuth") && !has_eku(c, "anyExtendedKeyUsage"))
		tell(l, NOTE_HINT, "not-for-servers", "",
		     "it is not for TLS servers: its extended key usage has no serverAuth");
}

static void serial(const struct look *l)
{
	struct bytes s = l->c->serial;
	bool zero = true;

	for (size_t i = 0; i < s.n; i++)
		zero &= s.p[i] == 0;
	if (zero || s.p[0] & 0x80)
		tell(l, NOTE_WARNING, "bad-serial", "issue it with a random serial number",
		     "its serial number is %s (RFC 5280, 4.1.2.2)", zero ? "zero" : "negative");
	else if (s.n > SERIAL_LONG)
		tell(l, NOTE_WARNING, "bad-serial", "issue it with one of 20 bytes at most",
		     "its serial number has %zu bytes (RFC 5280, 4.1.2.2: at most 20)", s.n);
	else if (s.n < SERIAL_SHORT && !cert_is_self_issued(l->c))
		tell(l, NOTE_HINT, "short-serial",
		     "issue with random serial numbers of 64 bits or more",
		     "its serial number has only %zu byte%s: it can be guessed", s.n,
		     s.n == 1 ? "" : "s");
}

static void identifiers(const struct look *l)
{
	const struct cert *c = l->c;

	if (c->version < 3)
		tell(l, NOTE_WARNING, "old-version", "issue it as version 3",
		     "it is of version %u, without extensions", c->version);
	else if (c->is_ca && !(c->has & CERT_HAS_SKI))
		tell(l, NOTE_HINT, "no-ski", "issue it with a subjectKeyIdentifier",
		     "it is a CA without subject key identifier: strict verifiers refuse it");
	else if (!cert_is_self_issued(c) && !(c->has & CERT_HAS_AKI))
		tell(l, NOTE_HINT, "no-aki", "issue it with an authorityKeyIdentifier",
		     "it has no authority key identifier: strict verifiers (Python 3.13) refuse "
		     "it");
}

void cert_notes(const struct cert *c, bool is_leaf, int64_t now_s, struct notes *out)
{
	static void (*const rules[])(const struct look *) = {
		dates, length, strength, names, role, usage, serial, identifiers
	};
	struct look l = { .c = c, .leaf = is_leaf, .now = now_s, .out = out };

	l.server = !(c->has & CERT_HAS_EKU) || has_eku(c, "serverAuth") ||
		   has_eku(c, "anyExtendedKeyUsage");
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		rules[i](&l);
}

/* ---- chains */

static size_t issuer_in(const struct cert *chain, size_t count, size_t of)
{
	for (size_t i = 0; i < count; i++) {
		if (i != of && bytes_equal(chain[i].subject, chain[of].issuer))
			return i;
	}
	return count;
}

/* How far up from the leaf the certificates follow each other, wherever they stand. */
static void mark_path(const struct cert *chain, size_t count, bool *on)
{
	size_t at = 0;

	while (at < count && !on[at]) {
		on[at] = true;
		at = cert_is_self_issued(&chain[at]) ? count : issuer_in(chain, count, at);
	}
}

#define CHAIN_LOOKED_AT 64

static void strays(const struct look *l, const struct cert *chain, size_t count)
{
	bool on[CHAIN_LOOKED_AT] = { false };
	char name[80];

	mark_path(chain, count, on);
	for (size_t i = 1; i < count; i++) {
		bool twice = false;

		for (size_t k = 0; k < i; k++)
			twice |= bytes_equal(chain[k].der, chain[i].der);
		name_short_text(chain[i].subject, name, sizeof(name));
		if (twice)
			tell(l, NOTE_WARNING, "sent-twice", "leave one of them out",
			     "\"%s\" is there twice", name);
		else if (!on[i])
			tell(l, NOTE_WARNING, "stray", "leave it out, if nothing needs it",
			     "\"%s\" is no issuer of the first certificate, nor of one above it",
			     name);
	}
}

void chain_notes(const struct cert *chain, size_t count, struct notes *out)
{
	struct look l = { .c = chain, .out = out };
	size_t n = count < CHAIN_LOOKED_AT ? count : CHAIN_LOOKED_AT;
	char name[80], issuer[80];

	if (n < 2)
		return;
	for (size_t i = 0; i + 1 < n; i++) {
		size_t up = issuer_in(chain, n, i);

		if (cert_is_self_issued(&chain[i]) || up == n || up == i + 1 ||
		    bytes_equal(chain[i + 1].subject, chain[i].issuer))
			continue;
		tell(&l, NOTE_WARNING, "order", "put each certificate's issuer right after it",
		     "the order is wrong: after \"%s\" its issuer \"%s\" should come",
		     name_short_text(chain[i].subject, name, sizeof(name)),
		     name_short_text(chain[i].issuer, issuer, sizeof(issuer)));
		break;
	}
	strays(&l, chain, n);
	if (cert_is_self_issued(&chain[n - 1]) && !cert_is_self_issued(&chain[0]))
		tell(&l, NOTE_HINT, "root-sent", "leave it out of what the server sends",
		     "the root \"%s\" is part of the chain: nobody needs it, who trusts it has it",
		     name_short_text(chain[n - 1].subject, name, sizeof(name)));
}
