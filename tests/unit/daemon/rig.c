/* SPDX-License-Identifier: MIT */
/* A daemon without a TAP; see rig.h. */
#include "tests/unit/daemon/rig.h"

#include "ipc/fdpass.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int nowhere(void *ctx, const struct frame *f)
{
    (void)ctx;
    (void)f;
    return 0;
}

static const struct stack_ops ops = {.transmit = nowhere, .abandoned = stream_listen_abandoned};

static int control_socket(struct rig *r)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un any = {.sun_family = AF_UNIX};

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any.sun_family)), 0); /* autobind */
    r->at_len = sizeof(r->at);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&r->at, &r->at_len), 0);
    assert_int_equal(listen(fd, 64), 0);
    return fd;
}

/* As the daemon's start does it, without a file. */
static void start_settings(struct rig *r, uint32_t max_sockets)
{
    struct config_origin typed = {.source = CONFIG_FROM_COMMAND_LINE};
    struct settings *s = &r->settings;
    char error[CONFIG_ERROR];

    assert_int_equal(config_init(&s->running), 0);
    assert_int_equal(config_init(&s->given), 0);
    assert_int_equal(config_set(&s->running, "tap", "ts7", typed, error), 0);
    assert_int_equal(config_set(&s->running, "address", RIG_ADDRESS "/24", typed, error), 0);
    s->running.memory = 256 << 20;
    if (max_sockets)
        s->running.max_sockets = max_sockets;
    s->stack = r->stack;
    s->policy = &r->policy;
    s->control = &r->control;
    s->spin = &r->spin;
    r->reload.settings = s;
    r->reload.reader.fd = -1;
    r->control.settings = s;
    r->control.reload = &r->reload;
    settings_start(s);
}

struct rig *rig_new(uint32_t max_sockets)
{
    struct stack_config config = {
        .mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500, .max_sockets = max_sockets};
    struct wire_hello hello = {.pid = 42};
    struct rig *r = calloc(1, sizeof(*r));

    assert_non_null(r);
    r->now = 1000000;
    config.features = STACK_TX_CSUM | STACK_TX_TSO4 | STACK_TX_TSO6;
    assert_int_equal(ip_prefix_parse(RIG_ADDRESS "/24", &config.address), 0);
    assert_int_equal(stack_new(&config, &ops, NULL, r->now, &r->stack), 0);
    assert_int_equal(policy_init(&r->policy, max_sockets, 20000), 0);
    assert_int_equal(reaper_new(&r->reaper), 0);
    assert_int_equal(poller_init(&r->poller), 0);
    assert_int_equal(streams_init(&r->streams, r->stack, &r->poller, r->reaper, &r->policy), 0);
    assert_int_equal(control_init(&r->control, control_socket(r), &r->poller, &r->streams, &hello),
                     0);
    start_settings(r, max_sockets);
    r->streams.now = r->now;
    r->client = rig_connect(r);
    return r;
}

void rig_free(struct rig *r)
{
    close(r->client);
    control_destroy(&r->control);
    streams_destroy(&r->streams);
    poller_destroy(&r->poller);
    stack_free(r->stack);
    reaper_free(r->reaper);
    policy_destroy(&r->policy);
    reload_free(&r->reload);
    settings_free(&r->settings);
    free(r);
}

int rig_setup(void **state)
{
    *state = rig_new(0);
    return 0;
}

int rig_teardown(void **state)
{
    rig_free(*state);
    return 0;
}

void rig_round(struct rig *r)
{
    struct sock *s;
    uint32_t events;

    r->streams.now = r->now;
    poller_run(&r->poller);
    streams_run(&r->streams);
    ringports_run(&r->streams);
    stack_run(r->stack, r->now);
    while ((s = stack_next_event(r->stack, &events)) != NULL)
        stream_event(&r->streams, s, events);
    poller_bury(&r->poller);
    ringports_sleep(&r->streams);
    control_tick(&r->control);
    if (r->now >= r->tick_at) {
        ringports_tick(&r->streams);
        r->tick_at = r->now + 1000000;
    }
    r->now += 1000;
}

/* Enough for the longest exchange of the tests, delayed acknowledgements included. */
void rig_run(struct rig *r)
{
    for (int i = 0; i < 60; i++)
        rig_round(r);
    assert_null(stack_check(r->stack));
}

void rig_sleep(struct rig *r, uint64_t us)
{
    uint64_t until = r->now + us;

    while (r->now < until) {
        uint64_t next = stack_next_deadline(r->stack);
        if (next > r->now)
            r->now = next < until ? next : until;
        rig_round(r);
    }
}

int rig_connect(struct rig *r)
{
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&r->at, r->at_len), 0);
    return fd;
}

