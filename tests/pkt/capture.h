/* SPDX-License-Identifier: MIT */
/* What passed by in a run, as a pcap file (LINKTYPE_RAW, microseconds). */
#ifndef TS_TESTS_PKT_CAPTURE_H
#define TS_TESTS_PKT_CAPTURE_H

#include "tests/pkt/target.h"

/** Write `folder`/`name`.pcap, making the folder if need be. 0 or a negative errno value. */
int capture_write(const struct capture *c, const char *folder, const char *name);

#endif
