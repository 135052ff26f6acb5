#include "base/rd.h"
#include "tap/peel_part.h"

/* Every protocol's dialogue is the same: the client's turn ends with a word that asks for TLS, the
 * server's next turn agrees or refuses, and the client's next bytes are TLS. Only the words differ.
 * That TLS has begun is seen by its own bytes (peel_look_hello); what is said here tells its name,
 * and where it may begin although nobody waited. */

enum reply { REPLY_MORE, REPLY_GO, REPLY_NO };

struct starttls_rule {
	/* up: the client's turn so far; down: the server's turn before it. */
	bool (*asks)(struct bytes up, struct bytes down);
	/* down: the server's turn after up; *name says for whom this answer speaks. NULL: the
	 * client waits for none. */
	enum reply (*reply)(struct bytes up, struct bytes down, const char **name);
};

/* The last line of a turn, without its end; empty when it is not complete. */
static struct bytes last_line(struct bytes text)
{
	size_t n = text.n;

	if (n == 0 || text.p[n - 1] != '\n')
		return bytes_of(NULL, 0);
	n--;
	if (n && text.p[n - 1] == '\r')
		n--;
	for (size_t i = n; i > 0; i--)
		if (text.p[i - 1] == '\n')
			return bytes_slice(text, i, n - i);
	return bytes_slice(text, 0, n);
}

static bool is_line(struct bytes text, const char *line)
{
	return bytes_equal_nocase(bytes_trim(last_line(text)), bytes_str(line));
}

static bool begins_nocase(struct bytes line, const char *with)
{
	struct bytes w = bytes_str(with);

	return line.n >= w.n && bytes_equal_nocase(bytes_slice(line, 0, w.n), w);
}

static bool contains(struct bytes text, struct bytes part)
{
	for (size_t i = 0; i + part.n <= text.n; i++)
		if (bytes_equal(bytes_slice(text, i, part.n), part))
			return true;
	return false;
}

/* "STARTTLS" alone: SMTP (RFC 3207) and LMTP; also NNTP (RFC 4642), ManageSieve (RFC 5804), IRC. */
static bool smtp_asks(struct bytes up, struct bytes down)
{
	(void)down;
	return is_line(up, "STARTTLS");
}

static enum reply smtp_reply(struct bytes up, struct bytes down, const char **name)
{
	static const struct {
		const char *begin, *name;
	} replies[] = { { "220", "SMTP" }, { "382", "NNTP" }, { "OK", "ManageSieve" } };
	struct bytes line = last_line(down);

	(void)up;
	/* "220-": more lines of the same answer follow. */
	if (line.n == 0 || (line.n > 3 && line.p[3] == '-'))
		return REPLY_MORE;
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		if (begins_nocase(line, replies[i].begin)) {
			*name = replies[i].name;
			return REPLY_GO;
		}
	}
	return REPLY_NO;
}

/* "TAG STARTTLS" (RFC 9051, 6.2.1). */
static bool imap_asks(struct bytes up, struct bytes down)
{
	struct bytes line = last_line(up);
	size_t space = bytes_index(line, ' ');

	(void)down;
	return space > 0 && bytes_equal_nocase(bytes_trim(bytes_slice(line, space, line.n)),
					       bytes_str("STARTTLS"));
}

static enum reply imap_reply(struct bytes up, struct bytes down, const char **name)
{
	struct bytes ask = last_line(up), line = last_line(down);
	struct bytes tag = bytes_slice(ask, 0, bytes_index(ask, ' ') + 1);

	if (!bytes_starts(line, tag))
		return REPLY_MORE;
	*name = "IMAP";
	return begins_nocase(bytes_slice(line, tag.n, line.n), "OK") ? REPLY_GO : REPLY_NO;
}

/* RFC 2595, 4. */
static bool pop3_asks(struct bytes up, struct bytes down)
{
	(void)down;
	return is_line(up, "STLS");
}

static enum reply pop3_reply(struct bytes up, struct bytes down, const char **name)
{
	struct bytes line = last_line(down);

