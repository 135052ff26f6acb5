/* struct addr ↔ the kernel's socket addresses. */
#ifndef NET_SOCKADDR_H
#define NET_SOCKADDR_H

#include "wire/addr.h"

#include <sys/socket.h>

/* Returns the length to hand to the kernel. */
socklen_t sockaddr_from(const struct addr *a, struct sockaddr_storage *out);
/* False for other families, or when it is too short; an IPv4 address mapped into IPv6 becomes IPv4. */
bool sockaddr_to(const struct sockaddr *sa, socklen_t n, struct addr *out);

#endif
