/* SPDX-License-Identifier: MIT */
/* `tapstack reload`: let the daemon read its configuration file again, and say what came of it. */
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/lib/control.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void usage(FILE *to)
{
    fprintf(to, "Usage: tapstack [--socket PATH] reload\n"
                "\n"
                "Let the daemon read its configuration file again (as SIGHUP does), and show what\n"
                "changed, and what needs a restart. A file with faults changes nothing: they are\n"
                "shown, and the exit status is 1. Settings made by `tapstack set` are gone then.\n"
                "Only root may, and the user who started the daemon.\n"
                "\n");
    cli_options_help(to, "reload");
}

static void show_notice(void *ctx, const void *body)
{
    bool *faults = ctx;
    struct wire_notice n;

    memcpy(&n, body, sizeof(n));
    n.text[sizeof(n.text) - 1] = '\0';
    if (n.kind == WIRE_NOTICE_FAULT) {
        *faults = true;
        fprintf(stderr, "%s\n", n.text);
    } else {
        printf("%s\n", n.text);
    }
}

int reload_main(int argc, char **argv)
{
    bool faults = false;
    int c, r;

    optind = 0;
    while ((c = cli_getopt("reload", argc, argv)) != -1) {
        if (c == 'h')
            return usage(stdout), 0;
        return cli_wrong_usage("reload");
    }
    if (optind != argc)
        return usage(stderr), 2;
    r = control_each(WIRE_OP_RELOAD, show_notice, &faults);
    if (r < 0)
        daemon_complain("reload", -r);
    else if (r > 0)
        fprintf(stderr, "tapstack reload: %s\n",
                r == ENOENT  ? "the daemon was started without a configuration file"
                : r == EPERM ? "only root may, and the user who started the daemon"
                             : strerror(r));
    else if (faults)
        fprintf(stderr, "tapstack reload: nothing has changed\n");
    return r != 0 || faults || fflush(stdout) != 0;
}