	(void)up;
	*name = "POP3";
	if (line.n == 0)
		return REPLY_MORE;
	return begins_nocase(line, "+OK") ? REPLY_GO : REPLY_NO;
}

/* RFC 4217, 4. */
static bool ftp_asks(struct bytes up, struct bytes down)
{
	(void)down;
	return is_line(up, "AUTH TLS") || is_line(up, "AUTH SSL") || is_line(up, "AUTH TLS-C") ||
	       is_line(up, "AUTH TLS-P");
}

static enum reply ftp_reply(struct bytes up, struct bytes down, const char **name)
{
	struct bytes line = last_line(down);

	(void)up;
	*name = "FTP";
	if (line.n == 0 || begins_nocase(line, "234-"))
		return REPLY_MORE;
	return begins_nocase(line, "234") ? REPLY_GO : REPLY_NO;
}

/* RFC 6120, 5.4. */
static bool xmpp_asks(struct bytes up, struct bytes down)
{
	(void)down;
	return contains(up, bytes_str("<starttls"));
}

static enum reply xmpp_reply(struct bytes up, struct bytes down, const char **name)
{
	(void)up;
	*name = "XMPP";
	if (contains(down, bytes_str("<proceed")))
		return REPLY_GO;
	return contains(down, bytes_str("<failure")) ? REPLY_NO : REPLY_MORE;
}

/* The tag and the contents of a BER element (X.690, 8.1); lengths of up to 4 bytes. */
static struct rd ber_element(struct rd *r, uint8_t *tag)
{
	size_t length;

	*tag = rd_u8(r);
	length = rd_u8(r);
	if (length & 0x80)
		length = length <= 0x84 ? (size_t)rd_uint(r, length & 0x7f) : SIZE_MAX;
	return rd_init(rd_take(r, length), r->bad);
}

enum { BER_SEQUENCE = 0x30, LDAP_EXTENDED_REQUEST = 0x77, LDAP_EXTENDED_RESPONSE = 0x78 };

/* The operation in an LDAP message (RFC 4511, 4.1.1), which is the last of the turn. */
static struct rd ldap_operation(struct rd *r, uint8_t *tag)
{
	struct rd message = ber_element(r, tag);

	if (*tag != BER_SEQUENCE)
		*r->bad = true;
	(void)ber_element(&message, tag); /* its number */
	return ber_element(&message, tag);
}

/* RFC 4511, 4.14. */
static bool ldap_asks(struct bytes up, struct bytes down)
{
	bool bad = false;
	struct rd r = rd_init(up, &bad), operation, name;
	uint8_t tag;

	(void)down;
	operation = ldap_operation(&r, &tag);
	if (tag != LDAP_EXTENDED_REQUEST)
		return false;
	name = ber_element(&operation, &tag);
	return !bad && bytes_equal(rd_rest(&name), bytes_str("1.3.6.1.4.1.1466.20037"));
}

static enum reply ldap_reply(struct bytes up, struct bytes down, const char **name)
{
	bool bad = false;
	struct rd r = rd_init(down, &bad), operation, code;
	uint8_t tag, outcome;

	(void)up;
	*name = "LDAP";
	operation = ldap_operation(&r, &tag);
	if (!bad && tag != LDAP_EXTENDED_RESPONSE)
		return REPLY_NO;
	code = ber_element(&operation, &outcome);
	outcome = rd_u8(&code);
	if (bad)
		return REPLY_MORE;
	return outcome == 0 ? REPLY_GO : REPLY_NO;
}

/* SSLRequest, answered with one letter. */
static bool postgresql_asks(struct bytes up, struct bytes down)
{
	static const uint8_t request[] = { 0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f };

	(void)down;
	return bytes_equal(up, bytes_of(request, sizeof(request)));
}

static enum reply postgresql_reply(struct bytes up, struct bytes down, const char **name)
{
	(void)up;
	*name = "PostgreSQL";
	if (down.n == 0)
		return REPLY_MORE;
	return down.p[0] == 'S' ? REPLY_GO : REPLY_NO;
}

