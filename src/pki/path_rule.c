#include "pki/path_rule.h"

#include <openssl/x509v3.h>
#include <stdio.h>

#include "base/escape.h"
#include "pki/cert.h"
#include "pki/x509.h"

#define CODE(name) X509_V_ERR_##name

/* In the sentences: %c the certificate, %i its issuer, %n what it is for, %w the name that was asked
 * for, %b and %a its first and last day, %k its key, %s its signature algorithm. */
/* clang-format off */
static const struct rule {
	int error;
	const char *word, *section, *sentence, *remedy;
} rules[] = {
	{ CODE(CERT_HAS_EXPIRED), "expired", "RFC 5280, 4.1.2.5", "%c expired on %a",
	  "renew it, and send the new one" },
	{ CODE(CERT_NOT_YET_VALID), "not-yet-valid", "RFC 5280, 4.1.2.5", "%c is not valid before %b",
	  "check the clocks of this machine and of the issuer" },
	{ CODE(ERROR_IN_CERT_NOT_BEFORE_FIELD), "bad-date", "RFC 5280, 4.1.2.5", "the notBefore of %c is no time", "" },
	{ CODE(ERROR_IN_CERT_NOT_AFTER_FIELD), "bad-date", "RFC 5280, 4.1.2.5", "the notAfter of %c is no time", "" },
	{ CODE(CERT_SIGNATURE_FAILURE), "signature", "RFC 5280, 6.1.3 (a)(1)",
	  "the signature on %c was not made with the key of this issuer, %i",
	  "the issuer has another key of the same name, or the certificate was changed" },
	{ CODE(UNABLE_TO_DECRYPT_CERT_SIGNATURE), "signature", "RFC 5280, 6.1.3 (a)(1)",
	  "the signature on %c cannot be opened with the key of this issuer, %i", "" },
	{ CODE(UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY), "bad-key", "RFC 5280, 4.1.2.7",
	  "the key of the issuer of %c, %i, cannot be read", "" },
	{ CODE(DEPTH_ZERO_SELF_SIGNED_CERT), "self-signed", "RFC 5280, 6.1.1 (d)",
	  "%c is signed by itself and is no trusted root", "name it with --ca if you trust it" },
	{ CODE(SELF_SIGNED_CERT_IN_CHAIN), "untrusted-root", "RFC 5280, 6.1.1 (d)",
	  "the path ends at %c, which is no trusted root", "name it with --ca if you trust it" },
	{ CODE(UNABLE_TO_GET_ISSUER_CERT), "no-issuer", "RFC 5280, 6.1",
	  "the issuer of %c, %i, is not there",
	  "send the intermediate along (--untrusted), or trust its root (--ca)" },
	{ CODE(UNABLE_TO_GET_ISSUER_CERT_LOCALLY), "no-issuer", "RFC 5280, 6.1",
	  "the issuer of %c, %i, is not there",
	  "send the intermediate along (--untrusted), or trust its root (--ca)" },
	{ CODE(UNABLE_TO_VERIFY_LEAF_SIGNATURE), "no-issuer", "RFC 5280, 6.1",
	  "the issuer of %c, %i, is not there",
	  "send the intermediate along (--untrusted), or trust its root (--ca)" },
	{ CODE(SUBJECT_ISSUER_MISMATCH), "name-chaining", "RFC 5280, 6.1.3 (a)(4)",
	  "%c names another issuer, %i", "" },
	{ CODE(AKID_SKID_MISMATCH), "key-identifier", "RFC 5280, 4.2.1.1",
	  "the authority key identifier of %c is not the subject key identifier of this issuer, %i",
	  "the issuer has been given a new key: use the certificate with the old one, or issue again" },
	{ CODE(AKID_ISSUER_SERIAL_MISMATCH), "key-identifier", "RFC 5280, 4.2.1.1",
	  "the authority key identifier of %c names another issuer's name and serial number than %i has",
	  "the issuer was renewed: use its old certificate, or issue again" },
	{ CODE(INVALID_CA), "not-a-ca", "RFC 5280, 4.2.1.9 and 6.1.4 (k)",
	  "%c signed a certificate but is no CA: it has no basicConstraints with CA:TRUE",
	  "issue the certificate below it by a CA" },
	{ CODE(INVALID_NON_CA), "a-ca", "RFC 5280, 4.2.1.9", "%c is a CA, which is not wanted here", "" },
	{ CODE(KEYUSAGE_NO_CERTSIGN), "no-cert-sign", "RFC 5280, 4.2.1.3 and 6.1.4 (n)",
	  "the key usage of %c has no keyCertSign, but it signed a certificate", "re-issue the CA with keyCertSign" },
	{ CODE(KEYUSAGE_NO_DIGITAL_SIGNATURE), "no-digital-signature", "RFC 5280, 4.2.1.3",
	  "the key usage of %c has no digitalSignature", "" },
	{ CODE(PATH_LENGTH_EXCEEDED), "path-length", "RFC 5280, 4.2.1.9 and 6.1.4 (l)",
	  "more CAs are below %c than its path length constraint allows",
	  "issue from a CA nearer to the root, or a root without pathlen" },
	{ CODE(CERT_CHAIN_TOO_LONG), "too-long", "", "the path is longer than what libcrypto follows", "" },
	{ CODE(INVALID_PURPOSE), "purpose", "RFC 5280, 4.2.1.12 and 4.2.1.3",
	  "%c may not be used for this purpose: see its key usage and extended key usage",
	  "issue it with extendedKeyUsage serverAuth or clientAuth, or ask for another --purpose" },
	{ CODE(CERT_UNTRUSTED), "untrusted-root", "RFC 5280, 6.1.1 (d)", "%c is not trusted for this purpose", "" },
	{ CODE(CERT_REJECTED), "untrusted-root", "RFC 5280, 6.1.1 (d)", "%c is marked as rejected for this purpose", "" },
	{ CODE(UNHANDLED_CRITICAL_EXTENSION), "critical-extension", "RFC 5280, 4.2 and 6.1.4 (o)",
	  "%c has a critical extension that libcrypto does not know", "issue it without, or not critical" },
	{ CODE(PERMITTED_VIOLATION), "name-constraints", "RFC 5280, 4.2.1.10",
	  "a name of %c (%n) lies outside of what a CA above it is permitted", "issue it by a CA that may" },
	{ CODE(EXCLUDED_VIOLATION), "name-constraints", "RFC 5280, 4.2.1.10",
	  "a name of %c (%n) is excluded by a CA above it", "issue it by a CA that may" },
	{ CODE(SUBTREE_MINMAX), "name-constraints", "RFC 5280, 4.2.1.10",
	  "name constraints above %c have a minimum or maximum, which is not allowed", "" },
	{ CODE(UNSUPPORTED_CONSTRAINT_TYPE), "name-constraints", "RFC 5280, 4.2.1.10",
	  "name constraints above %c are of a kind that libcrypto cannot check", "" },
	{ CODE(UNSUPPORTED_CONSTRAINT_SYNTAX), "name-constraints", "RFC 5280, 4.2.1.10",
	  "name constraints above %c are malformed", "" },
	{ CODE(UNSUPPORTED_NAME_SYNTAX), "name-constraints", "RFC 5280, 4.2.1.10",
	  "a name of %c (%n) cannot be held against the name constraints above it", "" },
	{ CODE(INVALID_POLICY_EXTENSION), "policy", "RFC 5280, 4.2.1.4",
	  "the certificate policies or policy mappings of %c are malformed or map anyPolicy", "" },
	{ CODE(NO_EXPLICIT_POLICY), "policy", "RFC 5280, 6.1.5 (g)",
	  "no certificate policy is valid along the whole path, and one is required", "" },
	{ CODE(UNSPECIFIED), "unusable", "", "libcrypto cannot use the key of %c (%k), or that of an issuer of it", "" },
	{ CODE(INVALID_EXTENSION), "bad-extension", "RFC 5280, 4.2", "%c has an extension that is malformed", "" },
	{ CODE(HOSTNAME_MISMATCH), "wrong-name", "RFC 9525, 6.3", "%c is for %n, not for %w",
	  "issue it with this name as subjectAltName, or ask for a name that it has" },
	{ CODE(IP_ADDRESS_MISMATCH), "wrong-name", "RFC 9525, 6.5", "%c is for %n, not for %w",
	  "issue it with this address as subjectAltName" },
	{ CODE(EE_KEY_TOO_SMALL), "weak-key", "", "the key of %c (%k) is below the floor of 112 bits of strength",
	  "make a new one: EC P-256, or RSA of 2048 bits" },
	{ CODE(CA_KEY_TOO_SMALL), "weak-key", "", "the key of %c (%k) is below the floor of 112 bits of strength",
	  "the CA needs a new key: EC P-256, or RSA of 2048 bits" },
	{ CODE(CA_MD_TOO_WEAK), "weak-signature", "", "the signature on %c (%s) is below the floor of 112 bits of strength",
	  "issue it again, signed with SHA-256" },
	{ CODE(CERT_REVOKED), "revoked", "RFC 5280, 6.3.3", "%c was revoked by %i", "issue a new one" },
	{ CODE(UNABLE_TO_GET_CRL), "no-crl", "RFC 5280, 6.3.3", "there is no CRL of %i that covers %c",
	  "give it with --crl" },
	{ CODE(UNABLE_TO_GET_CRL_ISSUER), "no-crl-issuer", "RFC 5280, 6.3.3 (f)",
	  "the certificate with which the CRL for %c was signed is not there", "give it with --untrusted" },
	{ CODE(CRL_HAS_EXPIRED), "crl-expired", "RFC 5280, 5.1.2.5", "the CRL of %i, asked for %c, should have been renewed by now",
	  "fetch the new one" },
	{ CODE(CRL_NOT_YET_VALID), "crl-not-yet-valid", "RFC 5280, 5.1.2.4", "the CRL of %i, asked for %c, is from the future", "" },
	{ CODE(ERROR_IN_CRL_LAST_UPDATE_FIELD), "crl-bad-date", "RFC 5280, 5.1.2.4", "the thisUpdate of the CRL of %i is no time", "" },
	{ CODE(ERROR_IN_CRL_NEXT_UPDATE_FIELD), "crl-bad-date", "RFC 5280, 5.1.2.5", "the nextUpdate of the CRL of %i is no time", "" },
	{ CODE(CRL_SIGNATURE_FAILURE), "crl-signature", "RFC 5280, 6.3.3 (g)", "the signature on the CRL of %i, asked for %c, is wrong", "" },
	{ CODE(UNABLE_TO_DECRYPT_CRL_SIGNATURE), "crl-signature", "RFC 5280, 6.3.3 (g)",
	  "the signature on the CRL of %i, asked for %c, cannot be opened", "" },
	{ CODE(KEYUSAGE_NO_CRL_SIGN), "no-crl-sign", "RFC 5280, 4.2.1.3 and 6.3.3 (f)",
	  "the issuer of the CRL for %c has no cRLSign in its key usage", "re-issue the CA with cRLSign" },
	{ CODE(UNHANDLED_CRITICAL_CRL_EXTENSION), "crl-critical-extension", "RFC 5280, 5.2 and 5.3",
	  "the CRL for %c has a critical extension that libcrypto does not know", "" },
	{ CODE(DIFFERENT_CRL_SCOPE), "crl-scope", "RFC 5280, 5.2.5 and 6.3.3 (b)",
	  "the CRLs of %i that are there are for other certificates than %c, or other reasons", "" },
	{ CODE(CRL_PATH_VALIDATION_ERROR), "crl-path", "RFC 5280, 6.3.3 (f)",
	  "the certificate with which the CRL for %c was signed does not verify itself", "" },
};
/* clang-format on */

