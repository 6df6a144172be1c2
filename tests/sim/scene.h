/* SPDX-License-Identifier: MIT */
/*
 * A scene: two hosts and a wire for a test that tells a story step by step, always with a capture,
 * which a failed expectation leaves behind.
 */
#ifndef TS_TESTS_SIM_SCENE_H
#define TS_TESTS_SIM_SCENE_H

#include "tests/sim/program.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct scene {
    struct sim sim;
    struct sim_host *a, *b;
};

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define ACK 0x10

extern struct scene scene;

/** For cmocka: a wire of 100 Mbit/s and 10 ms each way between two hosts. */
int scene_setup(void **state);
int scene_teardown(void **state);
/** Begin anew with other hosts. */
void scene_hosts(const struct sim_host_config *a, const struct sim_host_config *b);

_Noreturn void scene_fail(const char *what, long long got, const char *file, int line);

/** Assert, and leave the capture. */
#define expect(condition)                                                                          \
    do {                                                                                           \
        if (scene.sim.failure[0] || !(condition))                                                  \
            scene_fail(#condition, 0, __FILE__, __LINE__);                                         \
    } while (0)
#define expect_equal(got, want)                                                                    \
    do {                                                                                           \
        long long got_ = (long long)(got);                                                         \
        if (scene.sim.failure[0] || got_ != (long long)(want))                                     \
            scene_fail(#got " == " #want, got_, __FILE__, __LINE__);                               \
    } while (0)

/** What happened to a socket that no program owns. */
struct watched {
    struct sim_user user;
    struct sock *s;
    uint32_t events; /**< all so far */
    uint64_t at;     /**< of the last one */
};
void scene_watch(struct watched *w, struct sock *s);

/** A listener on h, port 80. */
struct sock *scene_listen(struct sim_host *h, int backlog);
/** socket and connect to port 80 of `to`; errors fail the test. */
struct sock *scene_connect(struct sim_host *from, struct sim_host *to);
/** An established connection: *client on a, *server accepted on b from a listener that is closed
 * again. */
void scene_connection(struct sock **client, struct sock **server);

/** send and recv, with everything that a test does not care about left out. */
ssize_t scene_send(struct sim_host *h, struct sock *s, const void *data, size_t n);
ssize_t scene_recv(struct sim_host *h, struct sock *s, void *data, size_t n);
/** Fill the send buffer; returns the bytes. */
size_t scene_fill(struct sim_host *h, struct sock *s);
/** Read and throw away all that is there. */
size_t scene_drain(struct sim_host *h, struct sock *s);
void scene_close(struct sim_host *h, struct sock *s);
void scene_shutdown(struct sim_host *h, struct sock *s, int how);
unsigned scene_state(struct sim_host *h, struct sock *s);

/** Seconds of virtual time. */
void scene_wait(double seconds);
/** Seconds since the scene began. */
double scene_time(void);
/** Both hosts are as empty as at the start; waits up to `seconds`. */
void scene_expect_empty(double seconds);

/** Drops the packets that have all of `with` and none of `without`, `n` of them; notes when. */
struct mask {
    uint8_t with, without;
    unsigned n, dropped;
    bool only_empty; /**< packets without data */
    double at[32];
};
void lose(struct sim_host *h, struct mask *m, uint8_t with, uint8_t without, unsigned n);

/** Seconds agree within the tolerance. */
void expect_near(double got, double want, double tolerance);
/** The mask dropped n packets, at these seconds after the first. */
void expect_times(const struct mask *m, const double *want, unsigned n);

uint64_t scene_count(struct sim_host *h, enum counter c);

#define scene_test(f) cmocka_unit_test_setup_teardown(f, scene_setup, scene_teardown)

#endif
