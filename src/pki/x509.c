#include "pki/x509.h"

#include <time.h>

#include "wire/der.h"

struct bytes x509_name(const X509_NAME *name)
{
	const unsigned char *p = NULL;
	size_t n = 0;

	if (X509_NAME_get0_der(name, &p, &n) != 1)
		return (struct bytes){ 0 };
	return bytes_of(p, n);
}

struct bytes x509_string(const ASN1_STRING *s)
{
	int n = s ? ASN1_STRING_length(s) : 0;

	return n > 0 ? bytes_of(ASN1_STRING_get0_data(s), (size_t)n) : (struct bytes){ 0 };
}

bool x509_time(const ASN1_TIME *t, int64_t *out)
{
	struct tm tm;
	struct civil c;

	if (ASN1_TIME_to_tm(t, &tm) != 1)
		return false;
	c = (struct civil){ .year = tm.tm_year + 1900,
			    .month = tm.tm_mon + 1,
			    .day = tm.tm_mday,
			    .hour = tm.tm_hour,
			    .minute = tm.tm_min,
			    .second = tm.tm_sec };
	*out = civil_to_unix(&c);
	return true;
}
