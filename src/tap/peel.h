/* Finds out what a connection speaks, by content and on any port, and puts the right layer on it:
 * TLS at once, or after a dialogue in plaintext (STARTTLS of SMTP, LMTP, IMAP, POP3, NNTP, ManageSieve,
 * LDAP, PostgreSQL, MySQL, XMPP and FTP by name, any other by the ClientHello that begins the
 * client's turn), after CONNECT, SOCKS or a PROXY protocol header, after an Upgrade (RFC 2817),
 * inside TLS too; HTTP and bytes go to the observer, and what was said in plaintext before TLS
 * began goes there as well. How TLS began, and what the headers say, is told as EV_NOTE.
 *
 * What may be TLS is held back until it is known, at most 64 KiB of a direction and within
 * tap_shared.held_max. Where the beginning is missing, or a part of the dialogue, records are looked
 * for that follow one another. */
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

/* Fails with ERR_NOMEM. A lack of memory later makes the flow dark. */
int peel_new(const struct peel_options *o, struct layer **out, struct err *e) MUST_CHECK;

#endif
