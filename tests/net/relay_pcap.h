/* SPDX-License-Identifier: MIT */
/* A capture of one side of the emulated link: pcap with nanoseconds, frames cut to their headers.
 */
#ifndef TS_TESTS_NET_RELAY_PCAP_H
#define TS_TESTS_NET_RELAY_PCAP_H

#include <stdint.h>
#include <stdio.h>

struct relay_pcap {
    FILE *file; /* NULL: nothing is captured */
};

/** Returns 0 or a negative errno value. */
int relay_pcap_open(struct relay_pcap *p, const char *name);
void relay_pcap_write(struct relay_pcap *p, uint64_t ns, const uint8_t *frame, uint32_t len);
void relay_pcap_close(struct relay_pcap *p);

#endif
