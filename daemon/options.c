/* SPDX-License-Identifier: MIT */
/* The command line: getopt_long's table and the help text come from config.def. What it says is
 * laid over what the file says. */
#include "daemon/options.h"

#include "daemon/config_file.h"
#include "daemon/example.h"
#include "daemon/log.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Values of `val`: a setting's index, or one of these. */
enum { FIRST_SETTING = 256, CONFIG_FILE = 1000, CHECK, DUMP, HELP, VERSION, FIRST_SWITCH = 2000 };

static const struct {
    const char *option, *key, *value, *help;
} switches[] = {
#define OPTION(key, id, type, argument, def, least, most, unit, when, help)
#define SWITCH(option, key, value, help) {#option, #key, value, help},
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

#define SWITCHES (sizeof(switches) / sizeof(switches[0]))

static const struct option extras[] = {
    {"config", required_argument, NULL, CONFIG_FILE}, {"check-config", no_argument, NULL, CHECK},
    {"dump-config", no_argument, NULL, DUMP},         {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
};

#define EXTRAS (sizeof(extras) / sizeof(extras[0]))

/* Room for the end marker. */
static struct option table[CONFIG_KEYS + SWITCHES + EXTRAS + 1];

static void build_table(void)
{
    size_t n = 0;

    for (int i = 0; i < CONFIG_KEYS; i++)
        table[n++] =
            (struct option){config_keys[i].name, required_argument, NULL, FIRST_SETTING + i};
    for (size_t i = 0; i < SWITCHES; i++)
        table[n++] = (struct option){switches[i].option, no_argument, NULL, FIRST_SWITCH + (int)i};
    for (size_t i = 0; i < EXTRAS; i++)
        table[n++] = extras[i];
}

static void print_setting(const struct config_key *k)
{
    char left[64];

    snprintf(left, sizeof(left), "--%s %s", k->name, k->argument);
    printf("  %-24s %s", left, k->help);
    if (k->most && k->most < UINT64_MAX)
        printf(", %" PRIu64 " to %" PRIu64, k->least, k->most);
    if (*k->fallback)
        printf(" (default: %s)", k->fallback);
    putchar('\n');
}

static void print_help(void)
{
    char left[64];

    printf("usage: tapstackd --tap NAME --address A/LEN [OPTION]...\n"
           "       tapstackd [OPTION]... --check-config [FILE]\n"
           "A TCP/IP stack in user space on a TAP interface; programs reach it by its control "
           "socket.\n\n");
    for (int i = 0; i < CONFIG_KEYS; i++)
        print_setting(&config_keys[i]);
    for (size_t i = 0; i < SWITCHES; i++) {
        snprintf(left, sizeof(left), "--%s", switches[i].option);
        printf("  %-24s %s\n", left, switches[i].help);
    }
    printf("  --config FILE            read settings from FILE, tapstackd.conf(5); the command "
           "line wins\n"
           "  --check-config [FILE]    name the faults of FILE and exit: 0 without any, else 1\n"
           "                           (without FILE that of --config, or " CONFIG_PATH ")\n"
           "  --dump-config            print a file with all settings at their defaults\n"
           "  --help, --version        print this, or the version, and exit\n\n"
           "Stays in the foreground and logs to stderr; ready when the control socket accepts.\n"
           "SIGTERM and SIGINT close all connections in order, a second one at once; SIGHUP reads "
           "the file again;\nSIGUSR1 flushes the capture.\n");
}

static void set_given(struct config *given, const char *key, const char *value,
                      struct faults *faults)
{
    struct config_origin from = {.source = CONFIG_FROM_COMMAND_LINE};
    char error[CONFIG_ERROR];

    if (config_set(given, key, value, from, error) < 0)
        faults_add(faults, 0, "%s", error);
}

static void apply(struct config *given, int val, const char *argument, struct faults *faults)
{
    int setting = val - FIRST_SETTING, at = val - FIRST_SWITCH;

    if (setting >= 0 && setting < CONFIG_KEYS)
        set_given(given, config_keys[setting].name, argument, faults);
    else if (at >= 0 && at < (int)SWITCHES)
        set_given(given, switches[at].key, switches[at].value, faults);
}

void options_overlay(struct config *c, const struct config *given)
{
    for (int i = 0; i < CONFIG_KEYS; i++)
        if (config_has(given, (enum config_key_id)i))
            config_copy(c, given, (enum config_key_id)i);
}

struct asked {
    bool check;
    const char *file;
};

/* Returns OPTIONS_RUN when there is more to do. */
static enum options_result read_options(int argc, char **argv, struct config *given,
                                        struct asked *asked, struct faults *faults)
{
    int val;

    optind = 0; /* a second time in one process: glibc starts anew */
    while ((val = getopt_long(argc, argv, "hv", table, NULL)) != -1) {
        switch (val) {
        case '?':
            fprintf(stderr, "Try 'tapstackd --help'.\n");
            return OPTIONS_WRONG;
        case 'h':
        case HELP:
            print_help();
            return OPTIONS_DONE;
        case VERSION:
            printf("tapstackd %s\n", TAPSTACK_VERSION);
            return OPTIONS_DONE;
        case DUMP:
            return example_print(stdout) < 0 ? OPTIONS_WRONG : OPTIONS_DONE;
        case CHECK:
            asked->check = true;
            break;
        case CONFIG_FILE:
            asked->file = optarg;
            break;
        case 'v':
            set_given(given, "log-level", "debug", faults);
            break;
        default:
            apply(given, val, optarg, faults);
        }
    }
    return OPTIONS_RUN;
}

/* --check-config may be followed by a file; nothing else stands alone. */
static bool read_operands(int argc, char **argv, struct asked *asked)
{
    if (asked->check && optind < argc)
        asked->file = argv[optind++];
    else if (asked->check && !asked->file)
        asked->file = CONFIG_PATH;
    if (optind == argc)
        return true;
    log_error("what is %.100s for? Try 'tapstackd --help'", argv[optind]);
    return false;
}

static enum options_result say_faults(struct faults *faults, const struct asked *asked)
{
    char line[PATH_MAX + FAULT_TEXT + 16];

    faults_sort(faults);
    for (size_t i = 0; i < faults->kept; i++) {
        fault_format(&faults->list[i], asked->file, line, sizeof(line));
        if (asked->check)
            fprintf(stderr, "%s\n", line);
        else
            log_error("%s", line);
    }
    if (asked->check)
        printf("%s: %zu fault%s\n", asked->file, faults->count, faults->count == 1 ? "" : "s");
    if (faults->count)
        return asked->check ? OPTIONS_FAULTS : OPTIONS_WRONG;
    return asked->check ? OPTIONS_DONE : OPTIONS_RUN;
}

enum options_result options_parse(int argc, char **argv, struct config *c, struct config *given)
{
    struct faults faults = {0};
    struct asked asked = {0};
    enum options_result result;
    bool readable = true;

    if (config_init(c) < 0 || config_init(given) < 0) {
        log_error("no memory");
        return OPTIONS_WRONG;
    }
    build_table();
    result = read_options(argc, argv, given, &asked, &faults);
    if (result == OPTIONS_RUN && !read_operands(argc, argv, &asked))
        result = OPTIONS_WRONG;
    if (result == OPTIONS_RUN) {
        c->path = asked.file;
        if (c->path)
            readable = config_file_load(c, &faults);
        options_overlay(c, given);
        if (readable)
            config_check(c, &faults);
        result = say_faults(&faults, &asked);
    }
    faults_free(&faults);
    return result;
}
