/* SPDX-License-Identifier: MIT */
/* Naming one connection; see conn.h. */
#include "client/cli/conn.h"

#include "client/cli/address.h"
#include "client/cli/daemon.h"
#include "client/lib/control.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STATE_LISTEN = 10 }; /* Linux's TCP_LISTEN */

/* "10.0.0.1:80", "[::1]:80", "10.0.0.1:*". */
static int parse_end(const char *text, struct wire_addr *out)
{
    const char *colon = strrchr(text, ':');
    char ip[INET6_ADDRSTRLEN + 2];
    size_t len = colon ? (size_t)(colon - text) : 0;
    int port = 0;

    memset(out, 0, sizeof(*out));
    if (!colon || len == 0 || len >= sizeof(ip))
        return -1;
    memcpy(ip, text, len);
    ip[len] = '\0';
    if (strcmp(colon + 1, "*") != 0)
        port = address_port(colon + 1);
    if (port < 0)
        return -1;
    out->port = (uint16_t)port;
    if (ip[0] == '[' && ip[len - 1] == ']') {
        ip[len - 1] = '\0';
        return inet_pton(AF_INET6, ip + 1, out->addr) == 1 ? 0 : -1;
    }
    out->addr[10] = out->addr[11] = 0xff;
    return inet_pton(AF_INET, ip, out->addr + 12) == 1 ? 0 : -1;
}

int conn_parse(struct conn_spec *spec, const char *first, const char *second)
{
    char *end;
    int port;

    memset(spec, 0, sizeof(*spec));
    if (second) {
        spec->n_ends = 2;
        return parse_end(first, &spec->end[0]) || parse_end(second, &spec->end[1]) ? -1 : 0;
    }
    if (strcmp(first, "latest") == 0) {
        spec->latest = true;
        return 0;
    }
    if (first[0] == ':') {
        port = address_port(first + 1);
        spec->port = (uint16_t)port;
        return port > 0 ? 0 : -1;
    }
    spec->pid = (pid_t)strtol(first, &end, 10);
    if (end != first && *end == '/') {
        first = end + 1;
        spec->fd = (int)strtol(first, &end, 10);
        return spec->pid > 0 && end != first && !*end && spec->fd >= 0 ? 0 : -1;
    }
    spec->pid = 0;
    spec->n_ends = 1;
    return parse_end(first, &spec->end[0]);
}

static bool end_fits(const struct wire_addr *wanted, const struct wire_addr *is)
{
    return memcmp(wanted->addr, is->addr, sizeof(is->addr)) == 0 &&
           (!wanted->port || wanted->port == is->port);
}

bool conn_fits(const struct conn_spec *spec, const struct wire_info *info)
{
    if (info->state == STATE_LISTEN || !info->remote.port || !info->id)
        return false;
    if (spec->port && spec->port != info->local.port && spec->port != info->remote.port)
        return false;
    if (spec->n_ends == 2)
        return end_fits(&spec->end[0], &info->local) && end_fits(&spec->end[1], &info->remote);
    if (spec->n_ends == 1)
        return end_fits(&spec->end[0], &info->local) || end_fits(&spec->end[0], &info->remote);
    return true;
}

struct search {
    const struct conn_spec *spec;
    struct wire_info *best;
    unsigned found;
};

static void look(void *ctx, const void *body)
{
    struct search *s = ctx;
    struct wire_info info;

    memcpy(&info, body, sizeof(info));
    if (!conn_fits(s->spec, &info))
        return;
    if (!s->found++ || info.id > s->best->id)
        *s->best = info;
}

/* The descriptor itself is the name. */
static int by_descriptor(const char *who, const struct conn_spec *spec, struct wire_info *out)
{
    int pidfd = (int)syscall(SYS_pidfd_open, spec->pid, 0);
    int fd = pidfd < 0 ? -1 : (int)syscall(SYS_pidfd_getfd, pidfd, spec->fd, 0);
    int error = errno, r;

    if (pidfd >= 0)
        close(pidfd);
    if (fd < 0) {
        fprintf(stderr, "tapstack %s: %d/%d: %s\n", who, (int)spec->pid, spec->fd, strerror(error));
        return -1;
    }
    r = control_kind(fd);
    if (r >= 0)
        r = control_ask(WIRE_OP_INFO, fd, NULL, 0, out, sizeof(*out));
    close(fd);
    if (r < 0)
        fprintf(stderr, "tapstack %s: %d/%d is no connection of the daemon's: %s\n", who,
                (int)spec->pid, spec->fd, strerror(-r));
    return r < 0 ? -1 : 0;
}

int conn_find(const char *who, const struct conn_spec *spec, struct wire_info *out)
{
    struct search s = {spec, out, 0};
    char local[ADDRESS_TEXT], remote[ADDRESS_TEXT];

    if (spec->pid)
        return by_descriptor(who, spec, out);
    if (daemon_each(who, WIRE_OP_LIST, look, &s) < 0)
        return -1;
    if (!s.found) {
        fprintf(stderr, "tapstack %s: no such connection (tapstack ss shows them)\n", who);
        return -1;
    }
    if (s.found > 1 && !spec->latest)
        fprintf(stderr, "tapstack %s: %u connections fit; this is the newest: %s %s\n", who,
                s.found, address_text(&out->local, local), address_text(&out->remote, remote));
    return 0;
}

int conn_to_match(const struct conn_spec *spec, struct wire_trace *out)
{
    memset(out, 0, sizeof(*out));
    if (spec->pid || spec->n_ends == 1)
        return -1;
    out->port = spec->port;
    if (spec->n_ends == 2) {
        out->local = spec->end[0];
        out->remote = spec->end[1];
    }
    return 0;
}
