/* SPDX-License-Identifier: MIT */
/* The faults of a configuration; see faults.h. */
#include "daemon/faults.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void faults_add(struct faults *f, unsigned line, const char *format, ...)
{
    va_list args;

    f->count++;
    if (f->kept == FAULTS_MOST)
        return;
    if (!f->list)
        f->list = calloc(FAULTS_MOST, sizeof(*f->list));
    if (!f->list)
        return;
    f->list[f->kept].line = line;
    va_start(args, format);
    vsnprintf(f->list[f->kept].text, FAULT_TEXT, format, args);
    va_end(args);
    f->kept++;
}

/* Few: by insertion, which keeps the order of equals. */
void faults_sort(struct faults *f)
{
    for (size_t i = 1; i < f->kept; i++) {
        struct fault one = f->list[i];
        size_t at = i;

        for (; at > 0 && f->list[at - 1].line > one.line; at--)
            f->list[at] = f->list[at - 1];
        f->list[at] = one;
    }
}

void faults_free(struct faults *f)
{
    free(f->list);
    *f = (struct faults){0};
}

void fault_format(const struct fault *f, const char *path, char *out, size_t room)
{
    if (f->line && path)
        snprintf(out, room, "%s:%u: %s", path, f->line, f->text);
    else
        snprintf(out, room, "%s", f->text);
}
