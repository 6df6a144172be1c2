/* SPDX-License-Identifier: MIT */
/*
 * One frame into a stack that has one of each: a listener, an established connection with data in
 * flight, a TIME-WAIT and a half-open request. The first byte says how it arrives: sums fixed, sums
 * verified by the device, offload, numbers relative; and what the sender has been through: a hole
 * that the peer has SACKed, a time-out, bbr. The rest is the frame.
 */
#include "tests/fuzz/input.h"
#include "tests/fuzz/world.h"

#include "proto/ip/wire.h"

#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Flow 0 is established, flow 1 in TIME-WAIT, flow 2 half open. */
enum { ESTABLISHED, TIMEWAIT, HALF_OPEN };

#define HOW_RELATIVE 16
#define HOW_HOLE     32
#define HOW_LATE     64
#define HOW_BBR      128

static void segment(unsigned flow, uint8_t flags)
{
    static const uint8_t options[] = {2, 4,  5, 180, 1, 3, 3, 7, 4, 2,
                                      8, 10, 0, 0,   0, 9, 0, 0, 0, 0};
    struct flow *fl = &world.flows[flow];
    bool with = flow == ESTABLISHED && (flags & TH_SYN);
    uint8_t echo[12] = {1, 1, 8, 10, 0, 0, 0, 10};

    wire_put32(echo + 8, fl->tsval);
    world_segment(&(struct world_segment){.flow = flow,
                                          .flags = flags,
                                          .seq = fl->next,
                                          .ack = fl->end,
                                          .window = 65535,
                                          .opt = with ? options : echo,
                                          .opt_len = with     ? sizeof(options)
                                                     : fl->ts ? sizeof(echo)
                                                              : 0});
    world_run();
}

/* The first packet of the flight is missing, the third has arrived. */
static void leave_hole(void)
{
    struct flow *fl = &world.flows[ESTABLISHED];
    uint8_t o[24] = {1, 1, 8, 10, 0, 0, 0, 11, 0, 0, 0, 0, 1, 1, 5, 10};

    wire_put32(o + 8, fl->tsval);
    wire_put32(o + 16, fl->end - 500);
    wire_put32(o + 20, fl->end);
    world_segment(&(struct world_segment){.flow = ESTABLISHED,
                                          .flags = TH_ACK,
                                          .seq = fl->next,
                                          .ack = fl->una,
                                          .window = 65535,
                                          .opt = o,
                                          .opt_len = sizeof(o)});
    world_run();
}

static struct sock *accepted(struct sock *listener, unsigned flow)
{
    struct sock *s = NULL;

    segment(flow, TH_SYN);
    segment(flow, TH_ACK);
    if (sock_accept(listener, &s, world.now) != 0)
        world_fail("no connection");
    sock_set_user(s, &world);
    return s;
}

static void set_up(uint8_t how)
{
    struct ip_endpoint any = {ip_addr_any(false), WORLD_PORT};
    struct tcp_tunables *t;
    struct sock *closing;

    world_begin(&(struct world_config){.mtu = 1500});
    t = &world.st->tcp.tunables; /* small buffers: most of the time would go into making them */
    t->rmem_default = t->wmem_default = 8192;
    t->congestion_control = how & HOW_BBR ? 2 : 0;
    sock_create(world.st, false, &world.socks[0]);
    sock_bind(world.socks[0], &any, world.now);
    sock_listen(world.socks[0], 8, world.now);
    world.socks[1] = accepted(world.socks[0], ESTABLISHED);
    for (int i = 0; i < 6; i++) {
        world_send(world.socks[1], 500, MSG_EOR);
        world_run();
    }
    if (how & HOW_HOLE)
        leave_hole();
    if (how & HOW_LATE)
        world_advance(1500000, 1 + (how & 3));
    closing = accepted(world.socks[0], TIMEWAIT);
    sock_close(closing, world.now);
    world_run();
    segment(TIMEWAIT, TH_FIN | TH_ACK);
    segment(HALF_OPEN, TH_SYN);
    if (world.st->tcp.n_timewait != 1 || world.st->tcp.n_requests != 1 || world.st->tcp.n_tcbs != 2)
        world_fail("the scene is not set");
}

static void add(uint8_t *at, uint32_t n)
{
    wire_put32(at, wire_get32(at) + n);
}

/* So do SACK blocks, and timestamps. */
static void make_options_relative(uint8_t *o, size_t n, const struct flow *fl)
{
    for (size_t i = 0; i + 1 < n && o[i]; i += o[i] == 1 ? 1 : o[i + 1]) {
        if (o[i] == 1)
            continue;
        if (o[i + 1] < 2 || i + o[i + 1] > n)
            return;
        if (o[i] == 8 && o[i + 1] == 10) {
            add(o + i + 2, 12);
            add(o + i + 6, fl->tsval);
        }
        for (size_t j = i + 2; o[i] == 5 && j + 4 <= i + o[i + 1]; j += 4)
            add(o + j, fl->una);
    }
}

/* The frame's sequence and acknowledgement numbers count from what its connection expects. */
static void make_relative(uint8_t *b, size_t n)
{
    uint8_t *tcp = b + ETH_HEADER + IPV4_HEADER;
    const struct flow *fl;

    if (n < ETH_HEADER + IPV4_HEADER + TCP_HEADER_LEN)
        return;
    fl = &world.flows[wire_get16(tcp) % WORLD_FLOWS];
    add(tcp + 4, fl->next);
    add(tcp + 8, fl->end);
    n -= ETH_HEADER + IPV4_HEADER;
    if ((tcp[12] >> 4) * 4u > TCP_HEADER_LEN && (tcp[12] >> 4) * 4u <= n)
        make_options_relative(tcp + TCP_HEADER_LEN, (tcp[12] >> 4) * 4u - TCP_HEADER_LEN, fl);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};
    uint8_t bytes[4096], how = input_u8(&in);
    struct world_offload offload = {.csum = how & 2 ? FRAME_CSUM_VALID : FRAME_CSUM_NONE};
    size_t n;

    if (how & 4) {
        offload.csum = FRAME_CSUM_PARTIAL;
        offload.gso = how & 8 ? FRAME_GSO_TCP4 : FRAME_GSO_NONE;
        offload.gso_size = input_u16(&in);
    }
    n = input_bytes(&in, bytes, sizeof(bytes));
    set_up(how);
    if (how & HOW_RELATIVE)
        make_relative(bytes, n);
    if (how & 1)
        world_fix_sums(bytes, n);
    world.raw = true;
    world_input(bytes, n, offload);
    world_run();
    world_recv(world.socks[1], 100, 0);
    world_advance(300000, 8);
    world_end();
    return 0;
}
