/* SPDX-License-Identifier: MIT */
/* The setting `rto-min`; see rto_min.h. */
#include "daemon/rto_min.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLANKS " \t"

/* "50ms"; without a unit nobody could tell what is meant. */
static bool parse_time(const char *text, uint32_t *us)
{
    static const struct {
        const char *name;
        unsigned long in_us;
    } units[] = {{"us", 1}, {"ms", 1000}, {"s", 1000000}};
    size_t digits = strspn(text, "0123456789");
    unsigned long n;

    if (digits == 0 || digits > 7)
        return false;
    n = strtoul(text, NULL, 10);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        if (strcmp(text + digits, units[i].name) != 0)
            continue;
        *us = n > METRICS_RTO_MOST_US / units[i].in_us ? METRICS_RTO_MOST_US + 1
                                                       : (uint32_t)(n * units[i].in_us);
        return true;
    }
    return false;
}

/* Destroys `item`. */
static bool parse_item(char *item, struct metrics_rule *out)
{
    char *rest = NULL;
    const char *prefix = strtok_r(item, BLANKS, &rest), *time = strtok_r(NULL, BLANKS, &rest);

    return prefix && time && !strtok_r(NULL, BLANKS, &rest) &&
           ip_prefix_parse(prefix, &out->to) == 0 && parse_time(time, &out->rto_min_us);
}

static void why_not(int rc, const char *item, char *error, size_t room)
{
    if (rc == -ERANGE)
        snprintf(error, room, "rto-min must be %uus to %ums, not %.60s", METRICS_RTO_LEAST_US,
                 METRICS_RTO_MOST_US / 1000, item);
    else if (rc == -EEXIST)
        snprintf(error, room, "rto-min: this network is there already: %.60s", item);
    else
        snprintf(error, room, "rto-min: the address has bits behind its prefix: %.60s", item);
}

/* The n rules so far, of which the last one is new. */
static int judge(const struct metrics_rule *rules, size_t n, const char *item, char *error,
                 size_t room)
{
    size_t bad;
    int rc = metrics_check(rules, n, &bad);

    if (rc == 0)
        return 0;
    why_not(rc, item, error, room);
    return -EINVAL;
}

int rto_min_parse(const char *list, struct metrics_rule out[METRICS_MAX_RULES], char *error,
                  size_t room)
{
    size_t n = 0, len;

    for (;; list += len + 1) {
        char item[64], whole[64];

        list += strspn(list, BLANKS);
        len = strcspn(list, ",");
        snprintf(item, sizeof(item), "%.*s", (int)(len < sizeof(item) ? len : sizeof(item)), list);
        strcpy(whole, item);
        if (n == METRICS_MAX_RULES) {
            snprintf(error, room, "rto-min: more than %u networks", METRICS_MAX_RULES);
            return -EINVAL;
        }
        if (len >= sizeof(item) || !parse_item(item, &out[n])) {
            snprintf(error, room,
                     "rto-min: not of the form A/LEN TIME, ..., e.g. 10.0.0.0/8 50ms: "
                     "%.60s",
                     whole);
            return -EINVAL;
        }
        if (judge(out, n + 1, whole, error, room) < 0)
            return -EINVAL;
        n++;
        if (!list[len])
            return (int)n;
    }
}

void rto_min_apply(struct stack *st, const char *list)
{
    struct metrics_rule rules[METRICS_MAX_RULES];
    char error[1];
    int n = *list ? rto_min_parse(list, rules, error, sizeof(error)) : 0;

    /* it was checked when it was set: what fails here leaves the table as it is */
    if (n >= 0)
        (void)stack_set_metrics(st, rules, (size_t)n);
}
