/* SPDX-License-Identifier: MIT */
/*
 * A capture of all frames, both ways, to a pcap file with nanosecond times (tcpdump, tshark,
 * Wireshark read it). Frames that carry a partial checksum are completed in the capture's copy, so
 * that no reader sees a bad one; an offloaded frame is written as the one large frame that it is.
 */
#ifndef TS_DAEMON_CAPTURE_H
#define TS_DAEMON_CAPTURE_H

#include "proto/stack.h"

struct capture;

/** Create the file. 0 or a negative errno value, logged. */
int capture_open(const char *path, struct capture **out);
/** Write what is buffered and close. NULL is allowed. */
void capture_close(struct capture *c);

/** One frame at this wall-clock moment. A write error (a full disk) ends the capture, with one log
 * line. */
void capture_frame(struct capture *c, const struct frame *f);
/** Give what is buffered to the file; cheap when there is nothing. NULL is allowed. */
void capture_flush(struct capture *c);

#endif
