#include "wire/record.h"

#include "base/rd.h"

const char *record_type_name(uint8_t type)
{
	static const char *const names[] = {
		[RECORD_CHANGE_CIPHER_SPEC] = "change_cipher_spec",
		[RECORD_ALERT] = "alert",
		[RECORD_HANDSHAKE] = "handshake",
		[RECORD_APPLICATION_DATA] = "application_data",
		[RECORD_HEARTBEAT] = "heartbeat",
	};

	return type < ARRAY_LEN(names) && names[type] ? names[type] : "unknown";
}

static enum record_outcome fault(enum record_outcome outcome, enum alert alert, enum alert *out)
{
	if (out)
		*out = alert;
	return outcome;
}

enum record_outcome record_next(struct bytes in, size_t max, struct record *out, enum alert *alert,
				struct err *e)
{
	bool bad = false;
	struct rd r = rd_init(in, &bad);
	uint8_t type = rd_u8(&r);
	uint16_t version, length;

	if (in.n >= 1 && (type < RECORD_CHANGE_CIPHER_SPEC || type > RECORD_HEARTBEAT)) {
		FAIL(e, TLS_DECODE, "not a TLS record: its type is %u", type);
		return RECORD_NOT_TLS;
	}
	if (in.n >= 2 && in.p[1] != 3) {
		FAIL(e, TLS_DECODE, "not a TLS record: its version begins with %u, not 3", in.p[1]);
		return RECORD_NOT_TLS;
	}
	version = rd_u16(&r);
	length = rd_u16(&r);
	if (bad)
		return RECORD_MORE;
	if (length > max) {
		FAIL(e, TLS_DECODE, "a TLS record of %u bytes; at most %zu may be", length, max);
		return fault(RECORD_BAD, ALERT_RECORD_OVERFLOW, alert);
	}
	/* RFC 8446, 5.1: only application data may be empty. */
	if (length == 0 && type != RECORD_APPLICATION_DATA) {
		FAIL(e, TLS_DECODE, "an empty TLS record of type %s", record_type_name(type));
		return fault(RECORD_BAD, ALERT_UNEXPECTED_MESSAGE, alert);
	}
	struct bytes body = rd_take(&r, length);
	if (bad)
		return RECORD_MORE;
	*out = (struct record){ .type = type,
				.version = version,
				.body = body,
				.raw = bytes_slice(in, 0, RECORD_HEADER_SIZE + (size_t)length) };
	return RECORD_DONE;
}
