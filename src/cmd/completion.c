#include "cmd/completion.h"

/* Goes over the rows of a table until the one without a name. */
#define EACH(type, it, table) for (const type *it = (table); it && it->name; it++)

/* A text inside single quotes of any of the three shells. */
static int quoted(struct buf *out, const char *text, struct err *e)
{
	if (buf_add(out, bytes_str("'"), e) < 0)
		return -1;
	for (; *text; text++) {
		if (buf_add(out, *text == '\'' ? bytes_str("'\\''") : bytes_of(text, 1), e) < 0)
			return -1;
	}
	return buf_add(out, bytes_str("'"), e);
}

/* --- bash --- */

static int bash_words(const struct args_verb *v, struct buf *out, struct err *e)
{
	EACH(struct args_option, o, v->options)
	{
		if (buf_printf(out, e, " --%s%s", o->name, o->value ? "=" : "") < 0)
			return -1;
		if (o->letter && buf_printf(out, e, " -%c", o->letter) < 0)
			return -1;
	}
	for (const char *const *a = v->actions; a && *a; a++) {
		if (buf_printf(out, e, " %s", *a) < 0)
			return -1;
	}
	return buf_printf(out, e, " --help");
}

static int bash_write(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	if (buf_printf(out, e,
		       "# bash completion for oriel\n_oriel()\n{\n"
		       "\tlocal word=${COMP_WORDS[COMP_CWORD]} words=\n"
		       "\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n\t\twords='") < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (buf_printf(out, e, "%s ", v->name) < 0)
			return -1;
	}
	if (buf_printf(out, e, "help version'\n\telse\n\t\tcase ${COMP_WORDS[1]} in\n") < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (buf_printf(out, e, "\t\t%s) words='", v->name) < 0 ||
		    bash_words(v, out, e) < 0 || buf_printf(out, e, "' ;;\n") < 0)
			return -1;
	}
	return buf_printf(out, e,
			  "\t\tesac\n\tfi\n"
			  "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
			  "\tcase ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n"
			  "\t[ ${#COMPREPLY[@]} -gt 0 ] || mapfile -t COMPREPLY < <(compgen -f -- "
			  "\"$word\")\n"
			  "}\ncomplete -o filenames -F _oriel oriel\n");
}

/* --- zsh --- */

/* Brackets and colons mean something in the specifications of _arguments. */
static int zsh_text(struct buf *out, const char *text, struct err *e)
{
	for (; *text; text++) {
		if (strchr("[]:\\'", *text) &&
		    buf_printf(out, e, *text == '\'' ? "'\\'" : "\\") < 0)
			return -1;
		if (buf_add(out, bytes_of(text, 1), e) < 0)
			return -1;
	}
	return 0;
}

static int zsh_option(const struct args_option *o, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, " \\\n\t\t\t'--%s%s[", o->name, o->value ? "=" : "") < 0 ||
	    zsh_text(out, o->help, e) < 0 || buf_printf(out, e, "]") < 0)
		return -1;
	if (o->value && (buf_printf(out, e, ":") < 0 || zsh_text(out, o->value, e) < 0 ||
			 buf_printf(out, e, ":_files") < 0))
		return -1;
	return buf_printf(out, e, "'");
}

static int zsh_verb(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "\t\t%s) _arguments '--help[this verb and its options]'", v->name) <
	    0)
		return -1;
	EACH(struct args_option, o, v->options)
	{
		if (zsh_option(o, out, e) < 0)
			return -1;
	}
	if (v->actions && buf_printf(out, e, " \\\n\t\t\t'1:what:(") < 0)
		return -1;
	for (const char *const *a = v->actions; a && *a; a++) {
		if (buf_printf(out, e, "%s%s", a == v->actions ? "" : " ", *a) < 0)
			return -1;
	}
	return buf_printf(out, e, "%s \\\n\t\t\t'*:file:_files' ;;\n", v->actions ? ")'" : "");
}

static int zsh_write(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "#compdef oriel\n_oriel()\n{\n\tlocal -a verbs\n\tverbs=(\n") < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (buf_printf(out, e, "\t\t'%s:", v->name) < 0 || zsh_text(out, v->help, e) < 0 ||
		    buf_printf(out, e, "'\n") < 0)
			return -1;
	}
	if (buf_printf(out, e,
		       "\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe verb verbs\n\telse\n"
		       "\t\tlocal verb=$words[2]\n\t\tshift words\n\t\t(( CURRENT-- ))\n\t\tcase "
		       "$verb in\n") < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (zsh_verb(v, out, e) < 0)
			return -1;
	}
	return buf_printf(out, e, "\t\tesac\n\tfi\n}\n_oriel \"$@\"\n");
}

/* --- fish --- */

static int fish_option(const struct args_verb *v, const struct args_option *o, struct buf *out,
		       struct err *e)
{
	if (buf_printf(out, e, "complete -c oriel -n '__fish_seen_subcommand_from %s' -l %s",
		       v->name, o->name) < 0)
		return -1;
	if (o->letter && buf_printf(out, e, " -s %c", o->letter) < 0)
		return -1;
	if (buf_printf(out, e, "%s -d ", o->value ? " -r" : "") < 0 || quoted(out, o->help, e) < 0)
		return -1;
	return buf_printf(out, e, "\n");
}

static int fish_verb(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "complete -c oriel -n __fish_use_subcommand -f -a %s -d ", v->name) <
		    0 ||
	    quoted(out, v->help, e) < 0 || buf_printf(out, e, "\n") < 0)
		return -1;
	EACH(struct args_option, o, v->options)
	{
		if (fish_option(v, o, out, e) < 0)
			return -1;
	}
	for (const char *const *a = v->actions; a && *a; a++) {
		if (buf_printf(out, e,
			       "complete -c oriel -n '__fish_seen_subcommand_from %s' -f -a %s\n",
			       v->name, *a) < 0)
			return -1;
	}
	return 0;
}

static int fish_write(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "# fish completion for oriel\n") < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (fish_verb(v, out, e) < 0)
			return -1;
	}
	return 0;
}

int completion_write(const struct args_verb *verbs, const char *shell, struct buf *out,
		     struct err *e)
{
	static const struct {
		const char *shell;
		int (*write)(const struct args_verb *verbs, struct buf *out, struct err *e);
	} shells[] = { { "bash", bash_write }, { "zsh", zsh_write }, { "fish", fish_write } };

	for (size_t i = 0; i < ARRAY_LEN(shells); i++) {
		if (strcmp(shell, shells[i].shell) == 0)
			return shells[i].write(verbs, out, e);
	}
	return FAIL(e, USAGE, "completion: there are bash, zsh and fish; not %s", shell);
}
