/* SPDX-License-Identifier: MIT */
/*
 * `tapstack connect HOST PORT`.
 */
#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/cli/relay.h"
#include "client/include/tapstack.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *to)
{
    fprintf(
        to,
        "Usage: tapstack [--socket PATH] connect [-46v] HOST PORT\n"
        "\n"
        "Connect to HOST (a name or an address) over the daemon's TCP. Standard input goes to the\n"
        "peer, what it sends to standard output. The end of standard input closes our half; the\n"
        "command ends when the peer has closed its own too (on a terminal: when the peer has).\n"
        "\n");
    cli_options_help(to, "connect");
    fprintf(to, "\n"
                "Exit status: 0 when the peer ended in order, 1 when not, 2 for wrong usage.\n");
}

static int try_address(const struct addrinfo *ai, bool verbose)
{
    char text[ADDRESS_TEXT];
    int fd = ts_socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int saved;

    address_text_of(ai->ai_addr, ai->ai_addrlen, text);
    if (fd < 0)
        return -1;
    if (ts_connect(fd, ai->ai_addr, ai->ai_addrlen) == 0) {
        if (verbose)
            fprintf(stderr, "tapstack connect: connected to %s\n", text);
        return fd;
    }
    saved = errno;
    fprintf(stderr, "tapstack connect: %s: %s\n", text, strerror(saved));
    close(fd);
    errno = saved;
    return -1;
}

static int connect_to(const char *host, const char *port, int family, bool verbose)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *list;
    int r = getaddrinfo(host, port, &hints, &list), fd = -1;

    if (r != 0) {
        fprintf(stderr, "tapstack connect: %s port %s: %s\n", host, port,
                r == EAI_SYSTEM ? strerror(errno) : gai_strerror(r));
        return -1;
    }
    for (struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
        fd = try_address(ai, verbose);
    freeaddrinfo(list);
    return fd;
}

int connect_main(int argc, char **argv)
{
    int c, fd, family = AF_UNSPEC;
    bool verbose = false;

    optind = 0;
    while ((c = cli_getopt("connect", argc, argv)) != -1) {
        switch (c) {
        case '4':
            family = AF_INET;
            break;
        case '6':
            family = AF_INET6;
            break;
        case 'v':
            verbose = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return cli_wrong_usage("connect");
        }
    }
    if (argc - optind != 2) {
        usage(stderr);
        return 2;
    }
    if (daemon_check("connect", NULL) < 0)
        return 1;
    fd = connect_to(argv[optind], argv[optind + 1], family, verbose);
    if (fd < 0)
        return 1;
    return relay("connect", fd, verbose) < 0;
}
