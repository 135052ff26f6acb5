/* What we mint and write, judged by other people's programs. A program that is not there is skipped
 * by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "pki/bundle.h"
#include "pki/mint.h"
#include "pki/test_cert.h"

static char dir[] = "/tmp/oriel-pki-XXXXXX";
static int64_t now_s; /* these programs ask the clock */
static struct authority *root, *twin;
static struct key_pair pool[KEY_RSA2048 + 1];

static void save(const char *name, struct bytes content)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(content.p, 1, content.n, f), content.n);
	fclose(f);
}

static void save_cert(const char *name, struct bytes der)
{
	struct buf text = buf_init(100000);

	assert_int_equal(pem_write_cert(&text, der, NULL), 0);
	save(name, buf_bytes(&text));
	buf_fini(&text);
}

/* Runs a command in the folder of the test; its exit status. */
static int run(const char *command)
{
	char line[600];
	int status;

	snprintf(line, sizeof(line), "cd %s && timeout 60 %s >out.txt 2>&1", dir, command);
	status = system(line);
	return status;
}

static void expect_success(const char *command)
{
	char line[300];

	if (run(command) == 0)
		return;
	snprintf(line, sizeof(line), "cat %s/out.txt >&2", dir);
	(void)!system(line);
	fail_msg("failed: %s", command);
}

static void need(const char *program)
{
	char command[100];

	snprintf(command, sizeof(command), "sh -c 'command -v %s'", program);
	if (run(command) != 0) {
		print_message("no %s here\n", program);
		skip();
	}
}

/* Origins of all sorts; each has a file when minted. */
static const struct test_extension rich[] = {
	{ "keyUsage", "critical,digitalSignature,keyEncipherment" },
	{ "extendedKeyUsage", "serverAuth,clientAuth" },
	{ "basicConstraints", "CA:FALSE" },
	{ "subjectKeyIdentifier", "hash" },
	{ "authorityInfoAccess", "OCSP;URI:http://ocsp.example/" },
	{ "subjectAltName", "DNS:www.example,DNS:*.example,IP:192.0.2.7" },
	{ "2.5.29.32", "DER:300a3008060667810c010201" },
	{ "crlDistributionPoints", "URI:http://crl.example/" },
	{ "tlsfeature", "status_request" },
	{ "1.3.6.1.4.1.11129.2.4.2", "DER:0400" },
	{ "1.2.3.4.5", "critical,DER:0500" },
};
static const struct test_extension only_names[] = { { "subjectAltName", "DNS:www.example" } };
static const struct test_extension ca[] = {
	{ "basicConstraints", "critical,CA:TRUE,pathlen:2" },
	{ "keyUsage", "keyCertSign,cRLSign" },
	{ "nameConstraints", "permitted;DNS:other.example" },
	{ "subjectAltName", "DNS:www.example" },
};
static const struct {
	const char *file;
	struct test_options o;
	enum key_kind kind;
} origins[] = {
	{ "rich.pem",
	  { .cn = "www.example", .key = "RSA 2048", .extensions = rich, .count = ARRAY_LEN(rich) },
	  KEY_RSA2048 },
	{ "adapted.pem",
	  { .cn = "www.example", .key = "RSA 2048", .extensions = rich, .count = ARRAY_LEN(rich) },
	  KEY_P256 },
	{ "negative.pem",
	  { .cn = "www.example",
	    .serial = "-99999999999999999999999999999999999999999999999999999",
	    .extensions = only_names,
	    .count = 1 },
	  KEY_P384 },
	{ "no-subject.pem", { .extensions = only_names, .count = 1 }, KEY_P256 },
	{ "version-1.pem", { .cn = "old.example", .version = 1, .serial = "0" }, KEY_P256 },
	{ "ca.pem", { .cn = "www.example", .extensions = ca, .count = ARRAY_LEN(ca) }, KEY_P256 },
	{ "edwards.pem",
	  { .cn = "www.example", .key = "ED25519", .extensions = only_names, .count = 1 },
	  KEY_P256 },
};

