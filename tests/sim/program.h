/* SPDX-License-Identifier: MIT */
/*
 * Scripted programs for the simulator: one end of a connection that sends a known stream in some
 * pattern, reads the other's stream in some pattern, compares every byte, and closes in one of
 * several ways.
 */
#ifndef TS_TESTS_SIM_PROGRAM_H
#define TS_TESTS_SIM_PROGRAM_H

#include "tests/sim/sim.h"

enum program_close {
    CLOSE_SHUTDOWN, /**< shutdown(SHUT_WR) behind the last byte, read to the end, close */
    CLOSE_AFTER,    /**< wait for the peer's end first, then close */
    CLOSE_AT_ONCE,  /**< close behind the last byte; only where the peer sends nothing */
};

struct program_plan {
    uint64_t send;                 /**< bytes */
    uint32_t write_min, write_max; /**< bytes of one call */
    uint64_t write_gap_us;         /**< between two calls */
    uint32_t more_ppm;             /**< how often MSG_MORE */
    uint32_t eor_ppm;
    uint32_t spans_ppm;     /**< how often sock_send_spans() and sock_send_commit() */
    uint32_t read_max;      /**< bytes of one read */
    uint64_t read_gap_us;   /**< between two reads */
    uint64_t read_delay_us; /**< before the first read */
    bool pair; /**< reads as the daemon does: into a second buffer, which the program empties */
    uint32_t pair_bytes; /**< its size */
    enum program_close close;
    bool nodelay, cork;
    const char *congestion; /**< TCP_CONGESTION; NULL: the default */
    int sndbuf, rcvbuf;     /**< 0: the default */
};

struct program {
    struct sim_user user;
    struct sim_host *host;
    struct program_plan plan;
    struct prng prng;
    struct sock *s;
    uint64_t stream_out, stream_in; /**< which stream it sends and expects (program_bytes) */
    uint64_t expect;                /**< bytes to come */
    uint64_t sent, received;
    uint32_t held; /**< in the second buffer */
    bool connected, shut, eof, closed, corked;
    bool write_timer, read_timer;
    int error;                             /**< positive errno value of its end, 0: well */
    uint64_t closed_at, first_at, last_at; /**< last_at: of the last byte received */
};

/** A listener that gives its connections to programs that wait, in order. */
struct program_server {
    struct sim_user user;
    struct sim_host *host;
    struct sock *listener;
    struct program **waiting;
    unsigned n, next;
};

/** Byte content of stream number `stream` from offset on. */
void program_bytes(uint64_t stream, uint64_t offset, uint8_t *out, size_t n);

void program_init(struct program *p, struct sim_host *h, const struct program_plan *plan,
                  uint64_t seed);
/** Make p and q the two ends of one connection: each expects what the other sends. */
void program_pair(struct program *p, struct program *q, uint64_t seed);

/** socket, options, connect. 0 or a negative errno value. */
int program_connect(struct program *p, const struct ip_endpoint *remote);
/** Take over an accepted socket. */
void program_adopt(struct program *p, struct sock *s);

int program_listen(struct program_server *sv, struct sim_host *h, uint16_t port, int backlog,
                   struct program **waiting, unsigned n);
void program_server_close(struct program_server *sv);

#endif