void rig_send(struct rig *r, int client, uint16_t op, uint32_t flags, int fd, const void *body,
              size_t len)
{
    WIRE_BUFFER(buffer);
    ssize_t n = wire_encode(buffer, sizeof(buffer), op, 7, flags, 0, body, len);

    (void)r;
    assert_true(n > 0);
    assert_int_equal(fdpass_send(client, buffer, (size_t)n, fd, MSG_DONTWAIT), n);
}

void rig_receive(int client, struct rig_reply *out)
{
    WIRE_BUFFER(buffer);
    int fds[FDPASS_MAX], flags;
    const void *body;
    size_t n_fds;
    ssize_t n = fdpass_recv(client, buffer, sizeof(buffer), fds, &n_fds, MSG_DONTWAIT, &flags);

    memset(out, 0, sizeof(*out));
    out->error = out->fd = -1;
    if (n <= 0)
        return;
    assert_int_equal(wire_decode(buffer, (size_t)n, &out->header, &body), 0);
    assert_int_equal(out->header.id, 7);
    memcpy(out->body, body, out->header.len);
    out->error = out->header.error;
    assert_true(n_fds <= 1);
    if (n_fds)
        out->fd = fds[0];
}

int rig_call(struct rig *r, uint16_t op, uint32_t flags, int fd, const void *body, size_t len,
             struct rig_reply *out)
{
    struct rig_reply reply;

    if (!out)
        out = &reply;
    rig_send(r, r->client, op, flags, fd, body, len);
    rig_run(r);
    rig_receive(r->client, out);
    return out->error;
}

struct wire_addr rig_address(uint16_t port)
{
    struct ip_endpoint e = {.port = port};
    struct wire_addr w;

    assert_int_equal(ip_addr_parse(RIG_ADDRESS, &e.addr), 0);
    stream_to_wire(&e, &w);
    return w;
}

int rig_socket(struct rig *r)
{
    struct wire_socket body = {AF_INET, SOCK_STREAM, 0};
    struct rig_reply reply;

    assert_int_equal(rig_call(r, WIRE_OP_SOCKET, 0, -1, &body, sizeof(body), &reply), 0);
    assert_true(reply.fd >= 0);
    assert_int_equal(fcntl(reply.fd, F_SETFL, O_RDWR | O_NONBLOCK), 0);
    return reply.fd;
}

int rig_listener(struct rig *r, uint16_t port, int backlog)
{
    struct wire_addr at = rig_address(port);
    struct wire_listen body = {backlog};
    int fd = rig_socket(r);

    assert_int_equal(rig_call(r, WIRE_OP_BIND, 0, fd, &at, sizeof(at), NULL), 0);
    assert_int_equal(rig_call(r, WIRE_OP_LISTEN, 0, fd, &body, sizeof(body), NULL), 0);
    return fd;
}

int rig_accept(int listener, struct wire_accept *out)
{
    struct wire_accept record;
    int fds[FDPASS_MAX], flags;
    size_t n_fds;
    ssize_t n = fdpass_recv(listener, &record, sizeof(record), fds, &n_fds, MSG_DONTWAIT, &flags);

    if (n <= 0)
        return -1;
    assert_int_equal(n, sizeof(record));
    assert_int_equal(n_fds, 1);
    assert_int_equal(record.magic, WIRE_MAGIC);
    if (out)
        *out = record;
    assert_int_equal(fcntl(fds[0], F_SETFL, O_RDWR | O_NONBLOCK), 0);
    return fds[0];
}

void rig_pair(struct rig *r, int fds[2])
{
    static uint16_t port = 5000;
    struct wire_addr to = rig_address(++port);
    int listener = rig_listener(r, port, 8);

    fds[0] = rig_socket(r);
    assert_int_equal(rig_call(r, WIRE_OP_CONNECT, WIRE_WAIT, fds[0], &to, sizeof(to), NULL), 0);
    fds[1] = rig_accept(listener, NULL);
    assert_true(fds[1] >= 0);
    close(listener);
    rig_run(r);
}

int rig_so_error(struct rig *r, int fd)
{
    struct wire_option o = {.level = SOL_SOCKET, .name = SO_ERROR, .len = sizeof(int)};
    struct rig_reply reply;
    int error;

    assert_int_equal(rig_call(r, WIRE_OP_GETSOCKOPT, 0, fd, &o, WIRE_OPTION_HEAD, &reply), 0);
    assert_int_equal(wire_option_get(reply.body, reply.header.len, true, &o), 0);
    assert_int_equal(o.len, sizeof(int));
    memcpy(&error, o.value, sizeof(error));
    return error;
}

void rig_expect_reset(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, ECONNRESET);
}

void rig_expect_eof(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), 0);
}
