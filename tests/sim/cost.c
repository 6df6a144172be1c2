/* SPDX-License-Identifier: MIT */
/*
 * What the core costs: instructions for a segment sent and received, bytes for an idle connection,
 * among N connections.
 *
 *     valgrind --tool=callgrind --instr-atstart=no --collect-atstart=no cost N     (tests/sim/cost)
 *
 * Two cores, and between them not even a wire: what one transmits is the next input of the other.
 * Every segment is one of 1,448 bytes on the next of the N connections, acknowledged at once, so a
 * round is the same whatever N is, and nothing else happens in it. Only one phase of the rounds is
 * counted at a time. Without callgrind it says the bytes alone.
 */
#include "proto/sock/sock_internal.h"
#include "proto/stack.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#define SEGMENT   1448u
#define ROUNDS    2000u
#define PER_PORT  10000u /* connections to one port of the server: free ports are found at once */
#define BATCH     1000u  /* being opened at a time */
#define IN_FLIGHT 4096u

/* The phases of a round. */
enum phase { SEND, RECEIVE, ACKED, PHASES };
static const char *const phase_names[] = {"send", "receive", "acked"};

struct carried {
    uint32_t len;
    uint8_t data[2048];
};

struct side {
    struct stack *st;
    struct sock **socks;
    unsigned n;
    struct carried *queue; /* what it has transmitted */
    unsigned first, queued;
};

static struct side client, server;
static uint64_t now = 1000000000;

static void give_up(const char *what)
{
    fprintf(stderr, "cost: %s\n", what);
    exit(1);
}

/* --- no wire -----------------------------------------------------------------------------------
 */

static int transmit(void *ctx, const struct frame *f)
{
    struct side *s = ctx;
    struct carried *c = &s->queue[(s->first + s->queued) % IN_FLIGHT];

    if (s->queued == IN_FLIGHT || frame_total(f) > sizeof(c->data))
        give_up("too much at once");
    c->len = frame_total(f);
    frame_flatten(f, c->data);
    s->queued++;
    return 0;
}

/* All that `from` has transmitted goes into `to`, as a device with checksum offload gives it. */
static void carry(struct side *from, struct side *to)
{
    while (from->queued) {
        struct carried *c = &from->queue[from->first];
        struct frame f;

        frame_init(&f);
        f.data = c->data;
        f.len = c->len;
        f.csum = FRAME_CSUM_VALID;
        from->first = (from->first + 1) % IN_FLIGHT;
        from->queued--;
        stack_input(to->st, &f, now);
    }
    stack_run(to->st, now);
}

/* Until nobody has anything to say. */
static void settle(void)
{
    stack_run(client.st, now);
    do {
        carry(&client, &server);
        carry(&server, &client);
    } while (client.queued || server.queued);
}

/* --- N connections -----------------------------------------------------------------------------
 */

static void make_side(struct side *s, uint8_t number, unsigned n)
{
    static const struct stack_ops ops = {.transmit = transmit};
    uint8_t v4[4] = {10, 0, 0, number};
    struct stack_config c = {.mtu = 1500,
                             .features = STACK_TX_CSUM,
                             .memory_limit = 16ull << 30,
                             .max_sockets = n + 100};

    memcpy(c.mac, (uint8_t[6]){2, 0, 0, 0, 0, number}, 6);
    c.address = (struct ip_prefix){ip_addr_v4(v4), IP_V4_PREFIX_BASE + 24};
    s->socks = calloc(n, sizeof(*s->socks));
    s->queue = calloc(IN_FLIGHT, sizeof(*s->queue));
    if (!s->socks || !s->queue || stack_new(&c, &ops, s, now, &s->st))
        give_up("no stack");
}

static struct sock *listen_at(uint16_t port)
{
    struct ip_endpoint local = {ip_addr_any(false), port};
    struct sock *s;

    if (sock_create(server.st, false, &s) || sock_bind(s, &local, now) || sock_listen(s, 4096, now))
        give_up("no listener");
    return s;
}

static void accept_all(struct sock *listener)
{
    struct sock *s;
    int on = 1;

    while (sock_accept(listener, &s, now) == 0) {
        (void)sock_setsockopt(s, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on), now);
        server.socks[server.n++] = s;
    }
}

static void forget_events(struct side *s)
{
    uint32_t events;

    while (stack_next_event(s->st, &events)) {
    }
}

