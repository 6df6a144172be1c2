/* SPDX-License-Identifier: MIT */
/*
 * Finds the shim, puts it first in LD_PRELOAD and the control socket's absolute path in
 * TAPSTACK_SOCKET, and becomes the program. The daemon is asked first, so that a missing one is one
 * clear line and not the program's odd behaviour.
 */
#include "client/run/run.h"

#include "client/cli/daemon.h"
#include "ipc/wire.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHIM "libtapstack-preload.so"

enum { RUN_FAILED = 125, RUN_CANNOT_EXECUTE = 126, RUN_NOT_FOUND = 127 };

#ifndef TAPSTACK_PKGLIBDIR
#define TAPSTACK_PKGLIBDIR "/usr/local/lib/tapstack"
#endif

static void usage(FILE *to)
{
    fprintf(
        to,
        "Usage: tapstack [--socket PATH] run [--] PROGRAM [ARGUMENT]...\n"
        "\n"
        "Run PROGRAM with its TCP sockets on the tapstack daemon. Connections to and from\n"
        "loopback addresses stay with the kernel, and so does everything that is not TCP.\n"
        "Works with dynamically linked programs, by LD_PRELOAD; not with static or setuid ones.\n"
        "\n"
        "Exit status: PROGRAM's own, or\n"
        "  125  tapstack itself failed (no daemon, no " SHIM ")\n"
        "  126  PROGRAM was found and cannot be executed\n"
        "  127  PROGRAM was not found\n"
        "\n"
        "Example: tapstack run -- curl -O http://10.77.0.1/file\n");
}

/* Beside this executable (a build folder), where it was installed to, or relative to that. */
static bool find_shim(char out[PATH_MAX])
{
    char exe[PATH_MAX - 64], path[PATH_MAX], *slash;
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (n > 0) {
        exe[n] = '\0';
        slash = strrchr(exe, '/');
        if (slash)
            *slash = '\0';
        snprintf(path, sizeof(path), "%s/" SHIM, exe);
        if (access(path, R_OK) == 0 && realpath(path, out))
            return true;
        snprintf(path, sizeof(path), "%s/../lib/tapstack/" SHIM, exe);
        if (access(path, R_OK) == 0 && realpath(path, out))
            return true;
    }
    return realpath(TAPSTACK_PKGLIBDIR "/" SHIM, out) && access(out, R_OK) == 0;
}

static int set_preload(const char *shim)
{
    const char *before = getenv("LD_PRELOAD");
    char *value;
    int r;

    if (!before || !before[0])
        return setenv("LD_PRELOAD", shim, 1);
    if (asprintf(&value, "%s:%s", shim, before) < 0)
        return -1;
    r = setenv("LD_PRELOAD", value, 1);
    free(value);
    return r;
}

/* The program may change its working directory. */
static int set_socket(void)
{
    char path[DAEMON_PATH_ROOM], full[PATH_MAX];

    if (daemon_path(path) < 0 || !realpath(path, full))
        return -1;
    /* A full name that no longer fits would only fail later. */
    if (strlen(full) >= DAEMON_PATH_ROOM - 1) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return setenv(WIRE_SOCKET_ENV, full, 1);
}

static int prepare(void)
{
    char shim[PATH_MAX];

    if (!find_shim(shim)) {
        fprintf(stderr,
                "tapstack run: %s is neither beside this program nor in %s: run `make`, or "
                "`make install`\n",
                SHIM, TAPSTACK_PKGLIBDIR);
        return -1;
    }
    if (strpbrk(shim, " \t:")) {
        fprintf(stderr,
                "tapstack run: %s: LD_PRELOAD cannot hold a path with blanks or colons; "
                "move or install it elsewhere\n",
                shim);
        return -1;
    }
    if (daemon_check("run") < 0)
        return -1;
    if (set_socket() < 0 || set_preload(shim) < 0) {
        fprintf(stderr, "tapstack run: cannot set up the environment: %s\n", strerror(errno));
        return -1;
    }
    return 0;
}

int run_main(int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    int c;

    optind = 0;
    while ((c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        if (c != 'h') {
            fprintf(stderr, "Try 'tapstack run --help'.\n");
            return RUN_FAILED;
        }
        usage(stdout);
        return 0;
    }
    if (optind == argc) {
        fprintf(stderr, "tapstack run: which program? Try 'tapstack run --help'.\n");
        return RUN_FAILED;
    }
    if (prepare() < 0)
        return RUN_FAILED;
    execvp(argv[optind], argv + optind);
    c = errno == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXECUTE;
    fprintf(stderr, "tapstack run: %s: %s\n", argv[optind], strerror(errno));
    return c;
}
