/* Who of two is the client, by one segment. */
#ifndef TAP_FRONT_CLIENT_H
#define TAP_FRONT_CLIENT_H

#include "wire/packet.h"

/* Whether the sender of s is the client of its flow. */
bool front_from_client(const struct packet_segment *s);

#endif
