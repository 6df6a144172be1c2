/* SPDX-License-Identifier: MIT */
/*
 * What the parts of `tapstack ss` share: ss.c asks and chooses, ss_filter.c says who is meant,
 * ss_holders.c who holds the descriptors, ss_info.c and ss_json.c write, ss_watch.c repeats.
 */
#ifndef TS_CLIENT_CLI_SS_H
#define TS_CLIENT_CLI_SS_H

#include "client/cli/ss_holders.h"
#include "ipc/wire.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SS_ESTABLISHED = 1, SS_LISTEN = 10, SS_STATES = 12 }; /* Linux's numbers of the states */

/** Linux's struct tcp_info. */
struct ss_tcp_info {
#define FIELD(type, name, json) type name;
#include "client/cli/tcp_info.def"
#undef FIELD
};

struct ss_socket {
    struct wire_info wire; /**< its strings are terminated */
    struct ss_tcp_info tcp;
    struct holders holders; /**< when they were looked for */
};

struct ss_sockets {
    struct ss_socket *list;
    size_t count, room;
    bool failed; /**< no memory for all */
};

struct ss_filter;

/** What is to be shown. */
struct ss_show {
    bool all, listening, info, memory, timer, extended, processes, no_header, json;
    uint64_t watch_us; /**< 0: once */
    struct ss_filter *filter;
};

/** Ask the daemon for those that are meant. Complains on stderr. 0 or -1. */
int ss_fetch(const struct ss_show *show, struct ss_sockets *out);
void ss_release(struct ss_sockets *s);

/** "10.77.0.2:80"; "*:80" for a listener of both families. Returns out. */
const char *ss_local(const struct wire_info *w, char out[64]);
const char *ss_peer(const struct wire_info *w, char out[64]);
/** `users:(("curl",pid=12,fd=3))`, as ss(8); what is known when nothing can be seen. On stdout. */
void ss_print_users(const struct ss_socket *s);

/** What -e, -o, -m and -i add: the rest of the socket's line, then lines of its own. */
void ss_print_more(const struct ss_show *show, const struct ss_socket *s);

/** All of it as one object, NULL for want of memory. */
json_t *ss_json(const struct ss_socket *s);

/** --watch, until a signal. The exit status. */
int ss_watch(const struct ss_show *show);

#endif