/* A packet of 32 bytes, number 1, that says CLIENT_SSL, after the greeting of protocol 10: it is
 * cut short there, and TLS begins behind it without an answer. */
enum { MYSQL_REQUEST_SIZE = 36, MYSQL_CLIENT_SSL = 0x08 };
static const uint8_t mysql_header[] = { 32, 0, 0, 1 };

static bool mysql_asks(struct bytes up, struct bytes down)
{
	return bytes_starts(up, bytes_of(mysql_header, sizeof(mysql_header))) &&
	       up.n == MYSQL_REQUEST_SIZE && up.p[5] & MYSQL_CLIENT_SSL && down.n > 4 &&
	       down.p[3] == 0 && down.p[4] == 10;
}

static const struct starttls_rule rules[] = {
	{ smtp_asks, smtp_reply },
	{ imap_asks, imap_reply },
	{ pop3_asks, pop3_reply },
	{ ftp_asks, ftp_reply },
	{ xmpp_asks, xmpp_reply },
	{ ldap_asks, ldap_reply },
	{ postgresql_asks, postgresql_reply },
	{ mysql_asks, NULL },
};

static struct bytes turn_text(const struct starttls *s, enum flow_dir dir)
{
	return bytes_of(s->turn[dir].text, s->turn[dir].n);
}

static void turn_add(struct peel_turn *t, struct bytes in)
{
	size_t keep = t->n;

	in = in.n > sizeof(t->text) ? bytes_slice(in, in.n - sizeof(t->text), in.n) : in;
	if (keep > sizeof(t->text) - in.n)
		keep = sizeof(t->text) - in.n;
	memmove(t->text, t->text + t->n - keep, keep);
	if (in.n)
		memcpy(t->text + keep, in.p, in.n);
	t->n = keep + in.n;
}

static void find_ask(struct starttls *s)
{
	s->asked = NULL;
	s->name = NULL;
	for (size_t i = 0; i < ARRAY_LEN(rules); i++)
		if (rules[i].asks(turn_text(s, DIR_UP), turn_text(s, DIR_DOWN)))
			s->asked = &rules[i];
	if (s->asked && !s->asked->reply)
		s->name = "MySQL";
}

static void find_reply(struct starttls *s)
{
	const char *name = NULL;

	if (!s->asked || s->name)
		return;
	switch (s->asked->reply(turn_text(s, DIR_UP), turn_text(s, DIR_DOWN), &name)) {
	case REPLY_GO:
		s->name = name;
		break;
	case REPLY_NO:
		s->asked = NULL;
		break;
	case REPLY_MORE:
		break;
	}
}

void starttls_feed(struct starttls *s, enum flow_dir dir, struct bytes in)
{
	/* After the answer the dialogue begins anew. */
	if (!s->any || s->last != dir)
		s->turn[dir].n = 0;
	s->any = true;
	s->last = dir;
	turn_add(&s->turn[dir], in);
	if (dir == DIR_UP)
		find_ask(s);
	else
		find_reply(s);
}

bool starttls_waits(const struct starttls *s)
{
	return s->asked && !s->name;
}

/* How many bytes of in are the rest of MySQL's request; 0: they are no part of one. */
static size_t mysql_before(const struct peel_turn *turn, size_t have, struct bytes in)
{
	for (size_t i = 0; i < sizeof(mysql_header) && i < have + in.n; i++)
		if ((i < have ? turn->text[i] : in.p[i - have]) != mysql_header[i])
			return 0;
	return have < MYSQL_REQUEST_SIZE && have + in.n > MYSQL_REQUEST_SIZE
		       ? MYSQL_REQUEST_SIZE - have
		       : 0;
}

size_t starttls_before(const struct starttls *s, struct bytes in)
{
	bool begins = !s->any || s->last != DIR_UP;
	size_t request = mysql_before(&s->turn[DIR_UP], begins ? 0 : s->turn[DIR_UP].n, in);

	if (request)
		return request;
	/* The client's first word after the server's, or after it asked. */
	return begins || s->asked ? 0 : in.n;
}
