/* Messages of a server, joined: framed, then read as ServerHello and as EncryptedExtensions. */
#include <assert.h>

#include "wire/handshake.h"
#include "wire/names.h"
#include "wire/record.h"
#include "wire/server_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(struct bytes message)
{
	struct encrypted_extensions x;
	enum alert alert = ALERT_CLOSE_NOTIFY;
	struct server_hello h;
	struct err e = { 0 };

	if (server_hello_parse(message, &h, &alert, &e) == 0) {
		assert(h.random.n == 32 && h.session_id.n <= 32);
		(void)version_name(h.version);
		(void)cipher_name(h.cipher);
		(void)group_name(h.group);
	} else {
		assert(e.code == ERR_TLS_DECODE && alert != ALERT_CLOSE_NOTIFY);
	}
	(void)!encrypted_extensions_parse(message, &x, &alert, &e);
}

static void records(struct bytes in)
{
	struct record r;
	struct err e;

	while (record_next(in, RECORD_CIPHER_MAX_12, &r, NULL, &e) == RECORD_DONE) {
		uint8_t level, code;

		assert(r.raw.n == r.body.n + RECORD_HEADER_SIZE);
		if (r.type == RECORD_ALERT && alert_parse(r.body, &level, &code, &e) == 0)
			assert(alert_name(code) && alert_meaning(code));
		in = bytes_slice(in, r.raw.n, in.n);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes in = bytes_of(data, size);
	struct handshake message;

	records(in);
	parse(in);
	while (handshake_next(in, 1 << 16, &message) == HANDSHAKE_DONE) {
		parse(message.raw);
		in = bytes_slice(in, message.raw.n, in.n);
	}
	return 0;
}
