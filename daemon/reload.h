/* SPDX-License-Identifier: MIT */
/*
 * A reload: the file is read again by the process of daemon/reread.h while the loop goes on; when
 * it has come, it is checked as a whole, and put in force (daemon/settings.h) or, with a fault,
 * changes nothing.
 */
#ifndef TS_DAEMON_RELOAD_H
#define TS_DAEMON_RELOAD_H

#include "daemon/notices.h"
#include "daemon/reread.h"
#include "daemon/settings.h"

#include <stdbool.h>

struct reload {
    struct settings *settings;
    struct reread reader;
    bool under_way, again;
    struct notices notices; /**< what came of the last one */
    /* Told of the beginning and, later, of the end of a reload; may be NULL. Every `begun` is
     * followed by one `ended`. */
    void (*begun)(void *ctx);
    void (*ended)(void *ctx, bool done);
    void *ctx;
};

/** 0: it has begun, or comes right after the one that is under way; -ENOENT: the daemon was started
 * without a file; -EPIPE: it cannot be read again. What is wrong is logged. */
int reload_begin(struct reload *r);

/** The reader's descriptor is readable. True: the last reload asked for has ended; r->notices says
 * what came of it. */
bool reload_ready(struct reload *r);

void reload_free(struct reload *r);

#endif
