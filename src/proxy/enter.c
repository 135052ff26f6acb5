/* The way in: from the first bytes of a connection to what it wants to reach. */
#include "proxy/flow.h"

#include <stdio.h>

#include "base/mem.h"
#include "base/secret.h"
#include "proxy/tell.h"
#include "proxy/via.h"
#include "wire/sniff.h"
#include "wire/socks.h"

static const char internal_host[] = "oriel.internal";

struct bytes flow_host(const struct flow *f, char text[ADDR_TEXT_MAX])
{
	if (f->target.kind == HOST_NAME)
		return name_bytes(&f->target.name);
	if (f->target.kind == HOST_ADDR)
		return bytes_str(addr_ip_text(&f->target.addr, text));
	return bytes_of(NULL, 0);
}

static void target_is_address(struct flow *f, const struct addr *a)
{
	f->target = (struct host){ .kind = HOST_ADDR, .addr = *a, .port = a->port };
}

/* Where a transparent connection was going; our own address would be a loop. */
static bool find_destination(struct flow *f)
{
	bool tproxy = f->listener->transparent == CONFIG_TPROXY;
	struct addr to = f->client.local;
	struct err e = { 0 };

	f->way = tproxy ? WAY_TPROXY : WAY_REDIRECT;
	if (!tproxy && sock_original_dst(f->client.fd, &to, &e) < 0) {
		flow_fail_err(f, FAILURE_NOT_TLS, &e);
		return false;
	}
	if (addr_equal(&to, tproxy ? &f->listener->bind : &f->client.local)) {
		flow_fail(f, FAILURE_DIAL_DENIED,
			  "the connection was not redirected: it goes to oriel itself");
		return false;
	}
	target_is_address(f, &to);
	return true;
}

void flow_enter_allowed(struct flow *f)
{
	if (!policy_allows_client(f->listener, &f->client.remote)) {
		flow_fail(f, FAILURE_POLICY_BLOCK, "`clients:` does not allow this client");
	} else if (f->listener->transparent != CONFIG_NOT_TRANSPARENT && find_destination(f)) {
		flow_go(f, FLOW_PEEK);
	}
}

struct policy_query flow_query(const struct flow *f)
{
	struct policy_query q = { .listener = f->listener,
				  .client = &f->client.remote,
				  .port = f->target.port,
				  .sni = name_bytes(&f->sni),
				  .sni_known = f->hello && f->hello->done };

	if (f->target.kind == HOST_NAME)
		q.host = name_bytes(&f->target.name);
	else if (f->sni_is_target)
		q.host = name_bytes(&f->sni);
	if (f->server.fd >= 0 && !via_is_wanted(f))
		q.addr = &f->server.remote;
	else if (f->target.kind == HOST_ADDR)
		q.addr = &f->target.addr;
	return q;
}

/* What target and client alone decide is decided before anything is dialled. */
static unsigned reach(struct flow *f)
{
	struct policy_query q = flow_query(f);
	char why[POLICY_WHY_MAX];

	tell_open(f);
	mem_free(STEAL(f->entry));
	if (policy_before_dial(&q, &f->decision) == POLICY_BLOCKED) {
		f->action = ACTION_BLOCK;
		return flow_fail(f, FAILURE_POLICY_BLOCK, policy_why(&q, &f->decision, why));
	}
	return flow_go(f, FLOW_DIAL);
}

/* --- who may ask --- */

static bool login_ok(const struct flow *f, struct bytes user, struct bytes password)
{
	for (size_t i = 0; i < f->listener->user_count; i++) {
		const struct config_user *u = &f->listener->users[i];

		if (bytes_equal(user, bytes_str(u->name)) &&
		    secret_equal(password, f->setup->secrets[u->password]))
			return true;
	}
	return false;
}

static bool http_login_ok(const struct flow *f, const struct connect_head *head)
{
	struct connect_login login;
	bool ok;

	if (!f->listener->user_count)
		return true;
	if (connect_auth_parse(head, &login) != CONNECT_AUTH_BASIC)
		return false;
	ok = login_ok(f, login.user, login.password);
	connect_login_fini(&login);
	return ok;
}

/* --- HTTP --- */

static unsigned http_refuse(struct flow *f, unsigned status, enum failure why, const char *detail)
{
	f->http_answer_due = true;
	f->http_status = status;
	return flow_fail(f, why, detail);
}

