/* SPDX-License-Identifier: MIT */
/*
 * The configuration file, read again by a daemon that may open nothing any more: a process of its
 * own, made before anything else is open, reads that one file when it is told to, looks up the
 * users and groups in it, and sends both. It is told by one byte whose value does not matter, has
 * no privilege that the daemon has not, and ends with it.
 */
#ifndef TS_DAEMON_REREAD_H
#define TS_DAEMON_REREAD_H

#include "daemon/names.h"
#include "daemon/privileges.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** What comes before the text. */
struct reread_head {
    int32_t error; /**< 0, or a negative errno value: nothing follows */
    uint32_t names_len, text_len;
};

struct reread {
    int fd; /**< to the process, non-blocking; -1: there is none */
    bool asked;
    bool broken; /**< the process is gone, or talks nonsense */
    struct reread_head head;
    size_t got; /**< of the answer */
    char *body; /**< names, NUL, text, NUL */
};

/**
 * Make the process, which changes to `user` as the daemon will. 0 or a negative errno value,
 * logged; r->fd is then -1.
 */
int reread_start(struct reread *r, const char *path, const struct privileges_user *user);
void reread_stop(struct reread *r);

/** Ask; the answer makes r->fd readable. 0, -EALREADY, or -EPIPE: the process is gone. */
int reread_ask(struct reread *r);

/**
 * Take what there is of the answer. 1: it is complete, *names is the caller's (names_list_free) and
 * so is *text (free). 0: not yet. A negative errno value: the file cannot be read, or, with
 * r->broken, the process is gone.
 */
int reread_take(struct reread *r, struct names_list *names, char **text, size_t *len);

#endif