bool path_error_is_no_issuer(int error)
{
	return error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT ||
	       error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
	       error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE;
}

static const struct rule *rule_find(int error)
{
	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (rules[i].error == error)
			return &rules[i];
	}
	return NULL;
}

static const char *quoted(struct bytes name, char *out, size_t size)
{
	char text[72];

	snprintf(out, size, "\"%s\"", name_short_text(name, text, sizeof(text)));
	return out;
}

/* The text for one letter, into room when it has to be made. */
static const char *part(char letter, const X509 *about, const struct cert *c,
			const struct path_request *q, char room[128])
{
	switch (letter) {
	case 'c':
		return quoted(x509_subject(about), room, 128);
	case 'i':
		return quoted(x509_issuer(about), room, 128);
	case 'n':
		return cert_names_text(c, room, 128);
	case 'w':
		return escape_to(room, 64, q->name);
	case 'b':
		return date_text(c->not_before, room);
	case 'a':
		return date_text(c->not_after, room);
	case 'k':
		return cert_key_text(&c->key, room, 128);
	case 's':
		return OBJ_nid2ln(X509_get_signature_nid(about));
	default:
		return "?";
	}
}

static void fill(const char *form, const X509 *about, const struct path_request *q,
		 struct path_fault *f)
{
	struct cert c = { 0 };
	unsigned char *p = NULL;
	int n = i2d_X509((X509 *)(uintptr_t)about, &p);
	size_t at = 0;
	char room[128];

	if (n <= 0 || cert_parse(bytes_of(p, (size_t)n), &c, NULL) < 0)
		c = (struct cert){ 0 };
	while (*form && at + 1 < sizeof(f->sentence)) {
		int put;

		if (*form == '%' && form[1])
			put = snprintf(f->sentence + at, sizeof(f->sentence) - at, "%s",
				       part(*++form, about, &c, q, room));
		else
			put = snprintf(f->sentence + at, sizeof(f->sentence) - at, "%c", *form);
		form++;
		at += (size_t)put;
	}
	OPENSSL_free(p);
}

void path_fault_tell(struct path_fault *f, const X509 *about, const struct path_request *q)
{
	const struct rule *r = rule_find(f->error);

	f->word = r ? r->word : "other";
	f->section = r ? r->section : "";
	f->remedy = r ? r->remedy : "";
	if (r && about)
		fill(r->sentence, about, q, f);
	else
		snprintf(f->sentence, sizeof(f->sentence), "%s",
			 X509_verify_cert_error_string(f->error));
}
