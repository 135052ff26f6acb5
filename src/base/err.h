/* Faults. A struct err is made once, where the fault is detected, gets context on the way up and
 * is printed once at the top. A function that can fail takes it last and returns 0 or -1. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/bytes.h"

/* Exit status by class of error, the same for every verb. */
enum exit_status {
	EXIT_OK = 0,
	EXIT_FAULT = 1,	  /* the machine, the network, a file */
	EXIT_USAGE = 2,	  /* the command line */
	EXIT_PARTIAL = 3, /* done, but not all of it */
	EXIT_CONFIG = 4,  /* the configuration file */
	EXIT_INPUT = 5,	  /* bytes from outside that cannot be used */
};

/* code, exit status, first sentence */
/* clang-format off */
#define ERR_TABLE(X)                                                            \
	X(NONE,         EXIT_OK,     "no error")                                \
	X(NOMEM,        EXIT_FAULT,  "out of memory")                           \
	X(LIMIT,        EXIT_FAULT,  "a limit was reached")                     \
	X(SYSTEM,       EXIT_FAULT,  "the system refused")                      \
	X(FILE,         EXIT_FAULT,  "a file cannot be used")                   \
	X(UNSAFE_FILE,  EXIT_FAULT,  "a file is not safe to hold secrets")      \
	X(USAGE,        EXIT_USAGE,  "the command line is wrong")               \
	X(CONFIG,       EXIT_CONFIG, "the configuration is wrong")              \
	X(WIRE_DECODE,  EXIT_INPUT,  "malformed bytes")                         \
	X(TLS_DECODE,   EXIT_INPUT,  "malformed TLS")                           \
	X(TLS_ALERT,    EXIT_FAULT,  "the peer sent a TLS alert")               \
	X(TLS_PROTOCOL, EXIT_FAULT,  "the TLS handshake failed")                \
	X(NAME,         EXIT_INPUT,  "not a host name")                         \
	X(DER,          EXIT_INPUT,  "malformed DER")                           \
	X(CERT,         EXIT_INPUT,  "a certificate cannot be used")            \
	X(KEY,          EXIT_INPUT,  "a private key cannot be used")            \
	X(CRYPTO,       EXIT_FAULT,  "the crypto library failed")               \
	X(HTTP_DECODE,  EXIT_INPUT,  "malformed HTTP")                          \
	X(DNS,          EXIT_FAULT,  "a name cannot be resolved")               \
	X(CONNECT,      EXIT_FAULT,  "a connection cannot be made")             \
	X(TIMEOUT,      EXIT_FAULT,  "it took too long")                        \
	X(REFUSED,      EXIT_FAULT,  "refused by policy")                       \
	X(CLOSED,       EXIT_FAULT,  "the peer closed the connection")          \
	X(UNSUPPORTED,  EXIT_FAULT,  "not supported here")
/* clang-format on */

enum err_code {
#define ERR_CODE(name, status, sentence) ERR_##name,
	ERR_TABLE(ERR_CODE)
#undef ERR_CODE
		ERR_COUNT
};

struct err {
	enum err_code code;
	int sys;	    /* errno at the fault, or 0 */
	const char *origin; /* file:line of the code that detected it */
	char sentence[400]; /* for a person: what, with numbers and names; cut off, never overrun */
};

#define ERR_STRING2(x) #x
#define ERR_STRING(x) ERR_STRING2(x)
#define ERR_ORIGIN __FILE__ ":" ERR_STRING(__LINE__)

/* Fills e (which may be NULL) and yields -1. FAIL_SYS adds errno and its text. */
#define FAIL(e, name, ...) err_minus_one(err_set((e), ERR_##name, 0, ERR_ORIGIN, __VA_ARGS__))
#define FAIL_SYS(e, name, ...)                                                                     \
	err_minus_one(err_set((e), ERR_##name, errno, ERR_ORIGIN, __VA_ARGS__))

/* What err_set yields, visible to a compiler and a static analyser that sees one file only. */
static inline int err_minus_one(int failed)
{
	(void)failed;
	return -1;
}

int err_set(struct err *e, enum err_code code, int sys, const char *origin, const char *fmt, ...)
	PRINTF_LIKE(5, 6);
/* Puts "fmt: " before the sentence and yields -1. */
#define err_ctx(e, ...) err_minus_one(err_prefix((e), __VA_ARGS__))
int err_prefix(struct err *e, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum exit_status err_exit_status(const struct err *e);
const char *err_name(enum err_code code);	    /* "TLS_DECODE" */
const char *err_first_sentence(enum err_code code); /* "malformed TLS" */

#endif
