/* SPDX-License-Identifier: MIT */
/* What sim.c and device.c share: the queue of events. */
#ifndef TS_TESTS_SIM_SIM_INTERNAL_H
#define TS_TESTS_SIM_SIM_INTERNAL_H

#include "tests/sim/sim.h"

enum event_kind { EVENT_PACKET, EVENT_SENT, EVENT_READY, EVENT_CALL };

struct sim_event {
    uint64_t at, order;
    enum event_kind kind;
    struct sim_host *host;
    union {
        struct sim_packet *packet;
        struct {
            uint64_t owner;
            uint32_t payload, bytes;
        } sent;
        struct {
            void (*fn)(void *arg);
            void *arg;
        } call;
    };
};

void sim_push(struct sim *sim, struct sim_event e);

/** The device's end of struct stack_ops. */
int device_transmit(void *ctx, const struct frame *f);
/** A packet reaches its host; it is freed. */
void device_arrives(struct sim *sim, struct sim_host *h, struct sim_packet *p);
/** The link has sent a frame of the device's queue. */
void device_sent(struct sim *sim, struct sim_host *h, const struct sim_event *e);

#endif
