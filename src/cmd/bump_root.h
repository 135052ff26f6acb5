/* The bump root and what is made from it, in the state folder:
 *   bump/ca.pem bump/ca-key.pem   the root; made when missing or expired
 *   bump/bundle.pem               system roots and bump root, for programs that take one file
 *   bump/trust.p12                the same for Java, password "changeit" */
#ifndef CMD_BUMP_ROOT_H
#define CMD_BUMP_ROOT_H

#include "base/buf.h"
#include "proc/paths.h"

#define ROOTS_MAX ((size_t)15 << 20)
#define BUMP_KEY_MAX ((size_t)64 << 10)

struct bump_root {
	char dir[PATHS_MAX]; /* of the keeper's files: bump/ in the state folder */
	char cert_path[PATHS_MAX], key_path[PATHS_MAX], bundle_path[PATHS_MAX], p12_path[PATHS_MAX];
	struct buf cert_pem;
	bool made; /* just now */
};

/* Where everything is; nothing is opened. */
int bump_root_paths(struct bump_root *r, struct err *e) MUST_CHECK;
/* Loads the root, or makes it. cert and key: other files than the state folder's, or NULL. The key
 * is never in this process, whose memory the worker inherits: a child makes or tries it. */
int bump_root_load(struct bump_root *r, const char *cert, const char *key,
		   struct err *e) MUST_CHECK;
/* A second one of the same, which was not made just now. */
int bump_root_copy(const struct bump_root *r, struct bump_root *out, struct err *e) MUST_CHECK;
/* Reads the key; for the keeper. */
int bump_root_read_key(const struct bump_root *r, struct buf *out, struct err *e) MUST_CHECK;
void bump_root_fini(struct bump_root *r);
/* Writes bundle.pem and trust.p12 when they are missing or not of these roots. */
int bump_root_write_bundles(const struct bump_root *r, struct bytes system_roots,
			    struct err *e) MUST_CHECK;

/* The roots that programs of this machine trust: SSL_CERT_FILE, SSL_CERT_DIR, else the
 * distribution's bundle. where: the file or folder they came from. Without any, out stays empty. */
int system_roots_read(struct buf *out, char where[PATHS_MAX], struct err *e) MUST_CHECK;

#endif
