/* SPDX-License-Identifier: MIT */
/* See fail_alloc.h. The memory is virtual.c's, which counts and checks at the end of each run. */
#include "tests/pkt/fail_alloc.h"
#include "tests/pkt/report.h"
#include "tests/pkt/virtual.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST 2000 /* allocations of one script that are tried */

/* One run; returns what is wrong, or NULL. *over: there is no such allocation. */
static const char *run(struct virtual *v, const char *path, const char *source, uint64_t nth,
                       bool *over)
{
    struct outcome o = {.passed = true};
    const char *error;
    struct script *s;

    arena_reset(v->target.arena);
    s = script_parse(v->target.arena, path, source, &error);
    if (!s) {
        *over = true;
        return NULL;
    }
    v->memory = (struct virtual_memory){.watched = true, .fail_at = nth};
    runner_play(&v->target, s, &o);
    *over = v->memory.allocs < nth;
    return v->memory.complaint;
}

static bool play(struct virtual *v, int number, const char *path)
{
    char *source = script_read(path);
    const char *why = NULL;
    bool over = false;
    uint64_t nth = 0;

    while (!why && !over && nth < MOST)
        why = run(v, path, source, ++nth, &over);
    free(source);
    if (why)
        printf("not ok %d - %s: allocation %" PRIu64 " fails: %s\n", number, path, nth, why);
    else
        printf("ok %d - %s: %" PRIu64 " allocations\n", number, path, nth - 1);
    return !why;
}

int fail_alloc_play(const struct script_list *list)
{
    struct arena a = {0};
    struct target *t = virtual_new(&a);
    int failed = 0;

    printf("1..%d\n", list->n);
    for (int i = 0; i < list->n; i++)
        failed += !play((struct virtual *)t, i + 1, list->path[i]);
    virtual_free(t);
    arena_free(&a);
    return failed;
}
