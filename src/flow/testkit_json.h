/* JSON checked against what was promised: a small part of JSON Schema (type, properties, required,
 * additionalProperties: false, items, enum, const, minimum, anyOf, $ref into
 * $defs), and HAR 1.2's rules.
 * For tests and the fuzz target. */
#ifndef FLOW_TESTKIT_JSON_H
#define FLOW_TESTKIT_JSON_H

#include <jansson.h>

#include "base/bytes.h"

/* NULL when value fits schema, a node of root; else a sentence in room about the first place that
 * does not. */
const char *schema_fault(const json_t *root, const json_t *schema, const json_t *value, char *room,
			 size_t size);
/* NULL when text is a HAR 1.2 file with that many entries, else what is wrong. */
const char *har_fault(struct bytes text, size_t entries, char *room, size_t size);

#endif
