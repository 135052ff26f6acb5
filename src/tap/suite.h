/* Cipher suites as a decryptor needs them: which cipher, MAC and PRF a code stands for. */
#ifndef TAP_SUITE_H
#define TAP_SUITE_H

#include "crypt/cipher.h"
#include "crypt/digest.h"

enum suite_exchange {
	EXCHANGE_TLS13,
	EXCHANGE_RSA,
	EXCHANGE_PSK, /* plain: the pre-master secret comes from the key alone */
	EXCHANGE_OTHER,
};

struct suite {
	uint16_t code;
	enum suite_exchange exchange;
	enum cipher_kind cipher;
	enum digest mac; /* DIGEST_NONE for AEAD */
	enum digest prf; /* of TLS 1.2 and 1.3 */
	bool export;	 /* keys of 40 bits (RFC 2246, 6.3.1) */
};

/* NULL: not one that can be decrypted here; its name is known to wire/names.h perhaps. */
const struct suite *suite_find(uint16_t code);

#endif
