#include "wire/handshake.h"

#include "base/rd.h"

enum handshake_outcome handshake_next(struct bytes in, size_t max, struct handshake *out)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	uint8_t type = rd_u8(&r);
	uint32_t length = rd_u24(&r);

	if (bad)
		return HANDSHAKE_MORE;
	if (max < HANDSHAKE_HEADER_SIZE || length > max - HANDSHAKE_HEADER_SIZE)
		return HANDSHAKE_TOO_LONG;

	struct bytes body = rd_take(&r, length);
	if (bad)
		return HANDSHAKE_MORE;
	*out = (struct handshake){ .type = type,
				   .body = body,
				   .raw = bytes_slice(in, 0, HANDSHAKE_HEADER_SIZE + length) };
	return HANDSHAKE_DONE;
}

const char *handshake_type_name(uint8_t type)
{
	static const char *const names[] = {
		[HANDSHAKE_HELLO_REQUEST] = "hello_request",
		[HANDSHAKE_CLIENT_HELLO] = "client_hello",
		[HANDSHAKE_SERVER_HELLO] = "server_hello",
		[HANDSHAKE_HELLO_VERIFY_REQUEST] = "hello_verify_request",
		[HANDSHAKE_NEW_SESSION_TICKET] = "new_session_ticket",
		[HANDSHAKE_END_OF_EARLY_DATA] = "end_of_early_data",
		[HANDSHAKE_ENCRYPTED_EXTENSIONS] = "encrypted_extensions",
		[HANDSHAKE_CERTIFICATE] = "certificate",
		[HANDSHAKE_SERVER_KEY_EXCHANGE] = "server_key_exchange",
		[HANDSHAKE_CERTIFICATE_REQUEST] = "certificate_request",
		[HANDSHAKE_SERVER_HELLO_DONE] = "server_hello_done",
		[HANDSHAKE_CERTIFICATE_VERIFY] = "certificate_verify",
		[HANDSHAKE_CLIENT_KEY_EXCHANGE] = "client_key_exchange",
		[HANDSHAKE_FINISHED] = "finished",
		[HANDSHAKE_CERTIFICATE_URL] = "certificate_url",
		[HANDSHAKE_CERTIFICATE_STATUS] = "certificate_status",
		[HANDSHAKE_SUPPLEMENTAL_DATA] = "supplemental_data",
		[HANDSHAKE_KEY_UPDATE] = "key_update",
		[HANDSHAKE_COMPRESSED_CERTIFICATE] = "compressed_certificate",
		[HANDSHAKE_NEXT_PROTOCOL] = "next_protocol",
		[HANDSHAKE_MESSAGE_HASH] = "message_hash",
	};

	return type < ARRAY_LEN(names) && names[type] ? names[type] : "unknown";
}
