/* SPDX-License-Identifier: MIT */
/*
 * relay: an emulated link between two TAPs, each in a network namespace. Frames that enter at one
 * are given to relay_link.h's model and come out at the other when it says so. The TAPs have no
 * offloads: the kernel splits and checksums what it sends, and a frame that exceeds the MTU is
 * dropped and counted. Prints "ready", and on SIGUSR1 and at its end (SIGTERM, SIGINT) its counters
 * as one line of JSON, with how late its own deliveries were: a figure taken by a relay that lagged
 * is worth nothing.
 */
#include "tests/net/relay_count.h"
#include "tests/net/relay_link.h"
#include "tests/net/relay_pcap.h"
#include "tests/net/relay_wait.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX  65600
#define BATCH      64   /* frames read before the clock is looked at again */
#define LATE_SLOTS 1000 /* of 10 us */

struct side {
    int fd;
    struct relay_pcap pcap;
};

/* What enters at side i and arrives at the other one. */
struct direction {
    struct relay_link link;
    struct relay_eye eye;
    uint64_t drops[RELAY_DROPS];
};

static struct side side[2];
static struct direction direction[2];
static struct relay_wait under_way;
static uint32_t mtu = 1500;
static uint64_t born, late_max, late_sum, late_count, late[LATE_SLOTS + 1];
static volatile sig_atomic_t stop, report;

static uint64_t now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * RELAY_S + (uint64_t)ts.tv_nsec;
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        report = 1;
    else
        stop = 1;
}

/* --- the TAPs ----------------------------------------------------------------------------------
 */

static int attach(const char *name)
{
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return -1;
    strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &ifr) == 0 && ioctl(fd, TUNSETOFFLOAD, 0) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The namespace of "NAMESPACE:TAP", as under /run/netns; without one, where we are. */
