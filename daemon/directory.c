/* SPDX-License-Identifier: MIT */
/* Which worker has which descriptor; see directory.h. */
#include "daemon/directory.h"

void directory_init(struct directory *d)
{
    pthread_mutex_init(&d->lock, NULL);
    cookies_init(&d->table);
}

void directory_destroy(struct directory *d)
{
    cookies_destroy(&d->table);
    pthread_mutex_destroy(&d->lock);
}

/* A value is never NULL: the index and one. */
int directory_put(struct directory *d, uint64_t cookie, unsigned worker)
{
    int rc;

    pthread_mutex_lock(&d->lock);
    rc = cookies_put(&d->table, cookie, (void *)(uintptr_t)(worker + 1));
    pthread_mutex_unlock(&d->lock);
    return rc;
}

void directory_remove(struct directory *d, uint64_t cookie)
{
    pthread_mutex_lock(&d->lock);
    (void)cookies_remove(&d->table, cookie);
    pthread_mutex_unlock(&d->lock);
}

int directory_find(struct directory *d, uint64_t cookie)
{
    uintptr_t value;

    pthread_mutex_lock(&d->lock);
    value = (uintptr_t)cookies_get(&d->table, cookie);
    pthread_mutex_unlock(&d->lock);
    return (int)value - 1;
}
