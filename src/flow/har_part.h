/* The parts of an entry that are read out of headers and bodies. Each writes one member of an
 * object. Only for har.c. */
#ifndef FLOW_HAR_PART_H
#define FLOW_HAR_PART_H

#include "flow/har.h"
#include "flow/view.h"

void har_query(struct put *w, struct bytes path, bool mask);
void har_cookies(struct put *w, const struct message *m, bool mask);
void har_set_cookies(struct put *w, const struct message *m, bool mask);
void har_post_data(struct put *w, const struct message *m, const struct har_options *o);
void har_content(struct put *w, const struct message *m, const struct har_options *o);

#endif
