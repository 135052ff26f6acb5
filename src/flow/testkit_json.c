#include "flow/testkit_json.h"

#include <stdio.h>

struct check {
	const json_t *root;
	char *room;
	size_t size;
};

static const char *fault(const struct check *c, const char *path, const char *what)
{
	snprintf(c->room, c->size, "%s: %s", path, what);
	return c->room;
}

static bool is_type(const json_t *value, const char *type)
{
	if (strcmp(type, "object") == 0)
		return json_is_object(value);
	if (strcmp(type, "array") == 0)
		return json_is_array(value);
	if (strcmp(type, "string") == 0)
		return json_is_string(value);
	if (strcmp(type, "integer") == 0)
		return json_is_integer(value);
	if (strcmp(type, "number") == 0)
		return json_is_number(value);
	return strcmp(type, "boolean") == 0 && json_is_boolean(value);
}

static const char *check(const struct check *c, const json_t *schema, const json_t *value,
			 const char *path);

static const char *check_object(const struct check *c, const json_t *schema, const json_t *value,
				const char *path)
{
	const json_t *properties = json_object_get(schema, "properties");
	const json_t *required = json_object_get(schema, "required"), *name, *member;
	const char *key, *wrong;
	size_t i;

	json_array_foreach(required, i, name)
	{
		if (!json_object_get(value, json_string_value(name)))
			return fault(c, path, json_string_value(name));
	}
	json_object_foreach((json_t *)value, key, member)
	{
		const json_t *rule = json_object_get(properties, key);
		char below[300];

		snprintf(below, sizeof(below), "%s.%s", path, key);
		if (!rule && json_is_false(json_object_get(schema, "additionalProperties")))
			return fault(c, below, "is not in the schema");
		wrong = rule ? check(c, rule, member, below) : NULL;
		if (wrong)
			return wrong;
	}
	return NULL;
}

static const char *check_items(const struct check *c, const json_t *rule, const json_t *value,
			       const char *path)
{
	const json_t *item;
	size_t i;

	json_array_foreach(value, i, item)
	{
		char below[300];
		const char *wrong;

		snprintf(below, sizeof(below), "%s[%zu]", path, i);
		wrong = check(c, rule, item, below);
		if (wrong)
			return wrong;
	}
	return NULL;
}

static bool is_one_of(const json_t *list, const json_t *value)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (json_equal(item, value))
			return true;
	}
	return false;
}

static const char *check(const struct check *c, const json_t *schema, const json_t *value,
			 const char *path)
{
	const char *ref = json_string_value(json_object_get(schema, "$ref"));
	const char *type = json_string_value(json_object_get(schema, "type"));
	const json_t *constant = json_object_get(schema, "const");
	const json_t *list = json_object_get(schema, "enum");
	const json_t *minimum = json_object_get(schema, "minimum");
	const json_t *items = json_object_get(schema, "items");
	const json_t *any = json_object_get(schema, "anyOf"), *choice;
	size_t i;

	if (ref && strncmp(ref, "#/$defs/", 8) == 0) {
		const json_t *there = json_object_get(json_object_get(c->root, "$defs"), ref + 8);

		return there ? check(c, there, value, path) : fault(c, ref, "leads nowhere");
	}
	if (any) {
		json_array_foreach(any, i, choice)
		{
			if (!check(c, choice, value, path))
				return NULL;
		}
		return fault(c, path, "fits none of what it may be");
	}
	if (type && !is_type(value, type))
		return fault(c, path, type);
	if (constant && !json_equal(constant, value))
		return fault(c, path, "is another constant");
	if (list && !is_one_of(list, value))
		return fault(c, path, "is none of the listed values");
	if (minimum && json_number_value(value) < json_number_value(minimum))
		return fault(c, path, "is too small");
	if (items && json_is_array(value))
		return check_items(c, items, value, path);
	return json_is_object(value) ? check_object(c, schema, value, path) : NULL;
}

const char *schema_fault(const json_t *root, const json_t *schema, const json_t *value, char *room,
			 size_t size)
{
	const struct check c = { root, room, size };

	return check(&c, schema, value, "$");
}

