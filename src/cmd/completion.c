#include "cmd/completion.h"

/* Goes over the rows of a table until the one without a name. */
#define EACH(type, it, table) for (const type *it = (table); it && it->name; it++)

/* Verbs that args_parse knows without a row of the table. */
static const struct args_verb own_verbs[] = {
	{ .name = "help", .help = "the usage of all verbs, or of one" },
	{ .name = "version", .help = "the version" },
	{ 0 },
};

/* What may stand for a value: told by the word that names it in the usage. */
enum kind { KIND_TEXT, KIND_FILE, KIND_FOLDER, KIND_PROGRAM };

static enum kind kind_of(const char *value)
{
	static const struct {
		const char *word;
		enum kind kind;
	} kinds[] = { { "FILE", KIND_FILE },
		      { "PATH", KIND_FILE },
		      { "DIR", KIND_FOLDER },
		      { "PROGRAM", KIND_PROGRAM } };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(value, kinds[i].word) == 0)
			return kinds[i].kind;
	}
	return KIND_TEXT;
}

static bool takes_files(const struct args_verb *v)
{
	return v->operands && (strstr(v->operands, ".yaml") || strstr(v->operands, "FILE"));
}

static bool takes_program(const struct args_verb *v)
{
	return v->command && v->command_needed;
}

static int add(struct buf *out, const char *text, struct err *e)
{
	return buf_add(out, bytes_str(text), e);
}

/* text with a backslash before each of the characters of special; to stand inside single quotes of
 * any of the three shells. */
static int quoted(struct buf *out, const char *text, const char *special, struct err *e)
{
	for (; *text; text++) {
		if (*text == '\'') {
			if (add(out, "'\\''", e) < 0)
				return -1;
			continue;
		}
		if (strchr(special, *text) && add(out, "\\", e) < 0)
			return -1;
		if (buf_add(out, bytes_of(text, 1), e) < 0)
			return -1;
	}
	return 0;
}

/* The names of both tables, parted by spaces. */
static int names(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	EACH(struct args_verb, v, verbs)
	{
		if (buf_printf(out, e, "%s ", v->name) < 0)
			return -1;
	}
	return add(out, "help version", e);
}

static int actions(const struct args_verb *v, struct buf *out, struct err *e)
{
	for (const char *const *a = v->actions; a && *a; a++) {
		if (buf_printf(out, e, "%s%s", a == v->actions ? "" : " ", *a) < 0)
			return -1;
	}
	return 0;
}

/* --- bash --- */

static const char *const bash_kinds[] = { [KIND_TEXT] = "text",
					  [KIND_FILE] = "file",
					  [KIND_FOLDER] = "directory",
					  [KIND_PROGRAM] = "command" };

/* readline takes --name=value apart at the equals sign. */
static const char bash_begin[] =
	"\tlocal verb=${COMP_WORDS[1]} word=${COMP_WORDS[COMP_CWORD]}\n"
	"\tlocal before=${COMP_WORDS[COMP_CWORD-1]} words='' what='' rest='' i\n\n"
	"\tCOMPREPLY=()\n"
	"\tif [ \"$word\" = '=' ]; then\n\t\tword=\n"
	"\telif [ \"$before\" = '=' ]; then\n\t\tbefore=${COMP_WORDS[COMP_CWORD-2]}\n\tfi\n"
	"\tcase $verb in\n";

