/* SPDX-License-Identifier: MIT */
/*
 * raw: the ceiling of a TAP interface: what a sender, or a receiver, of frames reaches that does
 * next to nothing.
 *   raw send|receive TAP ADDRESS PEER PORT SECONDS RUN [frames]
 * It speaks to `bulk serve` at PEER, the kernel on the other side of the interface, with just
 * enough of a TCP for that: a handshake with window scaling and timestamps, acknowledgements, a
 * FIN, and for lost frames a return to the oldest byte after 20 ms. Sent are segments of 45 MSS
 * with the header of one template, the payload out of one shared buffer, checksum and segmentation
 * left to the device; with `frames` frames of one MSS, one for each system call, whose payload's
 * checksum was computed once. ADDRESS must have a permanent neighbour entry, MAC 02:00:00:00:00:09.
 */
#include "tests/bench/rawtcp.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPIN_US 100 /* as long the interface is looked at before sleeping */

struct request { /* bulk.c's */
    double seconds;
    uint32_t run;
    uint8_t up, down;
};

/* Frames until there are none; whether there were any. */
static bool take(struct rawtcp *t)
{
    unsigned n = 0;

    while (n < 64 && rawtcp_input(t))
        n++;
    return n > 0;
}

static void wait_for_frames(struct rawtcp *t)
{
    double end = link_now() + SPIN_US * 1e-6;

    while (!take(t)) {
        if (link_now() < end) {
            sched_yield(); /* the peer may be on this processor */
            continue;
        }
        rawtcp_sleep(t, 20);
        if (!take(t))
            rawtcp_resend(t);
        return;
    }
}

static void open_connection(struct rawtcp *t, const struct request *rq)
{
    rawtcp_syn(t);
    while (!t->established)
        wait_for_frames(t);
    rawtcp_send(t, RAWTCP_PSH, rq, sizeof(*rq));
}

static char data[RAWTCP_PAYLOAD_MAX];

/* What to send now: all of len, or what a small window takes while nothing is under way; or 0. */
static uint32_t portion(const struct rawtcp *t, uint32_t len)
{
    uint32_t room = rawtcp_room(t);

    if (room >= len)
        return len;
    return t->nxt == t->una ? room / t->mss * t->mss : 0;
}

static void send_for(struct rawtcp *t, double seconds)
{
    double end = link_now() + seconds;
    uint32_t len = t->frames ? t->mss : RAWTCP_PAYLOAD_MAX / t->mss * t->mss, n;

    memset(data, 'x', sizeof(data));
    rawtcp_checksummed(t, data, len);
    while (link_now() < end) {
        while ((n = portion(t, len)) == 0)
            wait_for_frames(t);
        rawtcp_send(t, 0, data, n);
    }
}

static void receive(struct rawtcp *t, uint32_t run)
{
    uint64_t bytes;
    double first;

    while (t->received == 0)
        wait_for_frames(t);
    first = link_now();
    while (!t->ended) {
        wait_for_frames(t);
        rawtcp_acknowledge(t);
    }
    bytes = t->received;
    printf("received %u %llu %.6f %.6f\n", run, (unsigned long long)bytes, first, link_now());
}

static void close_connection(struct rawtcp *t)
{
    uint32_t end = t->high;

    while (t->una != end + 1 || !t->ended) {
        if (t->nxt == end)
            rawtcp_send(t, RAWTCP_FIN, NULL, 0);
        else if (t->nxt - end > 1 && rawtcp_room(t) >= t->mss)
            rawtcp_send(t, 0, data, end - t->nxt < t->mss ? end - t->nxt : t->mss);
        else
            wait_for_frames(t);
    }
    rawtcp_acknowledge(t);
}

int main(int argc, char **argv)
{
    struct request rq = {0};
    struct rawtcp t = {0};

    if (argc < 8 || argc > 9 || (argc == 9 && strcmp(argv[8], "frames") != 0) ||
        (strcmp(argv[1], "send") != 0 && strcmp(argv[1], "receive") != 0)) {
        fprintf(stderr, "Usage: raw send|receive TAP ADDRESS PEER PORT SECONDS RUN [frames]\n");
        return 2;
    }
    rq.up = !strcmp(argv[1], "send");
    rq.down = !rq.up;
    rq.seconds = atof(argv[6]);
    rq.run = (uint32_t)atoi(argv[7]);
    rawtcp_open(&t, argv[2], argv[3], argv[4], (uint16_t)atoi(argv[5]), argc == 9);
    open_connection(&t, &rq);
    if (rq.up)
        send_for(&t, rq.seconds);
    else
        receive(&t, rq.run);
    close_connection(&t);
    if (t.resent)
        fprintf(stderr, "raw: went back %u times\n", t.resent);
    return 0;
}
