#include "http/filter.h"

bool filter_is_framing(struct bytes name)
{
	static const char *const fields[] = {
		"content-length",
		"transfer-encoding",
		"connection",
		"keep-alive",
		"upgrade",
		"host",
		"te",
		"trailer",
	};

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		if (bytes_equal_nocase(name, bytes_str(fields[i])))
			return true;
	return false;
}

static int check(struct bytes name, struct bytes value, struct err *e)
{
	if (!http_is_token(name))
		return FAIL(e, REFUSED, "a header's name is letters, digits and !#$%%&'*+-.^_`|~");
	if (!http_is_value(value))
		return FAIL(e, REFUSED, "the value of header %.*s has control characters",
			    BYTES_FMT(name));
	if (filter_is_framing(name))
		return FAIL(e, REFUSED, "header %.*s frames or routes the message: not for filters",
			    BYTES_FMT(name));
	return 0;
}

static struct bytes copy(struct filter_edit *edit, struct bytes b)
{
	struct bytes kept = bytes_of(edit->text + edit->used, b.n);

	if (b.n)
		memcpy(edit->text + edit->used, b.p, b.n);
	edit->used += b.n;
	return kept;
}

static int add(struct filter_edit *edit, enum header_edit_kind kind, struct http_header h,
	       struct err *e)
{
	struct header_edit *new;

	if (check(h.name, h.value, e) < 0)
		return -1;
	if (edit->count == FILTER_EDITS_MAX || h.name.n > sizeof(edit->text) - edit->used ||
	    h.value.n > sizeof(edit->text) - edit->used - h.name.n)
		return FAIL(e, LIMIT, "a filter may change %d headers with %d bytes at once",
			    FILTER_EDITS_MAX, FILTER_TEXT_MAX);
	new = &edit->edits[edit->count++];
	new->kind = kind;
	new->header.name = copy(edit, h.name);
	new->header.value = copy(edit, h.value);
	return 0;
}

int filter_set(struct filter_edit *edit, struct bytes name, struct bytes value, struct err *e)
{
	return add(edit, HEADER_SET, (struct http_header){ name, value }, e);
}

int filter_add(struct filter_edit *edit, struct bytes name, struct bytes value, struct err *e)
{
	return add(edit, HEADER_ADD, (struct http_header){ name, value }, e);
}

int filter_remove(struct filter_edit *edit, struct bytes name, struct err *e)
{
	return add(edit, HEADER_REMOVE, (struct http_header){ .name = name }, e);
}

static enum filter_answer header_on_head(void *ctx, const struct http_head *head,
					 struct filter_edit *edit)
{
	const struct filter_header *f = ctx;
	int status;

	if (head->dir != HTTP_UP)
		return FILTER_PASS;
	status = f->add ? filter_add(edit, f->name, f->value, NULL)
			: filter_set(edit, f->name, f->value, NULL);
	/* It was checked when the rule was read, and is the only edit. */
	return status == 0 ? FILTER_CHANGED : FILTER_PASS;
}

int filter_header_init(struct filter_header *f, struct http_filter *out, struct err *e)
{
	if (check(f->name, f->value, e) < 0)
		return -1;
	if (f->name.n + f->value.n > FILTER_TEXT_MAX)
		return FAIL(e, LIMIT, "a header of more than %d bytes", FILTER_TEXT_MAX);
	*out = (struct http_filter){ .name = "set-header", .on_head = header_on_head, .ctx = f };
	return 0;
}
