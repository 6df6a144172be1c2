/* SPDX-License-Identifier: MIT */
/*
 * Captured frames to a file, or a series of files: pcap with nanoseconds, or pcapng
 * (draft-ietf-opsawg-pcapng) with the interface's name, each frame's direction and, at the end, how
 * many were dropped.
 *
 * A series is named as tcpdump(8) does it: FILE, FILE1, FILE2, …; with a number of files FILE0 to
 * FILE9, which are used again; a FILE with % conversions goes through strftime(3) (local time), and
 * then their number ends the series.
 */
#ifndef TS_CLIENT_CLI_SAVEFILE_H
#define TS_CLIENT_CLI_SAVEFILE_H

#include "ipc/capture.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct savefile_options {
    const char *path; /**< "-": standard output */
    bool pcapng;
    uint32_t snaplen;
    uint64_t max_bytes;   /**< of one file, unless a single frame is larger; 0: no limit */
    uint32_t max_seconds; /**< from its first frame; 0: no limit */
    uint32_t files;       /**< 0: no limit */
    const char *interface, *filter; /**< for pcapng */
};

struct savefile {
    struct savefile_options options;
    FILE *file;
    char name[4096];
    uint64_t bytes;            /**< written to this one */
    uint64_t began_ns;         /**< its first frame; 0: none yet */
    uint32_t index;            /**< of this one in the series */
    uint64_t matched, dropped; /**< what the daemon counts; kept up to date by the caller */
};

/** Begin. 0 or -1 with errno; `name` says where. */
int savefile_open(struct savefile *s, const struct savefile_options *options);

/** One more frame. 0; -1 with errno; 1: the series is complete, and the frame not in it. */
int savefile_write(struct savefile *s, const struct capture_record *r, const void *bytes);

/** 0 or -1 with errno. */
int savefile_flush(struct savefile *s);

/** The end. 0, or -1 with errno when not all could be written. */
int savefile_close(struct savefile *s);

#endif
