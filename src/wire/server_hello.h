/* A ServerHello or HelloRetryRequest (RFC 8446, 4.1.3), and EncryptedExtensions, as views. */
#ifndef WIRE_SERVER_HELLO_H
#define WIRE_SERVER_HELLO_H

#include "wire/alert.h"
#include "wire/extension.h"

struct server_hello {
	struct bytes raw; /* the message with its header */
	uint16_t legacy_version;
	uint16_t version; /* the chosen one: from supported_versions, else legacy_version */
	bool retry;	  /* it is a HelloRetryRequest */
	uint16_t
		downgrade; /* 0x0303, 0x0302: by its random, a TLS 1.3 server talked down to that */
	struct bytes random;
	struct bytes session_id;
	uint16_t cipher;
	uint8_t compression;
	struct bytes extensions;
	uint16_t group;	   /* TLS 1.3: of the key share, or asked for; 0: none */
	struct bytes key;  /* of the key share; empty in a HelloRetryRequest */
	struct bytes alpn; /* TLS 1.2: the chosen name; empty: none */
	bool has_psk;
	uint16_t psk; /* which was chosen */
	bool has_extended_master_secret;
	bool has_encrypt_then_mac;
	bool has_session_ticket;
	bool has_status_request;
	uint16_t record_size_limit;  /* 0: none */
	uint8_t max_fragment_length; /* 0: none */
};

/* message: with its 4 byte header. Fails with ERR_TLS_DECODE, out untouched; alert may be NULL. */
int server_hello_parse(struct bytes message, struct server_hello *out, enum alert *alert,
		       struct err *e) MUST_CHECK;

/* EncryptedExtensions of TLS 1.3 (4.3.1), once decrypted. */
struct encrypted_extensions {
	struct bytes extensions;
	struct bytes alpn; /* the chosen name; empty: none */
	bool has_early_data;
	bool has_server_name;
	uint16_t record_size_limit; /* 0: none */
};
int encrypted_extensions_parse(struct bytes message, struct encrypted_extensions *out,
			       enum alert *alert, struct err *e) MUST_CHECK;

#endif
