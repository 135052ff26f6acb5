/* The head of a request to a proxy: whole and in parts it reads the same, and what is forwarded of
 * it is a head that this parser takes too, with no field more than Host and Connection. */
#include <assert.h>

#include "wire/connect.h"
#include "wire/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t count_fields(const struct connect_head *head)
{
	struct bytes fields = head->fields;
	struct connect_field f;
	size_t n = 0;

	while (connect_field_next(&fields, &f)) {
		assert(f.name.n > 0);
		n++;
	}
	return n;
}

static void check_forwarded(const struct connect_head *head)
{
	AUTO(buf_fini) struct buf out = buf_init(1 << 18);
	struct connect_scan scan = { 0 };
	struct connect_head again;
	struct bytes value;
	int failed = connect_forward_write(head, &out, NULL);
	enum connect_outcome outcome;

	assert(!failed);
	outcome = connect_run(&scan, buf_bytes(&out), &again, NULL);
	assert(outcome == CONNECT_DONE || (scan.status == 431 && out.n > CONNECT_HEAD_MAX));
	if (outcome != CONNECT_DONE)
		return;
	assert(again.form == CONNECT_ORIGIN || again.form == CONNECT_ASTERISK);
	assert(again.raw.n == out.n);
	assert(count_fields(&again) <= count_fields(head) + 2);
	assert(connect_field_find(&again, "Host", &value) && bytes_equal(value, head->authority));
	assert(!connect_field_find(&again, "Proxy-Authorization", &value));
}

static void check_head(const struct connect_head *head)
{
	struct connect_login login;
	char text[HOST_TEXT_MAX];

	(void)count_fields(head);
	if (head->form == CONNECT_TUNNEL || head->form == CONNECT_ABSOLUTE) {
		struct host host;
		int failed = host_parse_authority(bytes_str(host_text(&head->host, text)), 0, &host,
						  NULL);

		assert(!failed && host.port == head->host.port && host.kind == head->host.kind);
	}
	if (head->form == CONNECT_ABSOLUTE)
		check_forwarded(head);
	if (connect_auth_parse(head, &login) == CONNECT_AUTH_BASIC) {
		assert(login.user.n + login.password.n + 1 == login.text.n);
		connect_login_fini(&login);
	}
}

static void check_status(struct bytes reason)
{
	AUTO(buf_fini) struct buf out = buf_init(1 << 13);
	struct connect_status s = { .status = 400, .reason = reason };
	int failed = connect_status_write(&s, &out, NULL);
	size_t lines = 0;

	assert(!failed);
	for (size_t i = 0; i < out.n; i++)
		lines += out.p[i] == '\n';
	/* Nothing in the reason made another. */
	assert(lines == 7);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct connect_scan whole = { 0 }, parts = { 0 };
	struct bytes in = bytes_of(data, size);
	struct connect_head head, other;
	struct err e = { 0 };
	enum connect_outcome outcome = connect_run(&whole, in, &head, &e), later = CONNECT_MORE;
	size_t step = size < 4096 ? 1 : 1460;

	for (size_t n = 0; n < size && later == CONNECT_MORE;) {
		n = size - n < step ? size : n + step;
		later = connect_run(&parts, bytes_slice(in, 0, n), &other, NULL);
	}
	assert(outcome == later && whole.status == parts.status);
	if (outcome == CONNECT_BAD)
		assert(whole.status >= 400 && e.sentence[0]);
	if (outcome == CONNECT_DONE) {
		assert(head.raw.n == other.raw.n);
		check_head(&head);
	}
	check_status(in);
	(void)sniff_first(in);
	return 0;
}
