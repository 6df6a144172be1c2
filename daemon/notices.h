/* SPDX-License-Identifier: MIT */
/* What came of a reload, line by line: for the log and for who asked for it. */
#ifndef TS_DAEMON_NOTICES_H
#define TS_DAEMON_NOTICES_H

#include "ipc/wire.h"

#include <stddef.h>

struct notices {
    struct wire_notice *list;
    size_t count, room;
};

/** Add one and log it. Without memory it is only logged. */
void notices_add(struct notices *n, enum wire_notice_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void notices_free(struct notices *n);

#endif