/* The members that HAR 1.2 says every object has ("optional" ones only have their types checked). */
static const char har_schema[] =
	"{\"type\":\"object\",\"required\":[\"log\"],\"additionalProperties\":false,\"properties\":"
	"{\"log\":{\"type\":\"object\",\"required\":[\"version\",\"creator\",\"entries\"],"
	"\"properties\":{\"version\":{\"const\":\"1.2\"},\"pages\":{\"type\":\"array\"},"
	"\"creator\":{\"required\":[\"name\",\"version\"],\"properties\":{"
	"\"name\":{\"type\":\"string\"},\"version\":{\"type\":\"string\"}}},"
	"\"entries\":{\"type\":\"array\",\"items\":{\"$ref\":\"#/$defs/entry\"}}}}},"
	"\"$defs\":{"
	"\"pairs\":{\"type\":\"array\",\"items\":{\"type\":\"object\",\"required\":[\"name\","
	"\"value\"],\"properties\":{\"name\":{\"type\":\"string\"},\"value\":{\"type\":\"string\"},"
	"\"path\":{\"type\":\"string\"},\"domain\":{\"type\":\"string\"},\"httpOnly\":{\"type\":"
	"\"boolean\"},\"secure\":{\"type\":\"boolean\"}}}},"
	"\"time\":{\"type\":\"number\",\"minimum\":0},\"maybe\":{\"type\":\"number\",\"minimum\":-"
	"1},"
	"\"size\":{\"type\":\"integer\",\"minimum\":-1},"
	"\"entry\":{\"type\":\"object\",\"required\":[\"startedDateTime\",\"time\",\"request\","
	"\"response\",\"cache\",\"timings\"],\"properties\":{"
	"\"startedDateTime\":{\"type\":\"string\"},\"time\":{\"$ref\":\"#/$defs/time\"},"
	"\"cache\":{\"type\":\"object\"},\"serverIPAddress\":{\"type\":\"string\"},"
	"\"connection\":{\"type\":\"string\"},\"comment\":{\"type\":\"string\"},"
	"\"request\":{\"type\":\"object\",\"required\":[\"method\",\"url\",\"httpVersion\","
	"\"cookies\",\"headers\",\"queryString\",\"headersSize\",\"bodySize\"],\"properties\":{"
	"\"method\":{\"type\":\"string\"},\"url\":{\"type\":\"string\"},\"httpVersion\":{\"type\":"
	"\"string\"},\"cookies\":{\"$ref\":\"#/$defs/pairs\"},\"headers\":{\"$ref\":"
	"\"#/$defs/pairs\"},\"queryString\":{\"$ref\":\"#/$defs/pairs\"},\"headersSize\":{\"$ref\":"
	"\"#/$defs/size\"},\"bodySize\":{\"$ref\":\"#/$defs/size\"},"
	"\"postData\":{\"type\":\"object\",\"required\":[\"mimeType\",\"params\",\"text\"],"
	"\"properties\":{\"mimeType\":{\"type\":\"string\"},\"text\":{\"type\":\"string\"},"
	"\"params\":{\"$ref\":\"#/$defs/pairs\"}}}}},"
	"\"response\":{\"type\":\"object\",\"required\":[\"status\",\"statusText\",\"httpVersion\","
	"\"cookies\",\"headers\",\"content\",\"redirectURL\",\"headersSize\",\"bodySize\"],"
	"\"properties\":{\"status\":{\"type\":\"integer\"},\"statusText\":{\"type\":\"string\"},"
	"\"httpVersion\":{\"type\":\"string\"},\"cookies\":{\"$ref\":\"#/$defs/"
	"pairs\"},\"headers\":"
	"{\"$ref\":\"#/$defs/pairs\"},\"redirectURL\":{\"type\":\"string\"},\"headersSize\":{"
	"\"$ref\":\"#/$defs/size\"},\"bodySize\":{\"$ref\":\"#/$defs/size\"},\"content\":{\"type\":"
	"\"object\",\"required\":[\"size\",\"mimeType\"],\"properties\":{\"size\":{\"$ref\":"
	"\"#/$defs/"
	"size\"},\"compression\":{\"type\":\"integer\"},\"mimeType\":{\"type\":\"string\"},"
	"\"text\":{\"type\":\"string\"},\"encoding\":{\"const\":\"base64\"}}}}},"
	"\"timings\":{\"type\":\"object\",\"required\":[\"send\",\"wait\",\"receive\"],"
	"\"properties\":{\"blocked\":{\"$ref\":\"#/$defs/maybe\"},\"dns\":{\"$ref\":"
	"\"#/$defs/maybe\"},\"connect\":{\"$ref\":\"#/$defs/maybe\"},\"ssl\":{\"$ref\":"
	"\"#/$defs/maybe\"},\"send\":{\"$ref\":\"#/$defs/time\"},\"wait\":{\"$ref\":"
	"\"#/$defs/time\"},\"receive\":{\"$ref\":\"#/$defs/time\"}}}}}}}";

/* "time is the sum of all timings (without -1)"; ssl is part of connect. */
static const char *check_sum(const json_t *entry)
{
	const json_t *timings = json_object_get(entry, "timings"), *value;
	double sum = 0, time = json_number_value(json_object_get(entry, "time"));
	const char *key;

	json_object_foreach((json_t *)timings, key, value)
	{
		if (strcmp(key, "ssl") != 0 && json_number_value(value) > 0)
			sum += json_number_value(value);
	}
	return sum - time < 0.01 && time - sum < 0.01 ? NULL : "time is not the sum of the timings";
}

const char *har_fault(struct bytes text, size_t entries, char *room, size_t size)
{
	json_t *schema = json_loads(har_schema, 0, NULL);
	json_error_t error;
	json_t *har = json_loadb((const char *)text.p, text.n, JSON_ALLOW_NUL, &error);
	json_t *list = json_object_get(json_object_get(har, "log"), "entries"), *entry;
	const char *wrong;
	size_t i;

	if (!schema)
		wrong = "the schema itself is no JSON";
	else if (!har)
		wrong = fault(&(struct check){ NULL, room, size }, "not JSON", error.text);
	else
		wrong = schema_fault(schema, schema, har, room, size);
	if (!wrong && json_array_size(list) != entries)
		wrong = "another number of entries";
	if (!wrong) {
		json_array_foreach(list, i, entry)
		{
			if (!wrong)
				wrong = check_sum(entry);
		}
	}
	json_decref(har);
	json_decref(schema);
	return wrong;
}
