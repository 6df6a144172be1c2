/* SPDX-License-Identifier: MIT */
/*
 * pcap and pcapng, in this machine's byte order, to savefile.file; errors stay in its stdio flag.
 */
#ifndef TS_CLIENT_CLI_SAVEFILE_FORMAT_H
#define TS_CLIENT_CLI_SAVEFILE_FORMAT_H

#include "client/cli/savefile.h"

/** What stands before the first frame. Returns bytes. */
uint64_t format_begin(const struct savefile *s);
/** What a frame with so many bytes will take. */
uint64_t format_size(const struct savefile *s, uint32_t caplen);
/** One frame. Returns bytes. */
uint64_t format_packet(const struct savefile *s, const struct capture_record *r, const void *bytes);
/** What stands behind the last one. */
void format_end(const struct savefile *s);

#endif
