/* SPDX-License-Identifier: MIT */
/* The terms of a filter; see ss_terms.h. */
#include "client/cli/ss_terms.h"

#include "client/cli/address.h"
#include "client/cli/options.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- states ------------------------------------------------------------------------------------
 */

#define BIT(n)    (1u << (n))
#define ALL       (BIT(SS_STATES) - BIT(SS_ESTABLISHED))
#define SYN_SENT  BIT(2)
#define SYN_RECV  BIT(3)
#define TIME_WAIT BIT(6)
#define CLOSED    BIT(7)

bool ss_term_state(const char *word, uint32_t *states)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } names[] = {
        {"established", BIT(SS_ESTABLISHED)},
        {"estab", BIT(SS_ESTABLISHED)},
        {"syn-sent", SYN_SENT},
        {"syn-recv", SYN_RECV},
        {"fin-wait-1", BIT(4)},
        {"fin-wait-2", BIT(5)},
        {"time-wait", TIME_WAIT},
        {"closed", CLOSED},
        {"close", CLOSED},
        {"unconnected", CLOSED},
        {"close-wait", BIT(8)},
        {"last-ack", BIT(9)},
        {"listening", BIT(SS_LISTEN)},
        {"listen", BIT(SS_LISTEN)},
        {"closing", BIT(11)},
        {"all", ALL},
        {"connected", ALL & ~(CLOSED | BIT(SS_LISTEN))},
        {"synchronized", ALL & ~(CLOSED | BIT(SS_LISTEN) | SYN_SENT)},
        {"bucket", SYN_RECV | TIME_WAIT},
        {"big", ALL & ~(SYN_RECV | TIME_WAIT)},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(names[i].name, word) != 0)
            continue;
        *states |= names[i].bits;
        return true;
    }
    return false;
}

/* --- addresses ---------------------------------------------------------------------------------
 */

static bool read_port(const char *text, uint32_t *port)
{
    int n = address_port(text);

    if (n < 0)
        return false;
    *port = (uint32_t)n;
    return true;
}

/* "10.0.0.0", "2001:db8::": into addr, v4-mapped; the bits that stand before an IPv4 address. */
static bool read_address(const char *text, uint8_t addr[16], int *before)
{
    struct in_addr v4;

    *before = 0;
    if (inet_pton(AF_INET6, text, addr) == 1)
        return true;
    if (inet_pton(AF_INET, text, &v4) != 1)
        return false;
    memset(addr, 0, 10);
    memset(addr + 10, 0xff, 2);
    memcpy(addr + 12, &v4, 4);
    *before = 96;
    return true;
}

/* A[/LEN], "*" or nothing for all. */
static bool read_prefix(struct ss_term *t, char *text)
{
    char *slash = strchr(text, '/');
    int64_t len;
    int before;

    if (!*text || !strcmp(text, "*"))
        return true;
    if (slash)
        *slash = '\0';
    if (!read_address(text, t->addr, &before))
        return false;
    len = slash ? cli_number(slash + 1, 0, 128 - before) : 128 - before;
    t->bits = (uint8_t)(before + len);
    return len >= 0;
}

/* A[/LEN][:PORT], [A][/LEN][:PORT], an IPv6 address without a port also bare. */
static bool read_endpoint(struct ss_term *t, const char *word)
{
    char text[128], *port = NULL, *close;

    if (strlen(word) >= sizeof(text))
        return false;
    strcpy(text, word);
    close = text[0] == '[' ? strchr(text, ']') : NULL;
    if (close) {
        memmove(close, close + 1, strlen(close));
        memmove(text, text + 1, strlen(text));
        port = strchr(close - 1, ':');
    } else if (strchr(text, ':') == strrchr(text, ':')) {
        port = strchr(text, ':');
    }
    if (port)
        *port++ = '\0';
    t->has_port = port && strcmp(port, "*") != 0;
    return (!t->has_port || read_port(port, &t->number)) && read_prefix(t, text);
}

