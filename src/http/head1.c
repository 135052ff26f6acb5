#include "http/head1.h"

#include "base/mem.h"

void head1_reset(struct head1 *h)
{
	h->count = 0;
	h->named = true;
	h->odd = 0;
	h->target = h->reason = (struct span){ 0 };
}

static uint32_t end_of(struct span s)
{
	return s.at + s.n;
}

bool head1_extend(struct span *part, struct span piece)
{
	if (end_of(piece) > HTTP_HEAD_MAX)
		return false;
	if (part->n == 0)
		part->at = piece.at;
	part->n = end_of(piece) - part->at;
	return true;
}

/* Between a value and the next name lies CRLF, or a bare LF. */
static void look_at_line_end(struct head1 *h, uint32_t at)
{
	struct span last = h->count ? h->values[h->count - 1] : h->reason;

	if (last.n && at - end_of(last) == 1)
		h->odd |= HTTP_ODD_BARE_LF;
}

bool head1_name(struct head1 *h, struct span piece)
{
	if (h->named) {
		if (h->count == HTTP_HEADERS_MAX)
			return false;
		look_at_line_end(h, piece.at);
		h->names[h->count] = h->values[h->count] = (struct span){ 0 };
		h->count++;
		h->named = false;
	}
	return head1_extend(&h->names[h->count - 1], piece);
}

bool head1_value(struct head1 *h, struct span piece)
{
	struct span *value = &h->values[h->count - 1];

	if (value->n && piece.n && end_of(*value) != piece.at)
		h->odd |= HTTP_ODD_FOLD;
	return head1_extend(value, piece);
}

size_t head1_reach(const struct head1 *h)
{
	struct span last = h->target.n ? h->target : h->reason;

	if (h->count) {
		last = h->names[h->count - 1];
		if (h->values[h->count - 1].n)
			last = h->values[h->count - 1];
	}
	return end_of(last);
}

void head1_headers(const struct head1 *h, struct bytes text, struct http_header *out)
{
	for (size_t i = 0; i < h->count; i++) {
		out[i].name = head1_part(text, h->names[i]);
		out[i].value = bytes_trim(head1_part(text, h->values[i]));
	}
}

/* Where "://" is when a scheme stands before it, or target.n. */
static size_t scheme_end(struct bytes target)
{
	size_t colon = bytes_index(target, ':');

	if (colon > 0 && bytes_starts(bytes_slice(target, colon, 3), bytes_str("://")) &&
	    bytes_index(bytes_slice(target, 0, colon), '/') == colon)
		return colon;
	return target.n;
}

void head1_target(struct bytes target, bool connect, struct http_head *out)
{
	struct bytes rest;
	size_t colon, path = 0;

	if (connect) {
		out->authority = target;
		return;
	}
	out->path = target;
	if (target.n && (target.p[0] == '/' || target.p[0] == '*'))
		return;
	colon = scheme_end(target);
	if (colon == target.n)
		return;
	out->scheme = bytes_slice(target, 0, colon);
	rest = bytes_slice(target, colon + 3, target.n);
	while (path < rest.n && rest.p[path] != '/' && rest.p[path] != '?')
		path++;
	out->authority = bytes_slice(rest, 0, path);
	out->path = path < rest.n ? bytes_slice(rest, path, rest.n) : bytes_str("/");
}

void head1_kept_free(struct head1_kept *k)
{
	if (!k)
		return;
	buf_fini(&k->text);
	mem_free(k);
}
