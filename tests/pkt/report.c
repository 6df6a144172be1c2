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

bool report_is_failure(const struct script *s, const struct outcome *o)
{
    return !s || (s->core_lacks != NULL) == o->passed;
}

void report_tap(int number, const struct script *s, const char *path, const struct outcome *o)
{
    const char *lacks = s ? s->core_lacks : NULL;

    if (lacks && !o->passed)
        printf("ok %d - %s # SKIP the core lacks this: %s\n", number, path, lacks);
    else
        printf("%sok %d - %s\n", o->passed && !lacks ? "" : "not ", number, path);
    if (lacks && o->passed)
        printf("#   passes now: take --core_lacks out\n");
    else if (!o->passed)
        report_failure(stdout, "#   ", path, o);
    if (o->printed && *o->printed)
        print_lines(stdout, "# ", o->printed);
}

void report_capture(const struct target *t, const struct script *s, const char *folder)
{
    if (capture_write(&t->capture, folder, s->name) == 0)
        printf("#   capture   %s/%s.pcap\n", folder, s->name);
}
