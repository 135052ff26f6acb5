/* A ClientHello (RFC 8446, 4.1.2; RFC 5246, 7.4.1.2) as views of the message. */
#ifndef WIRE_CLIENT_HELLO_H
#define WIRE_CLIENT_HELLO_H

#include "wire/alert.h"
#include "wire/extension.h"

struct client_hello {
	struct bytes raw; /* the message with its header */
	uint16_t legacy_version;
	uint16_t max_version;	    /* the highest offered that is not GREASE */
	struct bytes random;	    /* 32 */
	struct bytes session_id;    /* 0 to 32 */
	struct bytes cipher_suites; /* codes, at least one */
	struct bytes compression;   /* one byte each, 0 among them */
	struct bytes extensions;    /* for extension_next, in the client's order; checked */
	size_t extension_count;	    /* GREASE included */

	/* Lists without their lengths; empty: the extension is not there. */
	struct bytes server_name;	 /* as sent: name_parse says whether it is one */
	struct bytes supported_versions; /* codes, GREASE included, as in all lists here */
	struct bytes supported_groups;	 /* codes */
	struct bytes signature_algorithms;
	struct bytes signature_algorithms_cert;
	struct bytes alpn;		   /* for alpn_next */
	struct bytes key_shares;	   /* for key_share_next; see has_key_share */
	struct bytes point_formats;	   /* one byte each */
	struct bytes psk_modes;		   /* one byte each */
	struct bytes compress_certificate; /* codes of algorithms (RFC 8879) */
	struct bytes cookie;
	struct bytes session_ticket; /* see has_session_ticket: may be empty */

	uint16_t record_size_limit;  /* 0: none (RFC 8449) */
	uint8_t max_fragment_length; /* code 1 to 4 (RFC 6066, 4); 0: none */

	bool has_key_share; /* an empty list asks for a HelloRetryRequest */
	bool has_session_ticket;
	bool has_psk;
	bool has_early_data;
	bool has_ech; /* real or GREASE: nobody but the server can tell */
	bool has_status_request;
	bool has_extended_master_secret;
	bool has_encrypt_then_mac;
	bool has_renegotiation_info; /* as extension, or TLS_EMPTY_RENEGOTIATION_INFO_SCSV */
	bool has_post_handshake_auth;
	bool has_quic_parameters;
	bool has_grease;	/* among ciphers or extensions: a browser, mostly */
	bool has_fallback_scsv; /* TLS_FALLBACK_SCSV (RFC 7507) */
};

/* message: the handshake message with its 4 byte header. Makes no allocation. Refuses what a server
 * must refuse: wrong lengths (decode_error), an extension or key share twice, pre_shared_key not
 * last, values out of range (illegal_parameter). Fails with ERR_TLS_DECODE, out untouched, *alert
 * (may be NULL) says what to answer. */
int client_hello_parse(struct bytes message, struct client_hello *out, enum alert *alert,
		       struct err *e) MUST_CHECK;

/* The groups of the key shares, GREASE left out; the number copied. */
size_t client_hello_share_groups(const struct client_hello *hello, uint16_t *out, size_t max);

#endif
