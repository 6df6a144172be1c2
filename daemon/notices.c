/* SPDX-License-Identifier: MIT */
/* What came of a reload; see notices.h. */
#include "daemon/notices.h"

#include "daemon/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keep(struct notices *n, const struct wire_notice *one)
{
    if (n->count == n->room) {
        size_t room = n->room ? 2 * n->room : 16;
        struct wire_notice *more = realloc(n->list, room * sizeof(*more));

        if (!more)
            return;
        n->list = more;
        n->room = room;
    }
    n->list[n->count++] = *one;
}

void notices_add(struct notices *n, enum wire_notice_kind kind, const char *format, ...)
{
    static const enum log_level levels[] = {[WIRE_NOTICE_FAULT] = LEVEL_ERROR,
                                            [WIRE_NOTICE_CHANGED] = LEVEL_INFO,
                                            [WIRE_NOTICE_RESTART] = LEVEL_WARNING};
    struct wire_notice one;
    va_list args;

    memset(&one, 0, sizeof(one));
    one.kind = kind;
    va_start(args, format);
    vsnprintf(one.text, sizeof(one.text), format, args);
    va_end(args);
    log_at(levels[kind], "%s", one.text);
    keep(n, &one);
}

void notices_free(struct notices *n)
{
    free(n->list);
    *n = (struct notices){0};
}
