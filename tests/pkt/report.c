/* SPDX-License-Identifier: MIT */
/* What is said about a run; see report.h. */
#include "tests/pkt/report.h"
#include "tests/pkt/capture.h"

#include <string.h>

static void print_lines(FILE *f, const char *indent, const char *text)
{
    while (*text) {
        size_t n = strcspn(text, "\n");

        fprintf(f, "%s%.*s\n", indent, (int)n, text);
        text += n + (text[n] == '\n');
    }
}

void report_failure(FILE *f, const char *indent, const char *path, const struct outcome *o)
{
    if (o->line)
        fprintf(f, "%s%s:%d: %s\n", indent, path, o->line, o->reason);
    else
        fprintf(f, "%s%s: %s\n", indent, path, o->reason);
    if (o->detail)
        print_lines(f, indent, o->detail);
}

void report_tap(int number, const char *path, const struct outcome *o)
{
    printf("%sok %d - %s\n", o->passed ? "" : "not ", number, path);
    if (!o->passed)
        report_failure(stdout, "#   ", path, o);
    if (o->printed && *o->printed)
        print_lines(stdout, "# ", o->printed);
}

void report_capture(const struct target *t, const struct script *s, const char *folder)
{
    if (capture_write(&t->capture, folder, s->name) == 0)
        printf("#   capture   %s/%s.pcap\n", folder, s->name);
}
