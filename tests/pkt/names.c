/* SPDX-License-Identifier: MIT */
/* The constants of scripts; see names.h. The list is small: it is searched from the front. */
#include "tests/pkt/names.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif

#ifndef TCP_RTO_MIN_US
#define TCP_RTO_MIN_US 45 /* Linux 6.15 */
#endif

static const struct {
    const char *name;
    int64_t value;
} names[] = {
#define NAME(symbol) {#symbol, (int64_t)(uint32_t)symbol},
#include "tests/pkt/names.def"
#undef NAME
};

#define N_NAMES (sizeof(names) / sizeof(names[0]))

bool name_find(const char *name, size_t n, int64_t *value)
{
    for (size_t i = 0; i < N_NAMES; i++) {
        if (strncmp(names[i].name, name, n) == 0 && !names[i].name[n]) {
            *value = names[i].value;
            return true;
        }
    }
    return false;
}

const char *name_of_errno(int error)
{
    static char text[32];

    for (size_t i = 0; i < N_NAMES; i++)
        if (names[i].name[0] == 'E' && strncmp(names[i].name, "EPOLL", 5) != 0 &&
            names[i].value == error)
            return names[i].name;
    snprintf(text, sizeof(text), "errno %d", error);
    return text;
}