static int mint_all(const struct authority *by, const char *prefix)
{
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		struct test_options o = origins[i].o;
		uint8_t serial[16] = { 0x80, 1, (uint8_t)i };
		struct buf der = buf_init(100000);
		struct test_cert t;
		char name[100];

		o.not_before = now_s - TEST_DAY;
		o.not_after = now_s + 2524608000; /* beyond 2050: GeneralizedTime */
		t = test_cert_make(&o);
		struct mint_request req = { .origin_der = test_cert_der(&t),
					    .by = by,
					    .spki = buf_bytes(&pool[origins[i].kind].spki),
					    .serial = serial };
		if (mint_leaf(&req, &der, NULL, NULL) < 0)
			return -1;
		snprintf(name, sizeof(name), "%s%s", prefix, origins[i].file);
		save_cert(name, buf_bytes(&der));
		buf_fini(&der);
		test_cert_fini(&t);
	}
	return 0;
}

static int set_up(void **state)
{
	struct buf cert = buf_init(10000), key = buf_init_secret(10000);
	struct stat st;

	(void)state;
	if (!mkdtemp(dir) || stat(dir, &st) < 0)
		return -1;
	now_s = st.st_mtime;
	if (authority_make_root("test", now_s, &cert, &key, NULL) < 0 ||
	    authority_new(buf_bytes(&cert), buf_bytes(&key), &root, NULL) < 0 ||
	    authority_new_twin(root, now_s, &twin, NULL) < 0)
		return -1;
	for (unsigned k = 0; k < ARRAY_LEN(pool); k++) {
		if (key_pair_make((enum key_kind)k, &pool[k], NULL) < 0)
			return -1;
	}
	save("root.pem", buf_bytes(&cert));
	buf_fini(&cert);
	buf_fini(&key);
	if (mint_all(root, "") < 0)
		return -1;
	return mint_all(twin, "twin-");
}

static int tear_down(void **state)
{
	char command[100];

	(void)state;
	authority_free(root);
	authority_free(twin);
	for (unsigned k = 0; k < ARRAY_LEN(pool); k++)
		key_pair_fini(&pool[k]);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}

static void openssl_verifies_every_mimic_in_strict_mode(void **state)
{
	char command[300];

	(void)state;
	need("openssl");
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		snprintf(command, sizeof(command),
			 "openssl verify -x509_strict -policy_check -purpose sslserver -auth_level "
			 "2 "
			 "-CAfile root.pem %s",
			 origins[i].file);
		expect_success(command);
		snprintf(command, sizeof(command), "openssl verify -CAfile root.pem twin-%s",
			 origins[i].file);
		assert_int_not_equal(run(command), 0);
	}
	expect_success("openssl verify -x509_strict -CAfile root.pem root.pem");
}

static void gnutls_verifies_every_mimic(void **state)
{
	char command[300];

	(void)state;
	need("certtool");
	for (size_t i = 0; i < ARRAY_LEN(origins); i++) {
		bool bare = strcmp(origins[i].file, "version-1.pem") == 0;

		snprintf(command, sizeof(command),
			 "certtool --verify --load-ca-certificate root.pem "
			 "--verify-profile medium %s --infile %s",
			 bare ? "" : "--verify-hostname www.example", origins[i].file);
		expect_success(command);
	}
}

static void java_lists_every_entry_of_the_trust_store(void **state)
{
	struct bytes der[] = { authority_cert_der(root), authority_cert_der(twin) };
	struct buf out = buf_init(100000);

	(void)state;
	need("keytool");
	assert_int_equal(pkcs12_write_trust(&out, der, 2, "changeit", NULL), 0);
	save("trust.p12", buf_bytes(&out));
	buf_fini(&out);
	expect_success(
		"sh -c 'keytool -list -keystore trust.p12 -storetype PKCS12 "
		"-storepass changeit | tee /dev/stderr | grep -c trustedCertEntry | grep -qx 2'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_verifies_every_mimic_in_strict_mode),
		cmocka_unit_test(gnutls_verifies_every_mimic),
		cmocka_unit_test(java_lists_every_entry_of_the_trust_store),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
