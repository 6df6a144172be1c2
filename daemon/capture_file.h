/* SPDX-License-Identifier: MIT */
/*
 * --capture: all frames to a pcap file with nanosecond times (tcpdump, tshark, Wireshark read it).
 */
#ifndef TS_DAEMON_CAPTURE_FILE_H
#define TS_DAEMON_CAPTURE_FILE_H

#include "daemon/capture.h"

struct capture_file;

/** Create the file and begin. 0 or a negative errno value, logged. A write error later (a full
 * disk) ends the capture, with one log line. */
int capture_file_open(struct captures *all, const char *path, struct capture_file **out);
/** Write what is buffered and close. NULL is allowed. */
void capture_file_close(struct capture_file *c);

#endif
