/* SPDX-License-Identifier: MIT */
/*
 * `tapstack listen PORT`.
 */
#include "client/cli/address.h"
#include "client/cli/cli.h"
#include "client/cli/daemon.h"
#include "client/cli/options.h"
#include "client/cli/relay.h"
#include "client/include/tapstack.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void usage(FILE *to)
{
    fprintf(
        to,
        "Usage: tapstack [--socket PATH] listen [-kv] PORT\n"
        "\n"
        "Wait for a connection to PORT (0: any free one) on all of the daemon's addresses, then do "
        "as\n"
        "`tapstack connect`: standard input goes to the peer, what it sends to standard output.\n"
        "\n");
    cli_options_help(to, "listen");
    fprintf(to, "\n"
                "Exit status: 0 when the peer ended in order, 1 when not, 2 for wrong usage.\n");
}

static int complain(const char *what)
{
    fprintf(stderr, "tapstack listen: %s: %s\n", what, strerror(errno));
    return -1;
}

static int make_listener(int port, bool verbose)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    socklen_t len = sizeof(addr);
    char text[ADDRESS_TEXT];
    int on = 1, fd = ts_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return complain("cannot make a socket");
    if (ts_setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        ts_bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 || ts_listen(fd, 16) < 0) {
        snprintf(text, sizeof(text), "port %d", port);
        complain(text);
        close(fd);
        return -1;
    }
    /* Whoever asked for any port wants to know which. */
    if ((verbose || port == 0) && ts_getsockname(fd, (struct sockaddr *)&addr, &len) == 0)
        fprintf(stderr, "tapstack listen: listening on %s\n",
                address_text_of((struct sockaddr *)&addr, sizeof(addr), text));
    return fd;
}

static int serve(int listener, bool verbose)
{
    struct sockaddr_storage peer;
    socklen_t len = sizeof(peer);
    char text[ADDRESS_TEXT];
    int fd;

    do {
        len = sizeof(peer);
        fd = ts_accept4(listener, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC);
    } while (fd < 0 && (errno == EINTR || errno == ECONNABORTED));
    if (fd < 0) {
        complain(errno == EINVAL ? "the listener is gone (did the daemon end?)" : "accept");
        return -2;
    }
    if (verbose)
        fprintf(stderr, "tapstack listen: connection from %s\n",
                address_text_of((struct sockaddr *)&peer, len, text));
    return relay("listen", fd, verbose);
}

int listen_main(int argc, char **argv)
{
    bool keep = false, verbose = false;
    int c, r, port, listener;

    optind = 0;
    while ((c = cli_getopt("listen", argc, argv)) != -1) {
        switch (c) {
        case 'k':
            keep = true;
            break;
        case 'v':
            verbose = true;
            break;
        case 'h':
            usage(stdout);
            return 0;
        default:
            return cli_wrong_usage("listen");
        }
    }
    if (argc - optind != 1) {
        usage(stderr);
        return 2;
    }
    port = address_port(argv[optind]);
    if (port < 0) {
        fprintf(stderr, "tapstack listen: '%s' is no port\n", argv[optind]);
        return 2;
    }
    if (daemon_check("listen", NULL) < 0)
        return 1;
    listener = make_listener(port, verbose);
    if (listener < 0)
        return 1;
    do {
        r = serve(listener, verbose);
        if (!keep && r > -2) {
            close(listener);
            return r < 0;
        }
    } while (r > -2);
    close(listener);
    return 1;
}
