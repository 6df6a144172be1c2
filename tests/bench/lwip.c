/* SPDX-License-Identifier: MIT */
/*
 * lwIP on a TAP interface, by its own sockets (link.h). Debian's library as it is: windows and send
 * buffers of 64 KiB, checksums in software. A thread reads the TAP and hands each frame to lwIP's
 * own by tcpip_input(): with 64 KiB under way, that was faster (3.0 Gbit/s sent, 1.7 received) than
 * to hold the core's lock and feed in batches (2.5, 1.7). The interface is $BENCH_LWIP_TAP, the
 * address $BENCH_LWIP_ADDRESS, of a network of 24 bits; only one process may use them at a time.
 */
#include "tests/bench/link.h"

#include <lwip/etharp.h>
#include <lwip/netif.h>
#include <lwip/sockets.h>
#include <lwip/tcpip.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define MTU       1500
/* <net/if.h> and lwIP's netif do not go together. */
#define NAME_SIZE    16
#define FLAG_RUNNING 0x40
#define PIECES_MAX   8
struct interface_request {
    char name[NAME_SIZE];
    short flags;
    char rest[64];
};

static struct netif netif;
static int tap = -1;

static err_t transmit(struct netif *unused, struct pbuf *p)
{
    struct iovec iov[PIECES_MAX];
    int n = 0;

    (void)unused;
    for (struct pbuf *q = p; q; q = q->next) {
        if (n == PIECES_MAX)
            return ERR_BUF;
        iov[n++] = (struct iovec){q->payload, q->len};
    }
    return writev(tap, iov, n) < 0 ? ERR_IF : ERR_OK;
}

static err_t set_up(struct netif *n)
{
    static const uint8_t mac[] = {2, 0, 0, 0, 0, 7};

    n->name[0] = 't';
    n->name[1] = 'p';
    n->output = etharp_output;
    n->linkoutput = transmit;
    n->mtu = MTU;
    n->hwaddr_len = sizeof(mac);
    memcpy(n->hwaddr, mac, sizeof(mac));
    n->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET | NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static bool input_one(void)
{
    static char frame[FRAME_MAX];
    ssize_t n = read(tap, frame, sizeof(frame));
    struct pbuf *p;

    if (n <= 0)
        return false;
    p = pbuf_alloc(PBUF_RAW, (u16_t)n, PBUF_RAM);
    if (!p)
        return true; /* dropped */
    memcpy(p->payload, frame, (size_t)n);
    if (tcpip_input(p, &netif) != ERR_OK)
        pbuf_free(p);
    return true;
}

static void *receive_frames(void *unused)
{
    struct pollfd p = {.fd = tap, .events = POLLIN};

    while (poll(&p, 1, -1) >= 0 || errno == EINTR) {
        while (input_one()) {
        }
    }
    link_fail("poll");
    return unused;
}

/* The kernel answers a little later than the interface was opened; lwIP would wait for seconds
 * then.
 */
static void wait_until_up(struct interface_request *rq)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    for (int ms = 0; s >= 0 && ms < 1000; ms++) {
        if (ioctl(s, SIOCGIFFLAGS, rq) == 0 && (rq->flags & FLAG_RUNNING))
            break;
        usleep(1000);
    }
    usleep(5000); /* its queue comes after the flag */
    close(s);
}

static void open_tap(const char *name)
{
    struct interface_request rq = {.flags = IFF_TAP | IFF_NO_PI};

    memcpy(rq.name, name, strnlen(name, NAME_SIZE - 1));
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &rq) < 0)
        link_fail("/dev/net/tun");
    wait_until_up(&rq);
}

static void begin(void)
{
    const char *name = getenv("BENCH_LWIP_TAP"), *text = getenv("BENCH_LWIP_ADDRESS");
    ip4_addr_t address, mask, none = {0};
    pthread_t thread;

    if (!name || !text || !ip4addr_aton(text, &address)) {
        fputs("lwip: no BENCH_LWIP_TAP or BENCH_LWIP_ADDRESS\n", stderr);
        exit(2);
    }
    open_tap(name);
    tcpip_init(NULL, NULL);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    LOCK_TCPIP_CORE();
    netif_add(&netif, &address, &mask, &none, NULL, set_up, tcpip_input);
    netif_set_default(&netif);
    netif_set_up(&netif);
    UNLOCK_TCPIP_CORE();
    if (pthread_create(&thread, NULL, receive_frames, NULL) != 0)
        link_fail("pthread_create");
}

static int connect_lwip(const char *address, const char *port, bool tuned)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
    int on = 1, fd;

    pthread_once(&once, begin);
    a.sin_addr.s_addr = ipaddr_addr(address);
    fd = lwip_socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || (tuned && lwip_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0))
        link_fail("lwip_socket");
    if (lwip_connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        link_fail("lwip_connect");
    return fd;
}

const struct link_calls link_lwip = {connect_lwip, lwip_read, lwip_write, lwip_shutdown,
                                     lwip_close};
