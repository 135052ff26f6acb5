/* Finds out what a connection speaks, by content and on any port, and puts the right layer on it:
 * TLS at once, or after STARTTLS (SMTP, IMAP, POP3, LDAP, PostgreSQL, MySQL, XMPP, FTP), after CONNECT, SOCKS5
 * or a PROXY protocol header, inside TLS too; HTTP and bytes go to the observer, and what was said
 * in plaintext before TLS began goes there as well. */
#ifndef TAP_PEEL_H
#define TAP_PEEL_H

#include "tap/context.h"
#include "tap/layer.h"

#define TAP_DEPTH_MAX 4 /* TLS in TLS in TLS … */

struct peel_options {
	struct tap_flow *flow;
	uint8_t depth;	   /* how many TLS layers are below */
	struct bytes alpn; /* of the TLS below; empty: none */
	bool late;	   /* the beginning was not seen */
};

int peel_new(const struct peel_options *o, struct layer **out, struct err *e) MUST_CHECK;

#endif
