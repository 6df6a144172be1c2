/* SPDX-License-Identifier: MIT */
/* OP_CALL, OP_BLOCKING: what programs do. */
#include "tests/fuzz/ops.h"
#include "tests/fuzz/world.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>

/* The socket in this slot; made when there is none. NULL: no memory. */
struct sock *op_socket(uint8_t slot)
{
    struct sock **s = &world.socks[slot % WORLD_SOCKS];

    if (*s)
        return *s;
    if (sock_create(world.st, slot & 0x80, s) != 0)
        *s = NULL;
    else
        sock_set_user(*s, &world);
    return *s;
}

static void keep(struct sock *s)
{
    sock_set_user(s, &world);
    for (int i = 0; i < WORLD_SOCKS; i++) {
        if (!world.socks[i]) {
            world.socks[i] = s;
            return;
        }
    }
    sock_close(s, world.now);
}

static size_t size_of(struct input *in)
{
    uint8_t b = input_u8(in);

    return b & 0x80 ? (size_t)(b & 0x7f) * 512 : b;
}

static int flags_of(uint8_t b)
{
    return (b & 1 ? MSG_MORE : 0) | (b & 2 ? MSG_EOR : 0) | (b & 4 ? MSG_DONTWAIT : 0) |
           (b & 8 ? MSG_OOB : 0) | (b & 16 ? MSG_PEEK : 0) | (b & 32 ? MSG_TRUNC : 0) |
           (b & 64 ? MSG_WAITALL : 0) | (b & 128 ? MSG_NOSIGNAL : 0);
}

static void spans_out(struct sock *s, struct input *in)
{
    struct iovec iov[4];
    uint32_t seq = s->tcb->write_seq;
    int n = 0;
    ssize_t room = sock_send_spans(s, size_of(in), iov, &n);
    size_t take, filled = 0;
    int flags;

    if (room <= 0)
        return;
    world_sends(s);
    for (int i = 0; i < n; i++) {
        world_fill(iov[i].iov_base, seq + (uint32_t)filled, iov[i].iov_len);
        filled += iov[i].iov_len;
    }
    if (filled != (size_t)room)
        world_fail("the spans to send into are not as long as promised");
    take = input_u8(in);
    if (take > filled || take == 255)
        take = filled;
    flags = flags_of(input_u8(in) & 0x8b);
    if (sock_send_commit(s, take, flags, world.now) != (ssize_t)take)
        world_fail("bytes in granted spans were refused");
}

static void spans_in(struct sock *s, struct input *in)
{
    struct iovec iov[4];
    uint32_t seq = s->tcb->irs + 1 + (uint32_t)s->tcb->read_offset;
    int n = 0;
    size_t got = sock_recv_spans(s, iov, &n), sum = 0, take = size_of(in);

    if (sock_at_mark(s) && got > 1)
        world_fail("the spans go on behind the urgent byte");
    world_reads(s);

    for (int i = 0; i < n; i++) {
        const uint8_t *b = iov[i].iov_base;

        for (size_t j = 0; j < iov[i].iov_len; j++, sum++) {
            if (b[j] != world_pattern(seq + (uint32_t)sum) && !world.raw)
                world_fail("the spans hold a wrong byte");
        }
    }
    if (sum != got)
        world_fail("the spans are not as long as promised");
    sock_recv_consume(s, take < got ? take : got, input_u16(in), world.now);
    sock_recv_eof(s);
}

static void ask(struct sock *s)
{
    struct sock_info info;
    struct ip_endpoint e;

    if (sock_user(s) != &world || !sock_id(s))
        world_fail("a socket has lost its owner or its number");
    sock_get_info(s, &info, world.now);
    if (info.id != sock_id(s) || info.state >= TCPS_COUNT)
        world_fail("a socket is described as another one");
    sock_getsockname(s, &e);
    sock_getpeername(s, &e);
    sock_poll(s);
    sock_readable(s);
    if (sock_inq(s) > info.recv_queue && !s->listener)
        world_fail("more to read than is there");
    if (sock_unacked(s) > info.send_queue && !s->listener)
        world_fail("more unacknowledged than was sent");
    if (sock_send_space(s) > s->tcb->sndbuf)
        world_fail("more space than the buffer has");
}

static void bind_or_connect(struct sock *s, uint8_t what, struct input *in)
{
    static const uint8_t self[4] = {10, 0, 0, 1}, other[4] = {10, 0, 0, 77};
    static const struct ip_addr six = {.b = {0x20, 1, 0xd, 0xb8, [15] = 1}};
    struct ip_endpoint e = {ip_addr_any(false), 0};
    uint8_t b = input_u8(in);

    if (what == CALL_CONNECT) {
        e = world_peer(b % WORLD_FLOWS);
        if (b >= 0xf0)
            e.addr = b == 0xff ? ip_addr_any(true) : b == 0xfe ? six : ip_addr_v4(other);
        if (b == 0xfd)
            e.port = 0;
    } else if (what == CALL_CONNECT_SELF) {
        e = (struct ip_endpoint){ip_addr_v4(self), (uint16_t)(WORLD_PORT + (b & 3))};
    } else {
        e.port = b & 0x40 ? (uint16_t)(WORLD_PORT + (b & 3)) : 0;
        e.addr = b & 0x20 ? ip_addr_v4(b & 0x10 ? other : self) : ip_addr_any(b & 8);
    }
    if (what == CALL_BIND)
        sock_bind(s, &e, world.now);
    else
        sock_connect(s, &e, world.now);
}