static bool in_prefix(const uint8_t a[16], const uint8_t b[16], unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    uint8_t mask = (uint8_t)(0xff00u >> rest);

    return memcmp(a, b, whole) == 0 && (!rest || !((a[whole] ^ b[whole]) & mask));
}

/* --- values and matches ------------------------------------------------------------------------
 */

static bool read_user(const char *word, uint32_t *uid)
{
    const struct passwd *pw = getpwnam(word); // cppcheck-suppress getpwnamCalled ; one thread
    int64_t n = pw ? (int64_t)pw->pw_uid : cli_number(word, 0, UINT32_MAX);

    *uid = (uint32_t)n;
    return n >= 0;
}

const char *ss_term_value(struct ss_term *t, const char *word)
{
    bool orders = t->how != SS_EQ && t->how != SS_NE;
    int64_t pid;

    switch (t->what) {
    case SS_TERM_SPORT:
    case SS_TERM_DPORT:
        return read_port(word + (*word == ':'), &t->number) ? NULL : "port";
    case SS_TERM_SRC:
    case SS_TERM_DST:
        return !orders && read_endpoint(t, word) ? NULL : "address to compare with by = or !=";
    case SS_TERM_USER:
        return !orders && read_user(word, &t->number) ? NULL : "user to compare with by = or !=";
    case SS_TERM_PID:
        pid = cli_number(word, 1, INT32_MAX);
        t->number = (uint32_t)pid;
        return !orders && pid > 0 ? NULL : "process to compare with by = or !=";
    case SS_TERM_NAME:
        snprintf(t->name, sizeof(t->name), "%s", word);
        return orders ? "name to compare with by = or !=" : NULL;
    case SS_TERM_STATE:
        break;
    }
    return "value";
}

static bool compare(uint32_t a, enum ss_compare how, uint32_t b)
{
    switch (how) {
    case SS_EQ:
        return a == b;
    case SS_NE:
        return a != b;
    case SS_LT:
        return a < b;
    case SS_LE:
        return a <= b;
    case SS_GT:
        return a > b;
    case SS_GE:
        return a >= b;
    }
    return false;
}

static bool is_at(const struct ss_term *t, const struct wire_addr *a)
{
    return in_prefix(a->addr, t->addr, t->bits) && (!t->has_port || a->port == t->number);
}

/* Of a socket whose holders cannot be seen: the process that made it. */
static bool is_held(const struct ss_term *t, const struct ss_socket *s)
{
    bool by_pid = t->what == SS_TERM_PID;
    char name[32];

    for (unsigned i = 0; i < s->holders.count; i++) {
        const struct holder *h = &s->holders.list[i];

        if (by_pid ? h->pid == (int)t->number : fnmatch(t->name, h->name, 0) == 0)
            return true;
    }
    if (s->holders.count || !s->wire.has_handle)
        return false;
    return by_pid ? s->wire.pid == t->number
                  : fnmatch(t->name, holders_name((int)s->wire.pid, name), 0) == 0;
}

bool ss_term_match(const struct ss_term *t, const struct ss_socket *s)
{
    const struct wire_info *w = &s->wire;

    switch (t->what) {
    case SS_TERM_STATE:
        return w->state < 32 && (t->states & BIT(w->state));
    case SS_TERM_SPORT:
        return compare(w->local.port, t->how, t->number);
    case SS_TERM_DPORT:
        return compare(w->remote.port, t->how, t->number);
    case SS_TERM_SRC:
        return is_at(t, &w->local) == (t->how == SS_EQ);
    case SS_TERM_DST:
        return is_at(t, &w->remote) == (t->how == SS_EQ);
    case SS_TERM_USER:
        return w->has_handle && (w->uid == t->number) == (t->how == SS_EQ);
    case SS_TERM_PID:
    case SS_TERM_NAME:
        return is_held(t, s) == (t->how == SS_EQ);
    }
    return false;
}
