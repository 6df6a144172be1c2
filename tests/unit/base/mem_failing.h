/* SPDX-License-Identifier: MIT */
/*
 * A struct mem whose Nth allocation fails, and the headers that every test here needs.
 */
#ifndef TS_TESTS_UNIT_BASE_MEM_FAILING_H
#define TS_TESTS_UNIT_BASE_MEM_FAILING_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/base/mem.h"

struct failing {
    uint64_t calls;   /* allocations tried */
    uint64_t fail_at; /* the call that fails, from 1; 0 for none */
    uint64_t fail_to; /* the last call that fails; 0 for fail_at only */
};

static inline void *failing_alloc(void *ctx, size_t size)
{
    struct failing *f = ctx;
    uint64_t call = ++f->calls;
    uint64_t to = f->fail_to ? f->fail_to : f->fail_at;

    if (f->fail_at && call >= f->fail_at && call <= to)
        return NULL;
    return size % MEM_PAGE ? malloc(size) : aligned_alloc(MEM_PAGE, size);
}

/* A mem without limit over f. */
static inline struct mem failing_mem(struct failing *f)
{
    struct mem m;

    mem_init(&m, 0);
    m.alloc = failing_alloc;
    m.ctx = f;
    return m;
}

#endif
