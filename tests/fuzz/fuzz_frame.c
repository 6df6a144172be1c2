/* SPDX-License-Identifier: MIT */
/*
 * One frame into a stack that has one of each: a listener, an established connection, a TIME-WAIT
 * and a half-open request. The first byte says how it arrives: sums fixed, sums verified by the
 * device, offload, numbers relative; the rest is the frame.
 */
#include "tests/fuzz/input.h"
#include "tests/fuzz/world.h"

#include "proto/ip/wire.h"

#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Flow 0 is established, flow 1 in TIME-WAIT, flow 2 half open. */
enum { ESTABLISHED, TIMEWAIT, HALF_OPEN };

static void segment(unsigned flow, uint8_t flags)
{
    struct flow *fl = &world.flows[flow];

    world_segment(&(struct world_segment){
        .flow = flow, .flags = flags, .seq = fl->next, .ack = fl->end, .window = 65535});
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

static void set_up(void)
{
    struct ip_endpoint any = {ip_addr_any(false), WORLD_PORT};
    struct tcp_tunables *t;
    struct sock *closing;

    world_begin(&(struct world_config){.mtu = 1500});
    t = &world.st->tcp.tunables; /* small buffers: most of the time would go into making them */
    t->rmem_default = t->wmem_default = 8192;
    sock_create(world.st, false, &world.socks[0]);
    sock_bind(world.socks[0], &any, world.now);
    sock_listen(world.socks[0], 8, world.now);
    world.socks[1] = accepted(world.socks[0], ESTABLISHED);
    world_send(world.socks[1], 3000, 0);
    world_run();
    closing = accepted(world.socks[0], TIMEWAIT);
    sock_close(closing, world.now);
    world_run();
    segment(TIMEWAIT, TH_FIN | TH_ACK);
    segment(HALF_OPEN, TH_SYN);
    if (world.st->tcp.n_timewait != 1 || world.st->tcp.n_requests != 1 || world.st->tcp.n_tcbs != 2)
        world_fail("the scene is not set");
}

/* The frame's sequence and acknowledgement numbers count from what its connection expects. */
static void make_relative(uint8_t *b, size_t n)
{
    uint8_t *tcp = b + ETH_HEADER + IPV4_HEADER;
    const struct flow *fl;

    if (n < ETH_HEADER + IPV4_HEADER + TCP_HEADER_LEN)
        return;
    fl = &world.flows[wire_get16(tcp) % WORLD_FLOWS];
    wire_put32(tcp + 4, wire_get32(tcp + 4) + fl->next);
    wire_put32(tcp + 8, wire_get32(tcp + 8) + fl->end);
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
    set_up();
    if (how & 16)
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