static void connect_batch(unsigned n, uint16_t port)
{
    uint8_t v4[4] = {10, 0, 0, 2};
    struct ip_endpoint remote = {ip_addr_v4(v4), port};
    int on = 1;

    for (unsigned i = 0; i < n; i++) {
        struct sock *s;

        if (sock_create(client.st, false, &s) ||
            sock_setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on), now) ||
            sock_connect(s, &remote, now) != -EINPROGRESS)
            give_up("cannot connect");
        client.socks[client.n++] = s;
    }
    settle();
}

static void open_all(unsigned n)
{
    struct sock *listener = NULL;
    uint16_t port = 1000;
    unsigned room = 0;

    for (unsigned done = 0; done < n;) {
        /* the first one alone: its SYN asks for the neighbour */
        unsigned batch = !done ? 1 : n - done < BATCH ? n - done : BATCH;

        if (done >= room) {
            listener = listen_at(++port);
            room += PER_PORT;
        }
        connect_batch(batch, port);
        accept_all(listener);
        forget_events(&client);
        forget_events(&server);
        done += batch;
        now += 1000;
    }
    if (server.n != n)
        give_up("not all connections came about");
}

/* --- rounds ------------------------------------------------------------------------------------
 */

static void count(bool on)
{
    if (on)
        CALLGRIND_TOGGLE_COLLECT;
}

static void send_one(struct sock *s)
{
    static uint8_t data[SEGMENT];
    struct iovec v = {data, sizeof(data)};

    if (sock_sendmsg(s, &v, 1, 0, now) != SEGMENT)
        give_up("the segment was not taken");
    stack_run(client.st, now);
}

static void receive_one(void)
{
    static uint8_t data[SEGMENT];
    struct iovec v = {data, sizeof(data)};
    uint32_t events;
    struct sock *s;

    carry(&client, &server);
    s = stack_next_event(server.st, &events);
    if (!s || sock_recvmsg(s, &v, 1, 0, now) != SEGMENT)
        give_up("the segment did not arrive");
    stack_run(server.st, now);
}

/* Which side of which phase is counted, callgrind must be told before and after: nothing else is in
 * between. */
static void round_trip(struct sock *s, int counted)
{
    count(counted == SEND);
    send_one(s);
    count(counted == SEND);
    if (client.queued != 1)
        give_up("not one segment");
    count(counted == RECEIVE);
    receive_one();
    count(counted == RECEIVE);
    if (server.queued != 1)
        give_up("not one acknowledgement");
    count(counted == ACKED);
    carry(&server, &client);
    count(counted == ACKED);
    forget_events(&client);
    forget_events(&server);
    now += 100;
}

/* A stride that visits connections far from each other. */
static struct sock *pick(unsigned i)
{
    return client.socks[(uint64_t)i * 7919 % client.n];
}

/* Callgrind writes what it counted, under the name of the phase, and begins at 0 again. */
static void count_phases(void)
{
    unsigned at = 0;

    for (int phase = 0; phase < PHASES; phase++) {
        CALLGRIND_ZERO_STATS;
        for (unsigned i = 0; i < ROUNDS; i++)
            round_trip(pick(at++), phase);
        CALLGRIND_DUMP_STATS_AT(phase_names[phase]);
    }
}

/* --- bytes -------------------------------------------------------------------------------------
 */

static uint64_t resident(void)
{
    unsigned long long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");

    if (!f || fscanf(f, "%*u %llu", &pages) != 1)
        give_up("no /proc/self/statm");
    fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
    unsigned n = argc > 1 ? (unsigned)atoi(argv[1]) : 1;
    struct stack_usage idle;
    uint64_t before;

    if (n < 1)
        give_up("how many connections?");
    make_side(&client, 1, n);
    make_side(&server, 2, n);
    memset(client.queue, 0, IN_FLIGHT * sizeof(*client.queue));
    memset(server.queue, 0, IN_FLIGHT * sizeof(*server.queue));
    before = resident();
    open_all(n);
    stack_usage(server.st, &idle);
    printf("connections %u\n", n);
    printf("sizeof_tcb %zu\nsizeof_sock %zu\n", sizeof(struct tcb), sizeof(struct sock));
    printf("charged_each %llu\n", (unsigned long long)(idle.memory_used / n));
    printf("resident_each %llu\n", (unsigned long long)((resident() - before) / 2 / n));
    printf("rounds %u\n", ROUNDS);
    for (unsigned i = 0; i < ROUNDS; i++) /* everything is warm */
        round_trip(pick(i), -1);
    CALLGRIND_START_INSTRUMENTATION;
    count_phases();
    CALLGRIND_STOP_INSTRUMENTATION;
    stack_free(client.st);
    stack_free(server.st);
    return 0;
}
