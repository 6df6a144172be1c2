/* SPDX-License-Identifier: MIT */
/*
 * `tapstack config`: the settings in force and where each came from, in the form of the
 * configuration file: what it prints can be used as one.
 */
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"

#include <fnmatch.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct show {
    bool verbose, changed;
    char **patterns; /* ended by NULL; none: everything */
    char section[80];
    unsigned shown;
    json_t *json;
};

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] config [OPTION]... [PATTERN]...\n"
                "\n"
                "Show the daemon's settings in force and where each came from.\n"
                "PATTERN is a name, a part of one, or has * and ? (mtu, retries, user*, "
                "'tcp_*mem*');\n"
                "names of sections count too. The policy table is shown to root and the daemon's "
                "user.\n"
                "\n");
    cli_options_help(to, "config");
}

static bool matches(const char *pattern, const char *text)
{
    return strpbrk(pattern, "*?[") ? fnmatch(pattern, text, 0) == 0 : strstr(text, pattern) != NULL;
}

static bool chosen(const struct show *show, const struct wire_setting *s)
{
    if (show->changed && s->source == WIRE_FROM_DEFAULT && !(s->flags & WIRE_SETTING_PENDING))
        return false;
    if (!show->patterns[0])
        return true;
    for (char **p = show->patterns; *p; p++) {
        const char *name = *p;

        if (!strncmp(name, "net.ipv4.", 9) || !strncmp(name, "net.core.", 9))
            name += 9;
        if (matches(name, s->name) || matches(name, s->section))
            return true;
    }
    return false;
}

/* "default", "FILE:7 (reload)" */
static void origin(uint32_t source, uint32_t line, uint32_t flags, const char *file, char *out,
                   size_t room)
{
    static const char *const words[] = {[WIRE_FROM_DEFAULT] = "default",
                                        [WIRE_FROM_COMMAND_LINE] = "command line",
                                        [WIRE_FROM_SET] = "tapstack set"};
    const char *more = flags & WIRE_SETTING_OLD_LINE   ? " (before the reload)"
                       : flags & WIRE_SETTING_RELOADED ? " (reload)"
                                                       : "";

    if (source == WIRE_FROM_FILE)
        snprintf(out, room, "%s:%u%s", file, line, more);
    else
        snprintf(out, room, "%s%s", source <= WIRE_FROM_SET ? words[source] : "?", more);
}

static void show_details(const struct wire_setting *s)
{
    printf("    ; %s\n    ; %s", s->help, s->argument);
    if (s->most)
        printf(", %" PRIu64 " to %" PRIu64, s->least, s->most);
    if (s->unit[0])
        printf(" %s", s->unit);
    if (s->fallback[0])
        printf(", default %s", s->fallback);
    printf("%s\n", s->flags & WIRE_SETTING_LIVE ? "" : ", needs a restart");
}

static void show_text(struct show *show, const struct wire_setting *s)
{
    char from[640], name[80];

    if (strcmp(show->section, s->section) != 0) {
        printf("%s[%s]\n", show->shown ? "\n" : "", s->section);
        memcpy(show->section, s->section, sizeof(show->section));
    }
    origin(s->source, s->line, s->flags, s->file, from, sizeof(from));
    /* what has no value cannot be written so in a file */
    snprintf(name, sizeof(name), "%s%s = %s", s->value[0] ? "" : "#", s->name,
             s->value[0] ? "" : "(none)");
    if (strlen(name) + strlen(s->value) < 36)
        printf("%s%-*s ; %s\n", name, 36 - (int)strlen(name), s->value, from);
    else
        printf("%s%s ; %s\n", name, s->value, from);
    if (s->flags & WIRE_SETTING_PENDING) {
        origin(s->pending_source, s->pending_line, 0, s->file, from, sizeof(from));
        printf("    ; needs a restart: %s = %s ; %s\n", s->name,
               s->pending[0] ? s->pending : "(none)", from);
    }
    if (show->verbose)
        show_details(s);
    show->shown++;
}

