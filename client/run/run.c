/* SPDX-License-Identifier: MIT */
/*
 * Finds the shim, puts it first in LD_PRELOAD and the control socket's absolute path in
 * TAPSTACK_SOCKET, and becomes the program. Where nothing can be loaded (static programs), or when
 * asked to, it puts itself under a supervisor instead. The daemon is asked first, so that a missing
 * one is one clear line and not the program's odd behaviour.
 */
#include "client/run/run.h"

#include "client/cli/daemon.h"
#include "client/lib/program.h"
#include "ipc/scope.h"
#include "client/run/supervisor.h"
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

static struct {
    bool seccomp;
    const char *argv0; /* of the program, when a shim asks for it */
} opt;

static void usage(FILE *to)
{
    fprintf(
        to,
        "Usage: tapstack [--socket PATH] run [OPTION]... [--] PROGRAM [ARGUMENT]...\n"
        "\n"
        "Run PROGRAM with its TCP sockets on the tapstack daemon. Connections to and from\n"
        "loopback addresses stay with the kernel, and so does everything that is not TCP: names\n"
        "are resolved through the host.\n"
        "\n"
        "  --only ADDRESSES    only these: CIDR, CIDR:PORT, CIDR:FIRST-LAST or :PORT, separated "
        "by\n"
        "                      commas; an IPv6 address with a port is written "
        "[ADDRESS/LENGTH]:PORT\n"
        "  --except ADDRESSES  not these. Both may be given several times\n"
        "  --seccomp           serve its socket calls from outside (seccomp user notification)\n"
        "                      instead of loading a shim into it (LD_PRELOAD). So are static\n"
        "                      programs without being asked. Not a sandbox: PROGRAM is trusted\n"
        "  -h, --help          show this help\n"
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

/* ---- the two ways ---- */

/* Without our shim: what is served from outside is not to be served twice. */
static int clear_preload(void)
{
    const char *before = getenv("LD_PRELOAD");
    char *value, *to, *save = NULL;

    if (!before)
        return 0;
    value = calloc(1, strlen(before) + 1);
    to = strdup(before);
    if (!value || !to) {
        free(value);
        free(to);
        return -1;
    }
    for (char *p = strtok_r(to, ": ", &save); p; p = strtok_r(NULL, ": ", &save)) {
        const char *base = strrchr(p, '/');

        if (strcmp(base ? base + 1 : p, SHIM) == 0)
            continue;
        if (value[0])
            strcat(value, ":");
        strcat(value, p);
    }
    free(to);
    if ((value[0] ? setenv("LD_PRELOAD", value, 1) : unsetenv("LD_PRELOAD")) < 0) {
        free(value);
        return -1;
    }
    free(value);
    return 0;
}

static int prepare_preload(void)
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
    if (set_preload(shim) < 0) {
        fprintf(stderr, "tapstack run: cannot set up the environment: %s\n", strerror(errno));
        return -1;
    }
    return 0;
}

/* So that the shim finds us when the program executes a static one. */
static int set_self(void)
{
    char exe[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

    if (n <= 0)
        return 0;
    exe[n] = '\0';
    return setenv(RUN_TOOL_ENV, exe, 1);
}

static int add_rules(const char *option, const char *variable, const char *text)
{
    const char *before = getenv(variable);
    char *value;
    int r;

    if (!scope_valid(text) || !text[0]) {
        fprintf(stderr,
                "tapstack run: --%s %s: not of the form ADDRESS[/LENGTH][:PORT[-PORT]], ...\n",
                option, text);
        return -1;
    }
    if (asprintf(&value, "%s%s%s", before ? before : "", before && before[0] ? "," : "", text) < 0)
        return -1;
    r = setenv(variable, value, 1);
    free(value);
    return r;
}

/* What its configuration leaves to the kernel comes to what the command line does. */
static int ask_daemon(void)
{
    struct wire_hello hello = {0};
    const char *known = getenv(SCOPE_EXCEPT_ENV);

    if (daemon_check("run", &hello) < 0)
        return -1;
    hello.except[sizeof(hello.except) - 1] = '\0';
    if (!hello.except[0] || (known && strstr(known, hello.except)))
        return 0;
    return add_rules("except", SCOPE_EXCEPT_ENV, hello.except);
}

static int prepare(void)
{
    /* A program of a program may do without the daemon, if it must; all is set already. */
    if (!opt.argv0 && ask_daemon() < 0)
        return -1;
    if ((!opt.argv0 && set_socket() < 0) || set_self() < 0 ||
        (opt.seccomp && clear_preload() < 0)) {
        fprintf(stderr, "tapstack run: cannot set up the environment: %s\n", strerror(errno));
        return -1;
    }
    if (opt.seccomp)
        return supervisor_start();
    return prepare_preload();
}

/* What the file is decides how it can be run. Returns an exit status when it cannot. */
static int choose(const char *name)
{
    char path[PATH_MAX];

    if (!program_find(name, path, sizeof(path)))
        return 0; /* execvp says it */
    switch (program_kind(path)) {
    case PROGRAM_STATIC:
    case PROGRAM_COMPAT:
        opt.seccomp = true;
        return 0;
    case PROGRAM_PRIVILEGED:
        /* root needs no no_new_privs for the filter, so the program keeps what it gains. */
        if (geteuid() == 0) {
            opt.seccomp = true;
            return 0;
        }
        fprintf(stderr,
                "tapstack run: %s gains rights when it is executed (set-user-ID or the like): "
                "nothing can be loaded into it, and a filter would take those rights away; "
                "run it as root\n",
                path);
        return RUN_CANNOT_EXECUTE;
    case PROGRAM_FOREIGN:
        fprintf(stderr, "tapstack run: %s is not for this machine's architecture\n", path);
        return RUN_CANNOT_EXECUTE;
    default:
        return 0;
    }
}

/* ---- options ---- */

static int parse(int argc, char **argv)
{
    enum { ONLY = 256, EXCEPT, SECCOMP, ARGV0 };
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"only", required_argument, NULL, ONLY},
                                            {"except", required_argument, NULL, EXCEPT},
                                            {"seccomp", no_argument, NULL, SECCOMP},
                                            {"argv0", required_argument, NULL, ARGV0},
                                            {0}};
    int c, r = 0;

    optind = 0;
    while (r == 0 && (c = getopt_long(argc, argv, "+h", options, NULL)) != -1) {
        switch (c) {
        case 'h':
            usage(stdout);
            exit(0);
        case ONLY:
            r = add_rules("only", SCOPE_ONLY_ENV, optarg);
            break;
        case EXCEPT:
            r = add_rules("except", SCOPE_EXCEPT_ENV, optarg);
            break;
        case SECCOMP:
            opt.seccomp = true;
            break;
        case ARGV0:
            opt.argv0 = optarg;
            break;
        default:
            fprintf(stderr, "Try 'tapstack run --help'.\n");
            return -1;
        }
    }
    return r;
}

int run_main(int argc, char **argv)
{
    char path[PATH_MAX];
    int c;

    if (parse(argc, argv) < 0)
        return RUN_FAILED;
    if (optind == argc) {
        fprintf(stderr, "tapstack run: which program? Try 'tapstack run --help'.\n");
        return RUN_FAILED;
    }
    c = choose(argv[optind]);
    if (c != 0)
        return c;
    if (prepare() < 0)
        return RUN_FAILED;
    snprintf(path, sizeof(path), "%s", argv[optind]);
    if (opt.argv0)
        argv[optind] = (char *)opt.argv0;
    execvp(path, argv + optind);
    c = errno == ENOENT ? RUN_NOT_FOUND : RUN_CANNOT_EXECUTE;
    fprintf(stderr, "tapstack run: %s: %s\n", path, strerror(errno));
    return c;
}
