/* SPDX-License-Identifier: MIT */
/*
 * Whoever a script is played against: the core in virtual time (virtual.c), or the kernel in real
 * time (kernel.c). A target carries calls out, takes packets, keeps what the stack sends, and makes
 * time pass. All times are microseconds since the script began.
 */
#ifndef TS_TESTS_PKT_TARGET_H
#define TS_TESTS_PKT_TARGET_H

#include "tests/pkt/call.h"

#include "proto/sock/sock.h"

struct captured {
    uint64_t at;
    bool out; /**< sent by the stack */
    uint32_t len;
    uint8_t *ip;
};

/** All packets of a run, both ways, in order. */
struct capture {
    struct captured *packet;
    size_t n, room;
    size_t next; /**< the first one that no line of the script has looked at */
};

struct target;

struct target_ops {
    const char *name;
    /** Make the stack for this script. NULL, or why not. */
    const char *(*open)(struct target *t, const struct script *s);
    void (*close)(struct target *t);
    uint64_t (*now)(struct target *t);
    /**
     * Let time pass until `until`; returns early when a packet came out after the call began
     * (stop_on_packet), or when `call` (may be NULL) has ended.
     */
    void (*advance)(struct target *t, uint64_t until, bool stop_on_packet, const struct call *call);
    void (*inject)(struct target *t, const uint8_t *ip, uint32_t len);
    /** Start a call; it may be over on return. Those that are not must be known to the target until
     * they are. */
    void (*start)(struct target *t, struct call *c);
    /** A signal for the calls that wait on this descriptor; its handler has SA_RESTART or not. */
    void (*interrupt)(struct target *t, int fd, bool restart);
    /** NULL, or why the tunable cannot be set. */
    const char *(*sysctl)(struct target *t, const char *name, const char *value);
    int (*tcp_info)(struct target *t, int fd, struct sock_tcp_info *out);
};

struct target {
    const struct target_ops *ops;
    struct arena *arena;
    struct capture capture;
    bool real_time; /**< timers are late by up to an eighth, threads by some milliseconds */
};

/** Note a packet; the bytes are copied. */
void capture_add(struct target *t, uint64_t at, bool out, const uint8_t *ip, uint32_t len);

struct target *virtual_new(struct arena *a);
void virtual_free(struct target *t);
struct target *kernel_new(struct arena *a);
void kernel_free(struct target *t);

#endif