static void listen_on(struct sock *s, struct input *in)
{
    struct ip_endpoint e = {ip_addr_any(false), WORLD_PORT};
    uint8_t b = input_u8(in);

    e.port = (uint16_t)(e.port + (b & 3));
    if (!(b & 0x80))
        sock_bind(s, &e, world.now);
    sock_listen(s, b >> 2 & 31, world.now);
}

static void accept_from(struct sock *s)
{
    struct sock *child = NULL;
    int err = sock_accept(s, &child, world.now);

    if (!err != !!child)
        world_fail("accept(2) and its result differ");
    if (child)
        keep(child);
}

static void usage(void)
{
    struct stack_usage u;

    stack_usage(world.st, &u);
    if (u.orphans > u.connections || u.memory_used != world.st->mem.used)
        world_fail("the stack's use of itself does not add up");
}

static void drop(uint8_t slot, bool abort)
{
    struct sock **s = &world.socks[slot % WORLD_SOCKS];

    world_closes(*s);
    if (abort)
        sock_abort(*s, world.now);
    else
        sock_close(*s, world.now);
    *s = NULL;
}

/* What moves bytes, or ends that. */
static void data_call(struct sock *s, uint8_t what, uint8_t slot, struct input *in)
{
    size_t n;

    switch ((enum call)what) {
    case CALL_SEND:
        n = size_of(in);
        world_send(s, n, flags_of(input_u8(in) & 0x8f));
        break;
    case CALL_RECV:
        n = size_of(in);
        world_recv(s, n, flags_of(input_u8(in)));
        break;
    case CALL_SPANS_OUT:
        spans_out(s, in);
        break;
    case CALL_SPANS_IN:
        spans_in(s, in);
        break;
    case CALL_SHARED:
        op_shared(s, slot, in);
        break;
    case CALL_SHUTDOWN:
        sock_shutdown(s, input_u8(in) % 4, world.now);
        break;
    default:
        drop(slot, what == CALL_ABORT);
    }
}

void op_call(struct input *in)
{
    uint8_t what = input_u8(in) % CALL_COUNT, slot = input_u8(in);
    struct sock *s = op_socket(slot);

    if (!s)
        return;
    world_trace("call %u on socket %u", what, slot % WORLD_SOCKS);
    switch ((enum call)what) {
    case CALL_CONNECT:
    case CALL_CONNECT_SELF:
    case CALL_BIND:
        bind_or_connect(s, what, in);
        break;
    case CALL_LISTEN:
        listen_on(s, in);
        break;
    case CALL_ACCEPT:
        accept_from(s);
        break;
    case CALL_ASK:
        ask(s);
        break;
    case CALL_HELD:
        sock_accept_held(s, input_u8(in) & 3);
        break;
    case CALL_ERROR:
        sock_error(s, input_u8(in) & 1);
        break;
    case CALL_OWNER:
        sock_set_owner(s, input_u8(in) & 3);
        break;
    case CALL_USAGE:
        usage();
        break;
    default:
        data_call(s, what, slot, in);
    }
}

static int waiting_flags(enum sock_call_op op, uint8_t what)
{
    static const int reads[] = {0, MSG_WAITALL, MSG_PEEK, MSG_OOB};
    int flags = what & 32 ? MSG_DONTWAIT : 0;

    if (op == SOCK_CALL_SEND)
        return flags | (what & 4 ? MSG_MORE : 0) | (what & 8 ? MSG_OOB : 0);
    return op == SOCK_CALL_CONNECT ? 0 : flags | reads[what >> 2 & 3];
}

static bool reader_waits(const struct sock *s)
{
    for (int i = 0; i < WORLD_CALLS; i++) {
        if (world.waits[i].s == s && !world.waits[i].sends)
            return true;
    }
    return false;
}

void op_blocking(struct input *in)
{
    static uint8_t buffers[WORLD_CALLS][8192];
    uint8_t slot = input_u8(in), what = input_u8(in);
    unsigned i = what >> 6;
    struct sock *s = op_socket(slot);
    struct sock_call_args args = {.op = (enum sock_call_op)(what & 3), .buf = buffers[i]};
    bool closes = (slot & 0x70) == 0x70;
    struct world_wait wait = {0};

    if (world.calls[i]) {
        sock_call_interrupt(world.calls[i], world.now);
        return;
    }
    if (!s)
        return;
    if (closes)
        args.op = SOCK_CALL_CLOSE;
    world_trace("blocking call %d in place %u", args.op, i);
    args.len = size_of(in) % sizeof(buffers[i]);
    args.flags = waiting_flags(args.op, what);
    args.remote = world_peer(what >> 3 & 7);
    if (args.op == SOCK_CALL_SEND) {
        world_sends(s);
        world_fill(buffers[i], s->tcb->write_seq, args.len);
    }
    wait.spoilt = reader_waits(s) || (args.flags & (MSG_PEEK | MSG_OOB));
    if (args.op == SOCK_CALL_RECV && !(args.flags & (MSG_PEEK | MSG_OOB)))
        world_reads(s);
    if (sock_call_start(s, &args, world.now, &world.calls[i]) != 0) {
        world.calls[i] = NULL;
        return;
    }
    if (closes) { /* the handle is gone, however long it takes */
        world_closes(s);
        world.socks[slot % WORLD_SOCKS] = NULL;
    }
    if (args.op != SOCK_CALL_SEND && args.op != SOCK_CALL_RECV)
        return;
    wait.s = s;
    wait.buf = buffers[i];
    wait.sends = args.op == SOCK_CALL_SEND;
    world.waits[i] = wait;
    world_reap_calls();
}