static int open_tap(char *where)
{
    char *colon = strrchr(where, ':'), path[256];
    int home, there, fd;

    if (!colon)
        return attach(where);
    *colon = '\0';
    snprintf(path, sizeof(path), "/run/netns/%s", where);
    home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    there = open(path, O_RDONLY | O_CLOEXEC);
    if (home < 0 || there < 0 || setns(there, CLONE_NEWNET) < 0)
        return -1;
    fd = attach(colon + 1);
    if (setns(home, CLONE_NEWNET) < 0)
        return -1;
    close(home);
    close(there);
    return fd;
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void enter(int from, uint64_t now, const uint8_t *frame, uint32_t len)
{
    struct direction *d = &direction[from];
    struct relay_seen seen = relay_eye_see(&d->eye, frame, len);
    struct relay_fate fate;

    relay_pcap_write(&side[from].pcap, now, frame, len);
    if (len > mtu + 14) {
        d->drops[RELAY_DROP_oversize]++;
        return;
    }
    if (seen.data) {
        relay_link_start(&direction[0].link, now);
        relay_link_start(&direction[1].link, now);
    }
    fate = relay_link_offer(&d->link, now, len, !seen.ip, seen.flow, seen.nth);
    if (!fate.copies)
        d->drops[fate.drop]++;
    d->eye.n.reordered += fate.copies && fate.reordered;
    for (unsigned i = 0; i < fate.copies; i++) {
        if (relay_wait_push(&under_way, fate.at[i], !from, frame, len) < 0)
            d->drops[RELAY_DROP_memory]++;
        else
            d->eye.n.copies += i;
    }
}

static int take(int from)
{
    static uint8_t frame[FRAME_MAX];

    for (int i = 0; i < BATCH; i++) {
        ssize_t n = read(side[from].fd, frame, sizeof(frame));

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return 0;
        if (n < 0)
            return -1;
        enter(from, now_ns(), frame, (uint32_t)n);
    }
    return 0;
}

static void note_late(uint64_t ns)
{
    uint64_t slot = ns / 10000;

    late[slot < LATE_SLOTS ? slot : LATE_SLOTS]++;
    late_sum += ns;
    late_count++;
    if (ns > late_max)
        late_max = ns;
}

static void deliver(void)
{
    const struct relay_frame *first;

    while ((first = relay_wait_first(&under_way))) {
        struct relay_counters *n = &direction[!first->side].eye.n;
        uint64_t now = now_ns();
        struct relay_frame *f;

        if (first->at > now)
            break;
        f = relay_wait_pop(&under_way);
        note_late(now - f->at);
        relay_pcap_write(&side[f->side].pcap, now, f->data, f->len);
        if (write(side[f->side].fd, f->data, f->len) == (ssize_t)f->len) {
            n->delivered++;
            n->delivered_bytes += f->len;
        } else {
            n->refused++;
        }
        free(f);
    }
}

/* --- counters ----------------------------------------------------------------------------------
 */

/* The time in us within which the share of 99 % of the deliveries was late, at most. */
static uint64_t late_p99(void)
{
    uint64_t sum = 0;
    unsigned i;

    for (i = 0; i < LATE_SLOTS; i++) {
        sum += late[i];
        if (sum * 100 >= late_count * 99)
            break;
    }
    return (i + 1) * 10;
}

static void print_direction(const char *name, const struct direction *d)
{
    const struct relay_counters *n = &d->eye.n;

    printf("\"%s\": {", name);
#define RELAY_COUNTER(c, meaning) printf("\"%s\": %" PRIu64 ", ", #c, n->c);
#include "tests/net/relay_counters.def"
#undef RELAY_COUNTER
    for (int i = 0; i < RELAY_DROPS; i++)
        printf("\"dropped_%s\": %" PRIu64 ", ", relay_drop_names[i], d->drops[i]);
    printf("\"queue_max_bytes\": %" PRIu64 "}", d->link.queue_max);
}

static void print_counters(void)
{
    printf("{\"elapsed_us\": %" PRIu64 ", ", (now_ns() - born) / 1000);
    print_direction("forward", &direction[0]);
    printf(", ");
    print_direction("backward", &direction[1]);
    printf(", \"under_way\": %zu, \"late_us\": {\"mean\": %.1f, \"p99\": %" PRIu64
           ", \"max\": %" PRIu64 "}}\n",
           under_way.count, late_count ? (double)late_sum / (double)late_count / 1000 : 0.0,
           late_p99(), late_max / 1000);
    fflush(stdout);
}

/* --- the loop ----------------------------------------------------------------------------------
 */

static int run(const sigset_t *open_mask)
{
    struct pollfd p[2] = {{.fd = side[0].fd, .events = POLLIN},
                          {.fd = side[1].fd, .events = POLLIN}};

    while (!stop) {
        const struct relay_frame *first;
        struct timespec wait = {0};
        uint64_t now;

        deliver();
        first = relay_wait_first(&under_way);
        now = now_ns();
        if (first && first->at > now) {
            wait.tv_sec = (time_t)((first->at - now) / RELAY_S);
            wait.tv_nsec = (long)((first->at - now) % RELAY_S);
        }
        if (ppoll(p, 2, first ? &wait : NULL, open_mask) < 0 && errno != EINTR)
            return -1;
        for (int i = 0; i < 2; i++) {
            if (p[i].revents && take(i) < 0)
                return -1;
            p[i].revents = 0;
        }
        if (report)
            print_counters();
        report = 0;
    }
    return 0;
}

static void prepare(sigset_t *open_mask)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t blocked;

    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
    sigaddset(&blocked, SIGUSR1);
    sigprocmask(SIG_BLOCK, &blocked, open_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    /* Timers are otherwise 50 us late by design. */
    prctl(PR_SET_TIMERSLACK, 1);
    /* A link does not wait for its turn; it works little, so nobody starves. Best effort. */
    sched_setscheduler(0, SCHED_RR, &(struct sched_param){.sched_priority = 1});
    born = now_ns();
}

static int usage(void)
{
    fprintf(
        stderr,
        "Usage: relay [-f LINK] [-b LINK] [-m MTU] [-p PCAP_A,PCAP_B] [NETNS:]TAP_A [NETNS:]TAP_B\n"
        "  LINK: rate=50M,delay=10ms,queue=200ms,loss=10,reorder=20:5ms,dup=1,jitter=1ms,\n"
        "        police=20M:64K,outage=2s:3s,seed=1 (chances per mille; all may be left out)\n"
        "  -f: from A to B, -b: from B to A\n");
    return 2;
}

static int describe(int which, const char *text)
{
    struct relay_config config = {0};
    const char *wrong;

    if (relay_config_parse(&config, text, &wrong) < 0) {
        fprintf(stderr, "relay: wrong: %s\n", wrong);
        return -1;
    }
    relay_link_init(&direction[which].link, &config);
    return 0;
}

static int capture(char *names)
{
    char *comma = strchr(names, ',');

    if (!comma)
        return -1;
    *comma = '\0';
    return relay_pcap_open(&side[0].pcap, names) < 0 ||
                   relay_pcap_open(&side[1].pcap, comma + 1) < 0
               ? -1
               : 0;
}

int main(int argc, char **argv)
{
    sigset_t open_mask;
    int c, r;

    while ((c = getopt(argc, argv, "f:b:m:p:")) != -1) {
        if ((c == 'f' || c == 'b') && describe(c == 'b', optarg) == 0)
            continue;
        if (c == 'm' && (mtu = (uint32_t)atoi(optarg)) >= 576)
            continue;
        if (c == 'p' && capture(optarg) == 0)
            continue;
        return usage();
    }
    if (argc - optind != 2)
        return usage();
    prepare(&open_mask);
    for (int i = 0; i < 2; i++) {
        side[i].fd = open_tap(argv[optind + i]);
        if (side[i].fd < 0) {
            perror("relay: TAP");
            return 1;
        }
    }
    puts("ready");
    fflush(stdout);
    r = run(&open_mask);
    if (r < 0)
        perror("relay");
    print_counters();
    for (int i = 0; i < 2; i++)
        relay_pcap_close(&side[i].pcap);
    relay_wait_clear(&under_way);
    return r < 0;
}
