/* SPDX-License-Identifier: MIT */
/* Tunables by their sysctl names; see tunables.h. */
#include "tests/pkt/tunables.h"

#include "proto/stack_internal.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct tunable {
    const char *name;
    size_t offset;
    int64_t min, max;
} tunables[] = {
#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help)                                       \
    {sysctl, offsetof(struct tcp_tunables, name), min, max},
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
};

/* Linux sets several numbers at once; the n-th one is the tunable named here. */
static const struct {
    const char *name, *part[3];
} vectors[] = {
    {"tcp_rmem", {NULL, "tcp_rmem_default", "tcp_rmem_max"}},
    {"tcp_wmem", {NULL, "tcp_wmem_default", "tcp_wmem_max"}},
    {"ip_local_port_range", {"ip_local_port_range_min", "ip_local_port_range_max", NULL}},
};

/* What the core does not have yet: only the value that means "without it" is accepted. */
static const struct {
    const char *name, *values;
} absent[] = {
    {"tcp_sack", "0"},
    {"tcp_dsack", "0"},
    {"tcp_fack", "0"},
    {"tcp_ecn", "0 2"},
    {"tcp_early_retrans", "0"},
    {"tcp_recovery", "0"},
    {"tcp_fastopen", "0"},
    {"tcp_frto", "0"},
    {"tcp_mtu_probing", "0"},
    {"tcp_no_metrics_save", "1"},
    {"tcp_congestion_control", "reno"},
};

static int64_t *find(struct stack *st, const char *name, const struct tunable **out)
{
    for (size_t i = 0; i < sizeof(tunables) / sizeof(tunables[0]); i++) {
        if (strcmp(tunables[i].name, name) == 0) {
            *out = &tunables[i];
            return (int64_t *)((uint8_t *)&st->tcp.tunables + tunables[i].offset);
        }
    }
    return NULL;
}

static const char *set_one(struct stack *st, struct arena *a, const char *name, const char *value,
                           const char **rest)
{
    const struct tunable *t;
    int64_t *field = find(st, name, &t), v;
    char *end;

    if (!field)
        return arena_printf(a, "the core has no tunable %s", name);
    v = strtoll(value, &end, 0);
    if (end == value)
        return arena_printf(a, "%s: '%s' is not a number", name, value);
    if (v < t->min || v > t->max)
        return arena_printf(a, "%s: %lld is not in %lld..%lld", name, (long long)v,
                            (long long)t->min, (long long)t->max);
    *field = v;
    *rest = end;
    return NULL;
}

static const char *set_vector(struct stack *st, struct arena *a, size_t i, const char *value)
{
    for (int k = 0; k < 3; k++) {
        const char *why = NULL;
        char *end;

        value += strspn(value, " \t");
        if (!*value)
            return NULL;
        if (vectors[i].part[k]) {
            why = set_one(st, a, vectors[i].part[k], value, &value);
        } else {
            strtoll(value, &end, 0);
            value = end;
        }
        if (why)
            return why;
    }
    return NULL;
}

const char *tunable_set(struct stack *st, struct arena *a, const char *name, const char *value)
{
    const char *rest, *why;

    if (strncmp(name, "net.ipv4.", 9) == 0)
        name += 9;
    else if (strncmp(name, "net.core.", 9) == 0)
        name += 9;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
        if (strcmp(vectors[i].name, name) == 0)
            return set_vector(st, a, i, value);
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (strcmp(absent[i].name, name) == 0)
            if (strstr(absent[i].values, value))
                return NULL;
    why = set_one(st, a, name, value, &rest);
    return why                         ? why
           : rest[strspn(rest, " \t")] ? arena_printf(a, "%s takes one number", name)
                                       : NULL;
}

/* One name=value, the value perhaps in quotes. Returns what is behind it, NULL: malformed. */
static const char *pair(struct arena *a, const char *p, char **name, char **value)
{
    size_t n = strcspn(p, "= \t\n;");
    char quote;

    if (!n || p[n] != '=')
        return NULL;
    *name = arena_text(a, p, n);
    p += n + 1;
    quote = *p == '"' || *p == '\'' ? *p : 0;
    n = quote ? strcspn(p + 1, (char[]){quote, 0}) : strcspn(p, " \t\n;");
    *value = arena_text(a, p + !!quote, n);
    p += n + !!quote;
    return quote && *p != quote ? NULL : p + !!quote;
}

const char *tunable_command(struct arena *a, const char *line,
                            const char *(*set)(void *ctx, const char *name, const char *value),
                            void *ctx)
{
    bool in_command = false;
    const char *p = line, *why;
    char *name, *value;

    for (;;) {
        p += strspn(p, " \t\r");
        if (*p == '\n' || *p == ';' || !*p) {
            in_command = false;
            if (!*p++)
                return NULL;
        } else if (!in_command) {
            if (strncmp(p, "sysctl", 6) != 0 || !isspace((unsigned char)p[6]))
                return arena_printf(a, "only sysctl lines are understood, not '%.40s'", p);
            in_command = true;
            p += 6;
        } else if (*p == '-') {
            p += strcspn(p, " \t\n");
        } else {
            p = pair(a, p, &name, &value);
            if (!p)
                return "expected name=value";
            why = set(ctx, name, value);
            if (why)
                return why;
        }
    }
}