static const char bash_end[] =
	"\thelp) words=$verbs ;;\n\tesac\n"
	"\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	"\t\t[ \"${COMP_WORDS[i]}\" = -- ] || continue\n"
	"\t\twords='' what='file'\n"
	"\t\t[ \"$rest\" = command ] || break\n"
	"\t\tif declare -F _command_offset >/dev/null; then\n"
	"\t\t\t_command_offset $((i + 1))\n\t\t\treturn\n\t\tfi\n"
	"\t\t[ \"$COMP_CWORD\" -ne $((i + 1)) ] || what='command'\n"
	"\t\tbreak\n\tdone\n"
	"\t[ \"$COMP_CWORD\" -ne 1 ] || words=$verbs what='' rest=''\n"
	"\tif [ -z \"$what\" ]; then\n"
	"\t\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
	"\t\tcase ${COMPREPLY[0]-} in *=) compopt -o nospace ;; esac\n"
	"\t\t[ ${#COMPREPLY[@]} -eq 0 ] && [ \"$rest\" = file ] || return 0\n"
	"\t\twhat='file'\n\tfi\n"
	"\t[ \"$what\" != text ] || return 0\n"
	"\tcompopt -o filenames\n"
	"\tmapfile -t COMPREPLY < <(compgen -A \"$what\" -- \"$word\")\n"
	"}\ncomplete -F _oriel oriel\n";

static int bash_words(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (add(out, "\t\twords='", e) < 0)
		return -1;
	EACH(struct args_option, o, v->options)
	{
		if (buf_printf(out, e, "--%s%s ", o->name, o->value ? "=" : "") < 0)
			return -1;
		if (o->letter && buf_printf(out, e, "-%c ", o->letter) < 0)
			return -1;
	}
	if (add(out, "--help -h --version ", e) < 0 || actions(v, out, e) < 0)
		return -1;
	return add(out, "'\n", e);
}

/* What may follow an option. */
static int bash_values(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (add(out, "\t\tcase $before in\n", e) < 0)
		return -1;
	EACH(struct args_option, o, v->options)
	{
		if (o->value && buf_printf(out, e, "\t\t--%s) what='%s' ;;\n", o->name,
					   bash_kinds[kind_of(o->value)]) < 0)
			return -1;
	}
	return add(out, "\t\t*) what='' ;;\n\t\tesac\n", e);
}

static int bash_verb(const struct args_verb *v, struct buf *out, struct err *e)
{
	const char *rest = takes_program(v) ? "command" : takes_files(v) ? "file" : "text";

	if (buf_printf(out, e, "\t%s)\n\t\trest='%s'\n", v->name, rest) < 0 ||
	    bash_words(v, out, e) < 0 || bash_values(v, out, e) < 0)
		return -1;
	return add(out, "\t\t;;\n", e);
}

static int bash_write(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	if (add(out, "# bash completion for oriel\n_oriel()\n{\n\tlocal verbs='", e) < 0 ||
	    names(verbs, out, e) < 0 || add(out, "'\n", e) < 0 || add(out, bash_begin, e) < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (bash_verb(v, out, e) < 0)
			return -1;
	}
	return add(out, bash_end, e);
}

/* --- zsh --- */

/* _arguments reads these in an option's text. */
static const char zsh_special[] = "[]:\\";

static const char *const zsh_kinds[] = { [KIND_TEXT] = " ",
					 [KIND_FILE] = "_files",
					 [KIND_FOLDER] = "_files -/",
					 [KIND_PROGRAM] = "_command_names -e" };

static const char zsh_end[] = "\t\tesac\n\tfi\n}\n"
			      "if [ \"$funcstack[1]\" = _oriel ]; then\n\t_oriel \"$@\"\n"
			      "else\n\tcompdef _oriel oriel\nfi\n";

/* '(-v --verbose)'{-v,--verbose}'[text]' or '--har=[text]:FILE:_files' */
static int zsh_option(const struct args_option *o, struct buf *out, struct err *e)
{
	const char *equals = o->value ? "=" : "";

	if (add(out, " \\\n\t\t\t", e) < 0)
		return -1;
	if (o->letter && buf_printf(out, e, "'(-%c --%s)'{-%c%s,--%s%s}'[", o->letter, o->name,
				    o->letter, o->value ? "+" : "", o->name, equals) < 0)
		return -1;
	if (!o->letter && buf_printf(out, e, "'--%s%s[", o->name, equals) < 0)
		return -1;
	if (quoted(out, o->help, zsh_special, e) < 0 || add(out, "]", e) < 0)
		return -1;
	if (o->value && (add(out, ":", e) < 0 || quoted(out, o->value, zsh_special, e) < 0 ||
			 buf_printf(out, e, ":%s", zsh_kinds[kind_of(o->value)]) < 0))
		return -1;
	return add(out, "'", e);
}

static int zsh_operands(const struct args_verb *v, struct buf *out, struct err *e)
{
	const char *begin = v->actions_only_offered ? "{compadd -- " : "(";
	const char *end = v->actions_only_offered ? "; _files}'" : ")'";

	if (v->actions && (buf_printf(out, e, " \\\n\t\t\t'1:what:%s", begin) < 0 ||
			   actions(v, out, e) < 0 || add(out, end, e) < 0))
		return -1;
	if (takes_files(v) && add(out, " \\\n\t\t\t'*:file:_files'", e) < 0)
		return -1;
	if (takes_program(v) && add(out, " \\\n\t\t\t'*:::command:_normal'", e) < 0)
		return -1;
	return add(out, " ;;\n", e);
}

static int zsh_verb(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (buf_printf(out, e,
		       "\t\t%s) _arguments -S '(-h --help)'{-h,--help}'[this verb and its "
		       "options]' \\\n"
		       "\t\t\t'--version[the version]'",
		       v->name) < 0)
		return -1;
	EACH(struct args_option, o, v->options)
	{
		if (zsh_option(o, out, e) < 0)
			return -1;
	}
	return zsh_operands(v, out, e);
}

static int zsh_names(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	EACH(struct args_verb, v, verbs)
	{
		if (buf_printf(out, e, "\t\t'%s:", v->name) < 0 ||
		    quoted(out, v->help, "\\", e) < 0 || add(out, "'\n", e) < 0)
			return -1;
	}
	return 0;
}

static int zsh_write(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	if (add(out, "#compdef oriel\n_oriel()\n{\n\tlocal -a verbs\n\tverbs=(\n", e) < 0 ||
	    zsh_names(verbs, out, e) < 0 || zsh_names(own_verbs, out, e) < 0 ||
	    add(out,
		"\t)\n\tif (( CURRENT == 2 )); then\n\t\t_describe verb verbs\n\telse\n"
		"\t\tlocal verb=$words[2]\n\t\tshift words\n\t\t(( CURRENT-- ))\n"
		"\t\tcase $verb in\n\t\thelp) _describe verb verbs ;;\n",
		e) < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (zsh_verb(v, out, e) < 0)
			return -1;
	}
	return add(out, zsh_end, e);
}

/* --- fish --- */

static const char *const fish_kinds[] = { [KIND_TEXT] = " -x",
					  [KIND_FILE] = " -r -F",
					  [KIND_FOLDER] = " -x -a '(__fish_complete_directories)'",
					  [KIND_PROGRAM] = " -x -a '(__fish_complete_command)'" };

/* The beginning of a line that counts behind the verb. */
static int fish_behind(const char *verb, struct buf *out, struct err *e)
{
	return buf_printf(out, e, "complete -c oriel -n '__fish_seen_subcommand_from %s'", verb);
}

/* The description, and the end of the line. */
static int fish_text(const char *text, struct buf *out, struct err *e)
{
	if (add(out, " -d '", e) < 0 || quoted(out, text, "\\", e) < 0)
		return -1;
	return add(out, "'\n", e);
}

static int fish_option(const struct args_verb *v, const struct args_option *o, struct buf *out,
		       struct err *e)
{
	if (fish_behind(v->name, out, e) < 0 || buf_printf(out, e, " -l %s", o->name) < 0)
		return -1;
	if (o->letter && buf_printf(out, e, " -s %c", o->letter) < 0)
		return -1;
	if (o->value && add(out, fish_kinds[kind_of(o->value)], e) < 0)
		return -1;
	return fish_text(o->help, out, e);
}

/* Where the first operand is an action, files come behind it. */
static int fish_files(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (!v->actions || v->actions_only_offered)
		return fish_behind(v->name, out, e) < 0 ? -1 : add(out, " -F\n", e);
	if (buf_printf(out, e,
		       "complete -c oriel -n '__fish_seen_subcommand_from %s; and "
		       "__fish_seen_subcommand_from ",
		       v->name) < 0 ||
	    actions(v, out, e) < 0)
		return -1;
	return add(out, "' -F\n", e);
}

static int fish_operands(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (v->actions && (fish_behind(v->name, out, e) < 0 || add(out, " -a '", e) < 0 ||
			   actions(v, out, e) < 0 || add(out, "'\n", e) < 0))
		return -1;
	if (takes_files(v) && fish_files(v, out, e) < 0)
		return -1;
	if (takes_program(v) &&
	    (fish_behind(v->name, out, e) < 0 ||
	     add(out, " -a '(__fish_complete_subcommand --fcs-skip=2)'\n", e) < 0))
		return -1;
	return 0;
}

static int fish_name(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (buf_printf(out, e, "complete -c oriel -n __fish_use_subcommand -a %s", v->name) < 0)
		return -1;
	return fish_text(v->help, out, e);
}

static int fish_verb(const struct args_verb *v, struct buf *out, struct err *e)
{
	if (fish_name(v, out, e) < 0)
		return -1;
	EACH(struct args_option, o, v->options)
	{
		if (fish_option(v, o, out, e) < 0)
			return -1;
	}
	return fish_operands(v, out, e);
}

static int fish_write(const struct args_verb *verbs, struct buf *out, struct err *e)
{
	if (add(out,
		"# fish completion for oriel\ncomplete -c oriel -f\n"
		"complete -c oriel -l help -s h -d 'this verb and its options'\n"
		"complete -c oriel -l version -d 'the version'\n",
		e) < 0)
		return -1;
	EACH(struct args_verb, v, verbs)
	{
		if (fish_verb(v, out, e) < 0)
			return -1;
	}
	EACH(struct args_verb, v, own_verbs)
	{
		if (fish_name(v, out, e) < 0)
			return -1;
	}
	if (fish_behind("help", out, e) < 0 || add(out, " -a '", e) < 0 || names(verbs, out, e) < 0)
		return -1;
	return add(out, "'\n", e);
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
