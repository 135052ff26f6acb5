#include "flow/regex.h"

#include "base/mem.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#define PATTERN_MAX 4096
#define STEPS_MAX 200000
#define DEPTH_MAX 1000
#define HEAP_MAX_KIB 512

struct regex {
	pcre2_general_context *memory;
	pcre2_code *code;
	pcre2_match_data *data; /* keeps the memory of one match for the next */
	pcre2_match_context *limits;
};

static void *take(size_t n, void *ctx)
{
	(void)ctx;
	return mem_resize(NULL, n ? n : 1);
}

static void give(void *p, void *ctx)
{
	(void)ctx;
	mem_free(p);
}

void regex_free(struct regex *r)
{
	if (!r)
		return;
	pcre2_match_context_free(r->limits);
	pcre2_match_data_free(r->data);
	pcre2_code_free(r->code);
	pcre2_general_context_free(r->memory);
	mem_free(r);
}

static int compile(struct regex *r, struct bytes pattern, struct err *e)
{
	pcre2_compile_context *context = pcre2_compile_context_create(r->memory);
	unsigned options = PCRE2_CASELESS | PCRE2_DOTALL | PCRE2_NEVER_UTF |
			   PCRE2_NEVER_BACKSLASH_C | PCRE2_NO_AUTO_CAPTURE;
	PCRE2_UCHAR text[120];
	PCRE2_SIZE at = 0;
	int code = 0;

	if (!context)
		return FAIL(e, NOMEM, "a regular expression");
	(void)pcre2_set_max_pattern_length(context, PATTERN_MAX);
	(void)pcre2_set_parens_nest_limit(context, 100);
	r->code = pcre2_compile(pattern.n ? pattern.p : (const uint8_t *)"", pattern.n, options,
				&code, &at, context);
	pcre2_compile_context_free(context);
	if (r->code)
		return 0;
	if (code == PCRE2_ERROR_NOMEMORY || code == 121)
		return FAIL(e, NOMEM, "a regular expression");
	if (pcre2_get_error_message(code, text, sizeof(text)) < 0)
		text[0] = 0;
	return FAIL(e, USAGE, "the regular expression is wrong at its character %zu: %s", at + 1,
		    (const char *)text);
}

int regex_new(struct bytes pattern, struct regex **out, struct err *e)
{
	struct regex *r = mem_new(sizeof(*r));

	if (!r)
		return FAIL(e, NOMEM, "a regular expression");
	r->memory = pcre2_general_context_create(take, give, NULL);
	if (!r->memory) {
		regex_free(r);
		return FAIL(e, NOMEM, "a regular expression");
	}
	if (compile(r, pattern, e) < 0) {
		regex_free(r);
		return -1;
	}
	r->data = pcre2_match_data_create(1, r->memory);
	r->limits = pcre2_match_context_create(r->memory);
	if (!r->data || !r->limits) {
		regex_free(r);
		return FAIL(e, NOMEM, "a regular expression");
	}
	(void)pcre2_set_match_limit(r->limits, STEPS_MAX);
	(void)pcre2_set_depth_limit(r->limits, DEPTH_MAX);
	(void)pcre2_set_heap_limit(r->limits, HEAP_MAX_KIB);
	/* The memory of ordinary matches is taken now. */
	(void)regex_matches(r, bytes_str(""));
	*out = r;
	return 0;
}

bool regex_matches(struct regex *r, struct bytes text)
{
	return pcre2_match(r->code, text.n ? text.p : (const uint8_t *)"", text.n, 0, 0, r->data,
			   r->limits) >= 0;
}
