/* For tests: makes a ClientHello (or any hello with extensions) piece by piece. */
#ifndef WIRE_HELLO_MAKE_H
#define WIRE_HELLO_MAKE_H

#include "base/wr.h"
#include "wire/handshake.h"
#include "wire/record.h"

struct hello_make {
	struct buf b;
	struct wr w;
	struct wr_mark message, extensions;
};

/* What stands before the extensions. */
struct hello_start {
	uint16_t version;
	size_t random_n, session_id_n;
	struct bytes ciphers, compression;
};

static const uint8_t hello_ciphers[] = { 0x13, 0x01, 0x13, 0x02, 0xc0, 0x2f };
static const uint8_t hello_null[] = { 0 };

static inline struct hello_start hello_start_usual(void)
{
	return (struct hello_start){ .version = 0x0303,
				     .random_n = 32,
				     .session_id_n = 32,
				     .ciphers = bytes_of(hello_ciphers, sizeof(hello_ciphers)),
				     .compression = bytes_of(hello_null, 1) };
}

static inline void hello_make_begin(struct hello_make *m, const struct hello_start *s)
{
	struct wr_mark mark;

	m->b = buf_init(1 << 20);
	m->w = wr_init(&m->b);
	wr_u8(&m->w, HANDSHAKE_CLIENT_HELLO);
	m->message = wr_open(&m->w, 3);
	wr_u16(&m->w, s->version);
	for (size_t i = 0; i < s->random_n; i++)
		wr_u8(&m->w, 0x11);
	wr_u8(&m->w, (uint8_t)s->session_id_n);
	for (size_t i = 0; i < s->session_id_n; i++)
		wr_u8(&m->w, 0x22);
	mark = wr_open(&m->w, 2);
	wr_bytes(&m->w, s->ciphers);
	wr_close(&m->w, mark);
	mark = wr_open(&m->w, 1);
	wr_bytes(&m->w, s->compression);
	wr_close(&m->w, mark);
}

static inline void hello_make_extensions(struct hello_make *m)
{
	m->extensions = wr_open(&m->w, 2);
}

static inline void hello_make_add(struct hello_make *m, uint16_t type, struct bytes body)
{
	struct wr_mark mark;

	wr_u16(&m->w, type);
	mark = wr_open(&m->w, 2);
	wr_bytes(&m->w, body);
	wr_close(&m->w, mark);
}

static inline struct bytes hello_make_end(struct hello_make *m)
{
	if (m->extensions.size)
		wr_close(&m->w, m->extensions);
	wr_close(&m->w, m->message);
	return buf_bytes(&m->b);
}

/* message in records of at most size bytes. */
static inline void hello_to_records(struct bytes message, size_t size, struct buf *out)
{
	struct wr w = wr_init(out);

	while (message.n) {
		struct bytes part = bytes_slice(message, 0, size);

		wr_u8(&w, RECORD_HANDSHAKE);
		wr_u16(&w, 0x0301);
		wr_u16(&w, (uint16_t)part.n);
		wr_bytes(&w, part);
		message = bytes_slice(message, part.n, message.n);
	}
}

#endif