static unsigned serve_page(struct flow *f, const struct connect_head *head)
{
	const struct lane_pages *pages = &f->lane->o.pages;
	struct err e = { 0 };

	f->action = ACTION_PLAIN;
	if (!pages->get || pages->get(pages->ctx, head->path, &f->client.out, &e) < 0)
		return http_refuse(f, 500, FAILURE_INTERNAL,
				   pages->get ? e.sentence : "there are no pages");
	leg_finish(&f->client, true);
	return flow_go(f, FLOW_LINGER);
}

static unsigned enter_http_head(struct flow *f, const struct connect_head *head)
{
	if (head->form == CONNECT_ORIGIN || head->form == CONNECT_ASTERISK)
		return http_refuse(
			f, 400, FAILURE_NOT_TLS,
			"this is a proxy: use it as one (`oriel env` prints the settings), and "
			"http://oriel.internal/ through it for the bump CA");
	f->way = head->form == CONNECT_TUNNEL ? WAY_CONNECT : WAY_HTTP;
	f->target = head->host;
	f->http_answer_due = true;
	if (!http_login_ok(f, head))
		return http_refuse(f, 407, FAILURE_POLICY_BLOCK, "proxy authentication is needed");
	if (head->form == CONNECT_TUNNEL) {
		buf_take(&f->client.in, head->raw.n);
		return reach(f);
	}
	if (bytes_equal(flow_host(f, (char[ADDR_TEXT_MAX]){ 0 }), bytes_str(internal_host)))
		return serve_page(f, head);
	return reach(f);
}

static unsigned enter_http(struct flow *f)
{
	struct connect_head head;
	struct err e = { 0 };

	switch (connect_run(&f->entry->scan, buf_bytes(&f->client.in), &head, &e)) {
	case CONNECT_MORE:
		return WANT_CLIENT_READ;
	case CONNECT_BAD:
		return http_refuse(f, f->entry->scan.status, FAILURE_NOT_TLS, e.sentence);
	case CONNECT_DONE:
		break;
	}
	return enter_http_head(f, &head);
}

/* --- SOCKS5 --- */

static unsigned socks_say(struct flow *f, const uint8_t *p, size_t n, unsigned then)
{
	struct err e = { 0 };

	if (buf_add(&f->client.out, bytes_of(p, n), &e) < 0)
		return flow_fail_err(f, FAILURE_INTERNAL, &e);
	if (leg_flush(&f->client) == LEG_IO_RESET)
		return flow_fail(f, FAILURE_CLIENT_RESET, NULL);
	return then;
}

static unsigned socks_greet(struct flow *f)
{
	bool ask = f->listener->user_count > 0;
	uint8_t answer[SOCKS_METHOD_SIZE];
	enum socks_method method = SOCKS_NO_METHOD;
	struct socks_greeting greeting;
	struct err e = { 0 };
	size_t used = 0;

	switch (socks_greeting_parse(buf_bytes(&f->client.in), &greeting, &used, &e)) {
	case SOCKS_MORE:
		return WANT_CLIENT_READ;
	case SOCKS_BAD:
		return flow_fail_err(f, FAILURE_NOT_TLS, &e);
	case SOCKS_DONE:
		break;
	}
	buf_take(&f->client.in, used);
	if (ask && greeting.password)
		method = SOCKS_PASSWORD;
	else if (!ask && greeting.no_auth)
		method = SOCKS_NO_AUTH;
	socks_method_write(method, answer);
	f->entry->greeted = true;
	f->entry->authenticated = !ask;
	if (method != SOCKS_NO_METHOD)
		return socks_say(f, answer, sizeof(answer), WANT_NEXT);
	if (buf_add(&f->client.out, bytes_of(answer, sizeof(answer)), NULL) < 0)
		return flow_fail(f, FAILURE_LIMIT, NULL);
	return flow_fail(f, FAILURE_POLICY_BLOCK,
			 ask ? "proxy authentication is needed"
			     : "the client offers no SOCKS method that oriel has");
}

static unsigned socks_login(struct flow *f)
{
	struct socks_password login;
	uint8_t answer[SOCKS_STATUS_SIZE];
	struct err e = { 0 };
	size_t used = 0;
	bool ok;

	switch (socks_password_parse(buf_bytes(&f->client.in), &login, &used, &e)) {
	case SOCKS_MORE:
		return WANT_CLIENT_READ;
	case SOCKS_BAD:
		return flow_fail_err(f, FAILURE_NOT_TLS, &e);
	case SOCKS_DONE:
		break;
	}
	ok = login_ok(f, login.user, login.password);
	buf_take(&f->client.in, used);
	socks_password_write(ok, answer);
	f->entry->authenticated = ok;
	if (ok)
		return socks_say(f, answer, sizeof(answer), WANT_NEXT);
	if (buf_add(&f->client.out, bytes_of(answer, sizeof(answer)), NULL) < 0)
		return flow_fail(f, FAILURE_LIMIT, NULL);
	return flow_fail(f, FAILURE_POLICY_BLOCK, "user name or password is wrong");
}

