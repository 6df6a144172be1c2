/* SPDX-License-Identifier: MIT */
/*
 * A daemon without a TAP, in one process and under the test's hand: the real core (connections to
 * our own address loop inside it), streams and the control socket, and clients that speak the
 * control protocol by themselves.
 */
#ifndef TS_TESTS_RIG_H
#define TS_TESTS_RIG_H

#include "daemon/control.h"
#include "daemon/poller.h"
#include "daemon/policy.h"
#include "daemon/reaper.h"
#include "daemon/reload.h"
#include "daemon/settings.h"
#include "daemon/spin.h"
#include "daemon/stream.h"
#include "ipc/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#include <cmocka.h>

#define RIG_ADDRESS "10.77.0.2"

struct rig {
    struct stack *stack;
    struct poller poller;
    struct reaper *reaper;
    struct policy policy;
    struct streams streams;
    struct control control;
    struct spin spin;
    struct settings settings;
    struct reload reload;
    int client; /* a well-behaved one */
    struct sockaddr_un at;
    socklen_t at_len;
    uint64_t now, tick_at;
};

struct rig_reply {
    int error; /* -1: no reply came */
    struct wire_header header;
    int fd; /* or -1 */
    _Alignas(uint64_t) unsigned char body[WIRE_MAX];
};

/** max_sockets: 0 for plenty. */
struct rig *rig_new(uint32_t max_sockets);
void rig_free(struct rig *r);
/** cmocka's set-up and tear-down. */
int rig_setup(void **state);
int rig_teardown(void **state);
#define RIG_TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

/** Rounds of the loop until nothing moves any more; time goes on by a millisecond each. */
void rig_run(struct rig *r);
/** One round. */
void rig_round(struct rig *r);
/** Let this much time pass. */
void rig_sleep(struct rig *r, uint64_t us);

/** A new control connection. */
int rig_connect(struct rig *r);
/** Send a request; fd is -1 or goes with it. */
void rig_send(struct rig *r, int client, uint16_t op, uint32_t flags, int fd, const void *body,
              size_t len);
/** Take a reply, if there is one. */
void rig_receive(int client, struct rig_reply *out);
/** Both, with the rounds between; returns the error. */
int rig_call(struct rig *r, uint16_t op, uint32_t flags, int fd, const void *body, size_t len,
             struct rig_reply *out);

struct wire_addr rig_address(uint16_t port);
/** SOCKET; non-blocking. */
int rig_socket(struct rig *r);
/** A listener on this port. */
int rig_listener(struct rig *r, uint16_t port, int backlog);
/** The next connection of a listener, or -1. */
int rig_accept(int listener, struct wire_accept *out);
/** Two ends of one connection: fds[0] connected, fds[1] accepted. */
void rig_pair(struct rig *r, int fds[2]);
/** What a read of this descriptor says. */
void rig_expect_reset(int fd);
void rig_expect_eof(int fd);
/** getsockopt(SO_ERROR) by the control socket. */
int rig_so_error(struct rig *r, int fd);

#endif
