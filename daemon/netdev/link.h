/* SPDX-License-Identifier: MIT */
/* The host's side of an interface, over rtnetlink(7). Used at start only: later there is no
 * privilege left. */
#ifndef TS_DAEMON_NETDEV_LINK_H
#define TS_DAEMON_NETDEV_LINK_H

#include "proto/stack.h"

#include <net/if.h>

/**
 * The kernel → TAP queue has no back-pressure, it drops: room for the largest receive window in the
 * smallest frames that fill it, with some to spare.
 */
#define LINK_TXQUEUELEN 40000

/**
 * Set MTU, queue length and, unless NULL, the address; bring the interface up. IPv6 is switched off
 * on it where that is possible and the address is not of IPv6. 0, or a negative errno value,
 * logged.
 */
int link_set_up(const char *name, uint32_t mtu, const struct ip_prefix *address);

/** Does a local interface have this address? Returns 1 and its name, 0, or a negative errno value.
 */
int link_has_address(const struct ip_addr *address, char name[IFNAMSIZ]);

/**
 * Does this kernel know IPv4 packets above 64 KiB, to be cut (BIG TCP, Linux 6.3)? It does when its
 * links have a size for them. 1, 0, or a negative errno value.
 */
int link_knows_big_ipv4(const char *name);

#endif