/* Fails with this SOCKS answer instead of the failure's own. */
static unsigned socks_refuse(struct flow *f, enum socks_reply reply, const char *detail)
{
	uint8_t answer[SOCKS_REPLY_MAX];
	size_t n = socks_reply_write(reply, NULL, answer);

	if (buf_add(&f->client.out, bytes_of(answer, n), NULL) < 0)
		return flow_fail(f, FAILURE_LIMIT, NULL);
	return flow_fail(f, FAILURE_NOT_TLS, detail);
}

static unsigned socks_ask(struct flow *f)
{
	enum socks_reply reply = SOCKS_FAILURE;
	struct socks_request request;
	struct err e = { 0 };
	size_t used = 0;

	switch (socks_request_parse(buf_bytes(&f->client.in), &request, &used, &reply, &e)) {
	case SOCKS_MORE:
		return WANT_CLIENT_READ;
	case SOCKS_BAD:
		return socks_refuse(f, reply, e.sentence);
	case SOCKS_DONE:
		break;
	}
	buf_take(&f->client.in, used);
	f->way = WAY_SOCKS5;
	f->target = request.host;
	if (request.command != SOCKS_CONNECT)
		return socks_refuse(f, SOCKS_BAD_COMMAND, "SOCKS5 commands other than CONNECT");
	f->socks_answer_due = true;
	return reach(f);
}

static unsigned enter_socks(struct flow *f)
{
	f->entry->socks = true;
	if (!f->entry->greeted)
		return socks_greet(f);
	if (!f->entry->authenticated)
		return socks_login(f);
	return socks_ask(f);
}

/* --- what it is --- */

static unsigned refuse_socks4(struct flow *f)
{
	uint8_t answer[SOCKS4_REPLY_SIZE];

	socks4_refusal_write(answer);
	if (buf_add(&f->client.out, bytes_of(answer, sizeof(answer)), NULL) < 0)
		return flow_fail(f, FAILURE_LIMIT, NULL);
	return flow_fail(f, FAILURE_NOT_TLS, "it speaks SOCKS4: use SOCKS5");
}

static unsigned enter_first(struct flow *f)
{
	if (f->entry->socks)
		return enter_socks(f);
	switch (sniff_first(buf_bytes(&f->client.in))) {
	case SNIFF_MORE:
		return WANT_CLIENT_READ;
	case SNIFF_TLS:
		f->way = WAY_TLS;
		return flow_go(f, FLOW_PEEK);
	case SNIFF_HTTP:
		f->way = WAY_HTTP;
		return enter_http(f);
	case SNIFF_SOCKS5:
		f->way = WAY_SOCKS5;
		return enter_socks(f);
	case SNIFF_SOCKS4:
		f->way = WAY_SOCKS5;
		return refuse_socks4(f);
	case SNIFF_SSLV2_HELLO:
		f->way = WAY_TLS;
		return flow_fail(f, FAILURE_HELLO_BAD, "a hello of SSL 2.0");
	case SNIFF_OTHER:
		break;
	}
	return flow_fail(f, FAILURE_NOT_TLS, NULL);
}

unsigned flow_enter(struct flow *f)
{
	struct err e = { 0 };
	unsigned want = enter_first(f);
	enum leg_io r;

	if (want != WANT_CLIENT_READ)
		return want;
	r = leg_fill(&f->client, f->lane->scratch, &e);
	if (r == LEG_IO_DATA)
		return WANT_NEXT;
	if (r == LEG_IO_AGAIN)
		return WANT_CLIENT_READ;
	if (r == LEG_IO_FAULT)
		return flow_fail_err(f, FAILURE_LIMIT, &e);
	/* A connection without a byte is somebody looking whether the port is open. */
	if (f->client.in.n == 0 && !f->entry->greeted)
		return flow_go(f, FLOW_DONE);
	return flow_fail(f, r == LEG_IO_RESET ? FAILURE_CLIENT_RESET : FAILURE_CLIENT_CLOSED,
			 "in the middle of its first message");
}
