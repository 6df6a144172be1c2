/* SPDX-License-Identifier: MIT */
/* A link's description in words; see relay_link.h. */
#include "tests/net/relay_link.h"

#include <ctype.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

static const struct unit rates[] = {{"", 1}, {"K", 1000}, {"M", 1000000}, {"G", 1000000000}, {0}};
static const struct unit sizes[] = {{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {0}};
static const struct unit times[] = {{"us", 1000}, {"ms", RELAY_MS}, {"s", RELAY_S}, {0}};
static const struct unit plain[] = {{"", 1}, {0}};

/* A number with a unit, the end of which is `stop`; moves *text behind that. */
static int number(const char **text, char stop, const struct unit *units, uint64_t *out)
{
    char *unit;
    uint64_t n;
    const char *end = strchr(*text, stop);

    if (!end)
        return -EINVAL;
    if (!isdigit((unsigned char)**text))
        return -EINVAL;
    errno = 0;
    n = strtoull(*text, &unit, 10);
    if (errno)
        return -errno;
    for (; units->name; units++) {
        size_t len = strlen(units->name);
        if (len != (size_t)(end - unit) || memcmp(units->name, unit, len) != 0)
            continue;
        if (n && units->factor > UINT64_MAX / n)
            return -ERANGE;
        *out = n * units->factor;
        *text = end + (stop != '\0');
        return 0;
    }
    return -EINVAL;
}

static int permille(const char **text, char stop, unsigned *out)
{
    uint64_t n;
    int r = number(text, stop, plain, &n);

    if (r < 0 || n > 1000)
        return -EINVAL;
    *out = (unsigned)n;
    return 0;
}

static int both(const char *text, const struct unit *first, uint64_t *a, const struct unit *second,
                uint64_t *b)
{
    int r = number(&text, ':', first, a);

    return r < 0 ? r : number(&text, '\0', second, b);
}

/* What a queue of some time holds depends on the rate, so it is worked out at the end. */
struct pending {
    uint64_t queue_time;
};

static int set(struct relay_config *c, struct pending *p, const char *key, const char *value)
{
    if (!strcmp(key, "rate"))
        return number(&value, '\0', rates, &c->rate);
    if (!strcmp(key, "delay"))
        return number(&value, '\0', times, &c->delay);
    if (!strcmp(key, "jitter"))
        return number(&value, '\0', times, &c->jitter);
    if (!strcmp(key, "queue"))
        return number(&value, '\0', sizes, &c->queue) == 0
                   ? 0
                   : number(&value, '\0', times, &p->queue_time);
    if (!strcmp(key, "loss"))
        return permille(&value, '\0', &c->loss);
    if (!strcmp(key, "dup"))
        return permille(&value, '\0', &c->dup);
    if (!strcmp(key, "reorder"))
        return permille(&value, ':', &c->reorder) < 0 ? -EINVAL
                                                      : number(&value, '\0', times, &c->reorder_by);
    if (!strcmp(key, "police"))
        return both(value, rates, &c->police_rate, sizes, &c->police_burst);
    if (!strcmp(key, "outage"))
        return both(value, times, &c->outage_from, times, &c->outage_to);
    if (!strcmp(key, "seed"))
        return number(&value, '\0', plain, &c->seed);
    return -EINVAL;
}

int relay_config_parse(struct relay_config *c, const char *text, const char **wrong)
{
    struct pending p = {0};
    char word[64];

    while (*text) {
        size_t len = strcspn(text, ",");
        char *value;

        *wrong = text;
        if (len >= sizeof(word))
            return -EINVAL;
        memcpy(word, text, len);
        word[len] = '\0';
        value = strchr(word, '=');
        if (!value)
            return -EINVAL;
        *value++ = '\0';
        if (set(c, &p, word, value) < 0)
            return -EINVAL;
        text += len + (text[len] == ',');
    }
    *wrong = "queue in units of time without a rate";
    if (p.queue_time && !c->rate)
        return -EINVAL;
    if (p.queue_time)
        c->queue = (uint64_t)((unsigned __int128)p.queue_time * c->rate / (8 * RELAY_S));
    *wrong = NULL;
    return 0;
}
