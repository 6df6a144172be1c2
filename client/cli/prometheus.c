/* SPDX-License-Identifier: MIT */
/*
 * Prometheus's text format: all samples of one name follow its HELP and TYPE lines, so a family is
 * written as a whole where its first member stands.
 */
#include "client/cli/stats.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

static const struct family {
    const char *prefix, *help;
} families[] = {
    {"tcp_stop_", "times that a connection did not send, by reason"},
    {"tcp_undo_", "reductions of the congestion window that were taken back, by what showed it"},
};

#define FAMILIES (sizeof(families) / sizeof(families[0]))

static const struct family *family_of(const char *name)
{
    for (size_t i = 0; i < FAMILIES; i++)
        if (!strncmp(name, families[i].prefix, strlen(families[i].prefix)))
            return &families[i];
    return NULL;
}

/* A help text may hold anything but a line's end and a lone backslash. */
static void print_help(FILE *to, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            fputs("\\n", to);
        else if (*text == '\\')
            fputs("\\\\", to);
        else
            putc(*text, to);
    }
}

static void print_head(FILE *to, const char *name, int len, bool counts, const char *help)
{
    const char *end = counts ? "_total" : "";

    fprintf(to, "# HELP tapstack_%.*s%s ", len, name, end);
    print_help(to, help);
    fprintf(to, "\n# TYPE tapstack_%.*s%s %s\n", len, name, end, counts ? "counter" : "gauge");
}

static void print_family(FILE *to, const struct family *f, const struct wire_counter *list,
                         size_t n)
{
    int len = (int)strlen(f->prefix) - 1; /* without its underscore */

    print_head(to, f->prefix, len, true, f->help);
    for (size_t i = 0; i < n; i++)
        if (family_of(list[i].name) == f)
            fprintf(to, "tapstack_%.*s_total{reason=\"%s\"} %" PRIu64 "\n", len, f->prefix,
                    list[i].name + len + 1, list[i].value);
}

void prometheus_print(FILE *to, const struct wire_counter *list, size_t n)
{
    bool done[FAMILIES] = {false};

    for (size_t i = 0; i < n; i++) {
        const struct wire_counter *c = &list[i];
        const struct family *f = family_of(c->name);
        bool counts = c->kind == WIRE_COUNTER;

        if (f && !done[f - families]) {
            done[f - families] = true;
            print_family(to, f, list, n);
        }
        if (f)
            continue;
        print_head(to, c->name, (int)strlen(c->name), counts, c->help);
        fprintf(to, "tapstack_%s%s %" PRIu64 "\n", c->name, counts ? "_total" : "", c->value);
    }
}
