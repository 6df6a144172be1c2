/* SPDX-License-Identifier: MIT */
/* What getopt(3) and people need to know of a sub-command's options; see options.h. */
#include "client/cli/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

static const struct cli_option list[] = {
#define OPTION(command, letter, name, argument, help) {#command, letter, name, argument, help},
#include "client/cli/options.def"
#undef OPTION
};

#define OPTIONS (sizeof(list) / sizeof(list[0]))

static const struct cli_option help_option = {"", 'h', "help", NULL, "show this help"};

const struct cli_option *cli_option(size_t i)
{
    return i < OPTIONS ? &list[i] : NULL;
}

static int kind_of(const struct cli_option *o)
{
    return !o->argument            ? no_argument
           : o->argument[0] == '[' ? optional_argument
                                   : required_argument;
}

static void add(const struct cli_option *o, struct option *longs, char **shorts)
{
    int kind = kind_of(o);

    *longs = (struct option){o->name, kind, NULL, o->letter};
    *(*shorts)++ = o->letter;
    for (int colons = kind == optional_argument ? 2 : kind == required_argument; colons; colons--)
        *(*shorts)++ = ':';
}

int cli_getopt(const char *command, int argc, char **argv)
{
    struct option longs[OPTIONS + 2] = {0};
    char shorts[3 * (OPTIONS + 1) + 1] = "", *end = shorts;
    size_t n = 0;

    for (size_t i = 0; i < OPTIONS; i++)
        if (!strcmp(list[i].command, command))
            add(&list[i], &longs[n++], &end);
    add(&help_option, &longs[n], &end);
    *end = '\0';
    return getopt_long(argc, argv, shorts, longs, NULL);
}

const char *cli_option_text(const struct cli_option *o, char out[64])
{
    const char *a = o->argument;

    if (!a)
        snprintf(out, 64, "-%c, --%s", o->letter, o->name);
    else if (a[0] == '[')
        snprintf(out, 64, "-%c, --%s[=%s", o->letter, o->name, a + 1);
    else
        snprintf(out, 64, "-%c, --%s=%s", o->letter, o->name, a);
    return out;
}

static void help_line(FILE *to, const struct cli_option *o)
{
    char text[64];

    fprintf(to, "  %-29s %s\n", cli_option_text(o, text), o->help);
}

void cli_options_help(FILE *to, const char *command)
{
    for (size_t i = 0; i < OPTIONS; i++)
        if (!strcmp(list[i].command, command))
            help_line(to, &list[i]);
    help_line(to, &help_option);
}

int64_t cli_number(const char *text, int64_t min, int64_t max)
{
    char *end;
    long long n;

    errno = 0;
    n = strtoll(text, &end, 10);
    return errno || end == text || *end || n < min || n > max ? -1 : n;
}

double cli_seconds(const char *text)
{
    char *end;
    double s = strtod(text, &end);

    return end != text && !*end && s > 0 && s <= 1e9 ? s : 0;
}
