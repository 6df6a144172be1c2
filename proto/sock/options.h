/* SPDX-License-Identifier: MIT */
/* The list of options.def as a table, for the two halves of it: options.c sets, options_get.c
 * reads. */
#ifndef TS_PROTO_SOCK_OPTIONS_H
#define TS_PROTO_SOCK_OPTIONS_H

#include "proto/sock/sock_internal.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif

#ifndef TCP_CC_INFO
#define TCP_CC_INFO 26
#endif

#define CC_NAME_MAX 16 /**< Linux: TCP_CA_NAME_MAX */

enum option_kind {
    OPTION_INT,
    OPTION_LINGER,
    OPTION_TIMEVAL,
    OPTION_INFO,
    OPTION_STRING,
    OPTION_U64
};

struct option {
    int level, name;
    uint8_t kind; /**< enum option_kind */
    bool set, get;
};

/** NULL: this stack has no such option. */
const struct option *option_find(int level, int name);

#endif
