/* The verbs besides `oriel run`, for the table in main.c: what each takes and what it does. Each
 * returns the exit status; what went wrong was printed. */
#ifndef CMD_VERBS_H
#define CMD_VERBS_H

#include "cmd/args.h"

extern const struct args_option env_options[], exec_options[], browser_options[], trust_options[],
	read_verb_options[], flows_options[], secrets_options[], certs_options[], keys_options[];
extern const char *const trust_actions[], *const secrets_actions[], *const certs_actions[];
int env_verb(const struct args_verb *verb, void *args);
int exec_verb(const struct args_verb *verb, void *args);
int browser_verb(const struct args_verb *verb, void *args);
int trust_verb(const struct args_verb *verb, void *args);
int flows_verb(const struct args_verb *verb, void *args);
int read_verb(const struct args_verb *verb, void *args);
int demo_verb(const struct args_verb *verb, void *args);
int doctor_verb(const struct args_verb *verb, void *args);
int certs_verb(const struct args_verb *verb, void *args);
int secrets_verb(const struct args_verb *verb, void *args);
int keys_verb(const struct args_verb *verb, void *args);

/* Prints the sentence; returns the status that goes with it. */
int verb_fail(const struct err *e);
/* Writes all of it to standard output: EXIT_OK, or the status of a failure that was printed. */
int verb_print(struct bytes text);

/* Text that is the same for every verb that asks the one that runs. */
#define ADMIN_OPTION                                                                               \
	{                                                                                          \
		"admin", 0, "PATH",                                                                \
			"the admin socket of the oriel to ask, instead of the usual one"           \
	}

#endif
