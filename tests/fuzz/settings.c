/* SPDX-License-Identifier: MIT */
/* OP_OPTION and the tunables: all that options.def and tunables.def list, by value and by text. */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

/* --- options --------------------------------------------------------------------------------- */

#define SIZE_INT     sizeof(int)
#define SIZE_LINGER  sizeof(struct linger)
#define SIZE_TIMEVAL sizeof(struct timeval)
#define SIZE_INFO    sizeof(struct sock_tcp_info)
#define SIZE_STRING  sizeof("reno")
#define SIZE_U64     sizeof(uint64_t)

static const struct option {
    int level, name;
    size_t size;
} options[] = {
#define SOCK_OPTION(level, name, kind, set, get, help) {level, name, SIZE_##kind},
#include "proto/sock/options.def"
#undef SOCK_OPTION
    {SOL_SOCKET, SO_BROADCAST, SIZE_INT},
    {IPPROTO_TCP, 255, SIZE_INT},
};

static void at_edge(const struct option *o, uint8_t which, uint8_t *value)
{
    static const int edges[] = {-1, INT_MAX, INT_MIN, 1, 65536, 32767, INT_MAX - 1, 0};

    if (o->size == SIZE_STRING)
        strcpy((char *)value, tcp_cc_at(which % 3)->name);
    else
        memcpy(value, &edges[which & 7], sizeof(edges[0]));
}

/* The value lies in memory of its own length, so that reads and writes past it are seen. */
static void set_or_get(struct sock *s, const struct option *o, bool get, const uint8_t *value,
                       size_t len)
{
    uint8_t *exact = malloc(len);
    size_t room = len;

    if (!exact)
        world_fail("the machine is out of memory");
    memcpy(exact, value, len);
    if (!get)
        sock_setsockopt(s, o->level, o->name, exact, len, world.now);
    else if (sock_getsockopt(s, o->level, o->name, exact, &room, world.now) == 0 && room > len)
        world_fail("getsockopt(2) gave more than there is room for");
    free(exact);
}

void op_option(struct input *in)
{
    struct sock *s = op_socket(input_u8(in));
    const struct option *o = &options[input_u8(in) % (sizeof(options) / sizeof(options[0]))];
    uint8_t size = input_u8(in), value[400] = {0};
    size_t len = size & 0x0f ? size & 0x0f : o->size;

    if (!s)
        return;
    if (size & OPTION_GET) {
        set_or_get(s, o, true, value, size & OPTION_ROOM ? sizeof(value) : len);
        return;
    }
    input_bytes(in, value, size & OPTION_BYTES ? len : 2); /* mostly small numbers */
    if (size & OPTION_EDGE) {
        at_edge(o, value[0], value);
        if (o->size == SIZE_STRING)
            len = strlen((char *)value);
    }
    world_trace("option %d/%d = %u %u", o->level, o->name, value[0], value[1]);
    set_or_get(s, o, false, value, len);
}

/* --- tunables -------------------------------------------------------------------------------- */

static void in_range(void)
{
    const struct tcp_tunables *t = &world.st->tcp.tunables;

#define TCP_TUNABLE(name, sysctl, def, min, max, unit, help)                                       \
    if (t->name < (min) || t->name > (max))                                                        \
        world_fail("a tunable left its range");
#include "proto/tcp/tunables.def"
#undef TCP_TUNABLE
    if (t->port_min > t->port_max)
        world_fail("the range of ports is empty");
}

/* As a person at a keyboard: names with and without their place, vectors, and nonsense. */
static void by_text(struct input *in, uint8_t which)
{
    static const char *const names[] = {"tcp_rmem",
                                        "net.ipv4.tcp_wmem",
                                        "ip_local_port_range",
                                        "net.core.somaxconn",
                                        "tcp_congestion_control",
                                        "tcp_available_congestion_control",
                                        "tcp_none"};
    static const char letters[] = "0123456789  \t-x";
    const char *name = names[which % (sizeof(names) / sizeof(names[0]))];
    char text[33] = "";
    uint8_t n = input_u8(in) % sizeof(text);

    for (uint8_t i = 0; i < n; i++)
        text[i] = letters[input_u8(in) % (sizeof(letters) - 1)];
    world_trace("tunable %s = %s", name, text);
    stack_tunable_set(world.st, name, text);
    stack_tunable_get(world.st, name, text, n);
    in_range();
}

/* False: it stays as it is. */
static bool choose(struct input *in, const struct stack_tunable *t, int64_t *out)
{
    uint8_t how = input_u8(in);
    uint64_t range = (uint64_t)(t->max - t->min), step = how >> 2;

    if (!how)
        return false;
    if ((how & 3) == 0)
        step--;
    else if ((how & 3) == 1)
        step = range - step % (range + 1);
    else
        step = (how & 3) == 2 ? input_u16(in) : input_u32(in);
    *out = t->min + (int64_t)(step % (range + 1));
    return true;
}

void op_tunable(struct input *in, unsigned place)
{
    struct stack_tunable t, found;
    char text[24], back[24];
    int64_t value;
    int err;

    if (place == TUNABLE_COUNT)
        place = input_u8(in);
    if (place >= TUNABLE_TEXT) {
        by_text(in, place & 15);
        return;
    }
    if (!stack_tunable_describe(place % TUNABLE_COUNT, &t) || !stack_tunable_find(t.name, &found))
        world_fail("a tunable cannot be found");
    if (!choose(in, &t, &value))
        return;
    if (place % TUNABLE_COUNT == TUNABLE_congestion_control) /* which is written as a word */
        snprintf(text, sizeof(text), "%s", tcp_cc_at((unsigned)value)->name);
    else
        snprintf(text, sizeof(text), "%lld", (long long)value);
    world_trace("tunable %s = %s", t.name, text);
    err = stack_tunable_set(world.st, t.name, text);
    if (err && err != -ERANGE) /* the first port may not lie above the last */
        world_fail("a tunable refuses a value of its range");
    if (!err && (stack_tunable_get(world.st, t.name, back, sizeof(back)) || strcmp(text, back)))
        world_fail("a tunable is not what it was set to");
    in_range();
}