static json_t *json_origin(uint32_t source, uint32_t line, const char *file)
{
    static const char *const words[] = {[WIRE_FROM_DEFAULT] = "default",
                                        [WIRE_FROM_FILE] = "file",
                                        [WIRE_FROM_COMMAND_LINE] = "command line",
                                        [WIRE_FROM_SET] = "set"};
    json_t *from = json_object();

    json_object_set_new(from, "source", json_string(source <= WIRE_FROM_SET ? words[source] : "?"));
    if (source == WIRE_FROM_FILE) {
        json_object_set_new(from, "file", json_string(file));
        json_object_set_new(from, "line", json_integer(line));
    }
    return from;
}

static void show_json(struct show *show, const struct wire_setting *s)
{
    json_t *o = json_object(), *pending;

    json_object_set_new(o, "section", json_string(s->section));
    json_object_set_new(o, "name", json_string(s->name));
    json_object_set_new(o, "value", s->value[0] ? json_string(s->value) : json_null());
    json_object_set_new(o, "from", json_origin(s->source, s->line, s->file));
    json_object_set_new(o, "reloaded", json_boolean(s->flags & WIRE_SETTING_RELOADED));
    json_object_set_new(o, "live", json_boolean(s->flags & WIRE_SETTING_LIVE));
    json_object_set_new(o, "type", json_string(s->argument));
    json_object_set_new(o, "unit", json_string(s->unit));
    json_object_set_new(o, "default", s->fallback[0] ? json_string(s->fallback) : json_null());
    json_object_set_new(o, "help", json_string(s->help));
    if (s->most) {
        json_object_set_new(o, "min", json_integer((json_int_t)s->least));
        if (s->most <= INT64_MAX) /* else there is none that matters */
            json_object_set_new(o, "max", json_integer((json_int_t)s->most));
    }
    if (s->flags & WIRE_SETTING_PENDING) {
        pending = json_origin(s->pending_source, s->pending_line, s->file);
        json_object_set_new(pending, "value",
                            s->pending[0] ? json_string(s->pending) : json_null());
        json_object_set_new(o, "needs_restart", pending);
    }
    json_array_append_new(show->json, o);
    show->shown++;
}

#define END(text) text[sizeof(text) - 1] = '\0'

static void show_setting(void *ctx, const void *body)
{
    struct show *show = ctx;
    struct wire_setting s;

    memcpy(&s, body, sizeof(s));
    END(s.section);
    END(s.name);
    END(s.argument);
    END(s.unit);
    END(s.value);
    END(s.pending);
    END(s.fallback);
    END(s.help);
    END(s.file);
    if (!s.name[0] || !chosen(show, &s))
        return;
    if (show->json)
        show_json(show, &s);
    else
        show_text(show, &s);
}

/* Nothing to show for a pattern is a mistake worth a status. */
static int finish(struct show *show)
{
    if (show->json) {
        json_dumpf(show->json, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    if (!show->shown && show->patterns[0])
        fprintf(stderr, "tapstack config: no setting like that%s\n",
                show->changed ? ", or all are at their defaults" : "");
    return (!show->shown && show->patterns[0]) || fflush(stdout) != 0;
}

int config_main(int argc, char **argv)
{
    struct show show = {0};
    bool json = false;
    int c, r;

    optind = 0;
    while ((c = cli_getopt("config", argc, argv)) != -1) {
        switch (c) {
        case 'c':
            show.changed = true;
            break;
        case 'v':
            show.verbose = true;
            break;
        case 'j':
            json = true;
            break;
        case 'h':
            return usage(stdout), 0;
        default:
            return cli_wrong_usage("config");
        }
    }
    show.patterns = argv + optind;
    if (json)
        show.json = json_array();
    r = daemon_each("config", WIRE_OP_CONFIG, show_setting, &show);
    if (r == 0)
        r = finish(&show);
    json_decref(show.json);
    return r != 0;
}
