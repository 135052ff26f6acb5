/* What becomes of each extension of the origin's certificate in its mimic: one declared table. */
#ifndef PKI_MIMIC_TABLE_H
#define PKI_MIMIC_TABLE_H

#include "base/bytes.h"

enum mimic_action {
	MIMIC_COPY,	 /* value byte for byte, critical as it was */
	MIMIC_RECOMPUTE, /* made afresh for the mimic's key and issuer */
	MIMIC_DROP,
};

struct mimic_rule {
	const char *name;   /* as the RFC spells it */
	const char *dotted; /* OID as text */
	struct bytes oid;   /* its content */
	enum mimic_action action;
	const char *reason; /* one clause for the log */
};

/* NULL: not known; such an extension is dropped and noted. */
const struct mimic_rule *mimic_rule_find(struct bytes oid);
const struct mimic_rule *mimic_rules(size_t *count);
const char *mimic_action_text(enum mimic_action a); /* "copied", "recomputed", "dropped" */

#endif
