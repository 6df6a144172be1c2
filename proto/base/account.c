/* SPDX-License-Identifier: MIT */
/* Extents on an account; see account.h. */
#include "proto/base/account.h"

void account_init(struct account *a, struct extent_pool *extents, uint64_t limit)
{
    *a = (struct account){.extents = extents, .limit = limit};
}

struct extent account_extent_get(struct account *a, uint32_t size)
{
    struct account *payer = account_payer(a);
    struct extent none = {0}, e;

    if (size > EXTENT_MIN && !account_has_room(payer, size))
        return none;
    e = extent_get(a->extents, size);
    account_charge(payer, e.size);
    return e;
}

void account_extent_put(struct account *a, struct extent e)
{
    if (e.base)
        account_refund(account_payer(a), e.size);
    extent_put(a->extents, e);
}
