/* SPDX-License-Identifier: MIT */
/* The command line: getopt_long's table and the help text come from config.def. The file is read
 * first, so it loses. */
#include "daemon/options.h"

#include "daemon/log.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Values of `val`: a setting's index, or one of these. */
enum { FIRST_SETTING = 256, CONFIG_FILE = 1000, VERBOSE, HELP, VERSION, FIRST_SWITCH = 2000 };

static const struct {
    const char *option, *key, *value, *help;
} switches[] = {
#define OPTION(name, argument, help)
#define SWITCH(option, key, value, help) {#option, #key, value, help},
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

static const struct {
    const char *name, *argument, *help;
} settings[] = {
#define OPTION(name, argument, help) {#name, argument, help},
#define SWITCH(option, key, value, help)
#include "daemon/config.def"
#undef OPTION
#undef SWITCH
};

#define SWITCHES (sizeof(switches) / sizeof(switches[0]))
#define SETTINGS (sizeof(settings) / sizeof(settings[0]))

static const struct option extras[] = {
    {"config", required_argument, NULL, CONFIG_FILE},
    {"verbose", no_argument, NULL, VERBOSE},
    {"help", no_argument, NULL, HELP},
    {"version", no_argument, NULL, VERSION},
};

#define EXTRAS (sizeof(extras) / sizeof(extras[0]))

/* Room for the end marker. */
static struct option table[SETTINGS + SWITCHES + EXTRAS + 1];

static void build_table(void)
{
    size_t n = 0;

    for (size_t i = 0; i < SETTINGS; i++)
        table[n++] =
            (struct option){settings[i].name, required_argument, NULL, FIRST_SETTING + (int)i};
    for (size_t i = 0; i < SWITCHES; i++)
        table[n++] = (struct option){switches[i].option, no_argument, NULL, FIRST_SWITCH + (int)i};
    for (size_t i = 0; i < EXTRAS; i++)
        table[n++] = extras[i];
}

static void print_help(void)
{
    char left[64];

    printf("usage: tapstackd --tap NAME --address A/LEN [OPTION]...\n"
           "A TCP/IP stack in user space on a TAP interface; programs reach it by its control "
           "socket.\n\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        snprintf(left, sizeof(left), "--%s %s", settings[i].name, settings[i].argument);
        printf("  %-24s %s\n", left, settings[i].help);
    }
    for (size_t i = 0; i < SWITCHES; i++) {
        snprintf(left, sizeof(left), "--%s", switches[i].option);
        printf("  %-24s %s\n", left, switches[i].help);
    }
    printf("  --config FILE            read settings from FILE, section [tapstack]; the command "
           "line wins\n"
           "  --verbose                log more\n"
           "  --help, --version        print this, or the version, and exit\n\n"
           "Stays in the foreground and logs to stderr; ready when the control socket accepts.\n"
           "SIGTERM and SIGINT close all connections in order, a second one at once; SIGUSR1 "
           "flushes the capture.\n");
}

/* First pass: only --config, so that the file is read before the rest. */
static const char *find_config(int argc, char **argv)
{
    const char *path = NULL;
    int val;

    opterr = 0;
    optind = 1;
    while ((val = getopt_long(argc, argv, "hv", table, NULL)) != -1)
        if (val == CONFIG_FILE)
            path = optarg;
    opterr = 1;
    optind = 1;
    return path;
}

static int apply(struct config *c, int val, const char *argument, char error[CONFIG_ERROR])
{
    if (val >= FIRST_SWITCH)
        return config_set(c, switches[val - FIRST_SWITCH].key, switches[val - FIRST_SWITCH].value,
                          error);
    if (val >= FIRST_SETTING && val < FIRST_SETTING + (int)SETTINGS)
        return config_set(c, settings[val - FIRST_SETTING].name, argument, error);
    return 0;
}

static enum options_result wrong(const char *error)
{
    log_error("%s", error);
    return OPTIONS_WRONG;
}

enum options_result options_parse(int argc, char **argv, struct config *c)
{
    char error[CONFIG_ERROR];
    const char *file;
    int val;

    config_init(c);
    build_table();
    file = find_config(argc, argv);
    if (file && config_load(c, file, error) < 0)
        return wrong(error);
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
        case 'v':
        case VERBOSE:
            c->verbose = true;
            break;
        default:
            if (apply(c, val, optarg, error) < 0)
                return wrong(error);
        }
    }
    if (optind < argc) {
        snprintf(error, sizeof(error), "what is %.100s for? Try 'tapstackd --help'", argv[optind]);
        return wrong(error);
    }
    return config_check(c, error) < 0 ? wrong(error) : OPTIONS_RUN;
}
