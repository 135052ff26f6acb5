/* What a UDP flow carries, told from its datagrams: enough to say what stays dark. QUIC and DTLS
 * are recognised and not decrypted yet. */
#ifndef TAP_DATAGRAM_H
#define TAP_DATAGRAM_H

#include "base/bytes.h"

enum datagram {
	DATAGRAM_OTHER,
	DATAGRAM_QUIC, /* a long header of version 1, 2, or a draft (RFC 9000, 17.2; RFC 9369) */
	DATAGRAM_DTLS, /* a record of DTLS 1.0 to 1.3 in plaintext (RFC 6347, 4.1; RFC 9147, 4) */
};

enum datagram datagram_sniff(struct bytes payload);

#endif
