/* SPDX-License-Identifier: MIT */
/* Tunables by their sysctl names; see tunables.h. */
#include "tests/pkt/tunables.h"

#include "proto/stack.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* What the core does not have yet: only the value that means "without it" is accepted. */
static const struct {
    const char *name, *values;
} absent[] = {
    {"tcp_fack", "0"},
    {"tcp_fastopen", "0"},
    {"tcp_no_metrics_save", "1"},
};

const char *tunable_set(struct stack *st, struct arena *a, const char *name, const char *value)
{
    int err;

    if (strncmp(name, "net.ipv4.", 9) == 0)
        name += 9;
    else if (strncmp(name, "net.core.", 9) == 0)
        name += 9;
    for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
        if (strcmp(absent[i].name, name) == 0)
            if (strstr(absent[i].values, value))
                return NULL;
    err = stack_tunable_set(st, name, value);
    if (err == -ENOENT)
        return arena_printf(a, "the core has no tunable %s", name);
    if (err)
        return arena_printf(a, "%s: '%s': %s", name, value, strerror(-err));
    return NULL;
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
