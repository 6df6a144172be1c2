/* SPDX-License-Identifier: MIT */
/* The device and the clock of the kernel in real time; see kernel.h. One process plays one script.
 */
#include "tests/pkt/kernel.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

/* Both sides alike: what the core does not have yet is off, what is a matter of taste is Linux's of
 * tunables.def. */
static const struct {
    const char *name, *value;
} defaults[] = {
    {"net.ipv4.tcp_ecn", "2"},
    {"net.ipv4.tcp_fastopen", "0"},
    {"net.ipv4.tcp_congestion_control", "reno"},
    {"net.ipv4.tcp_rmem", "4096 131072 6291456"},
    {"net.ipv4.tcp_no_metrics_save", "1"},
    {"net.ipv4.tcp_syncookies", "0"},
    {"net.ipv6.conf.all.disable_ipv6", "1"},
};

static struct kernel *of(struct target *t)
{
    return (struct kernel *)t;
}

static uint64_t monotonic(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

uint64_t kernel_now(struct target *t)
{
    return monotonic() - of(t)->zero;
}

/* --- tunables
 * ---------------------------------------------------------------------------------------------- */

static const char *kernel_sysctl(struct target *t, const char *name, const char *value)
{
    char path[256];
    ssize_t n;
    int fd;

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    for (char *p = path + 10; (p = strchr(p, '.'));)
        *p = '/';
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return arena_printf(t->arena, "%s: %s", path, strerror(errno));
    n = write(fd, value, strlen(value));
    close(fd);
    return n < 0 ? arena_printf(t->arena, "%s = %s: %s", path, value, strerror(errno)) : NULL;
}

/* --- the namespace and its device
 * -------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return false;
    n = write(fd, text, strlen(text));
    close(fd);
    return n > 0;
}

/* Without root, a user namespace gives the right to make a network one. */
static const char *enter_namespace(struct target *t)
{
    char map[64];
    uid_t uid = geteuid();

    if (unshare(CLONE_NEWNET | (uid ? CLONE_NEWUSER : 0)) != 0)
        return arena_printf(t->arena, "unshare: %s", strerror(errno));
    if (!uid)
        return NULL;
    snprintf(map, sizeof(map), "0 %u 1", uid);
    return write_file("/proc/self/uid_map", map) ? NULL : "cannot map the user";
}

static void set_address(struct sockaddr *sa, uint32_t ip)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};

    memcpy(sa, &in, sizeof(in));
}

static int interface_up(int s, const char *name)
{
    struct ifreq ifr = {0};

    snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(s, SIOCSIFFLAGS, &ifr);
}

static int configure(int s, const char *name, const struct script *script)
{
    struct rtentry route = {.rt_flags = RTF_UP};
    struct ifreq ifr = {0};
    char device[IFNAMSIZ];

    snprintf(ifr.ifr_name, IFNAMSIZ, "%s", name);
    ifr.ifr_qlen = 10000;
    if (ioctl(s, SIOCSIFTXQLEN, &ifr) != 0)
        return -1;
    ifr.ifr_mtu = (int)script->mtu;
    if (ioctl(s, SIOCSIFMTU, &ifr) != 0)
        return -1;
    set_address(&ifr.ifr_addr, script->local_ip);
    if (ioctl(s, SIOCSIFADDR, &ifr) != 0)
        return -1;
    set_address(&ifr.ifr_netmask, 0xffffff00);
    if (ioctl(s, SIOCSIFNETMASK, &ifr) != 0 || interface_up(s, name) != 0 ||
        interface_up(s, "lo") != 0)
        return -1;
    snprintf(device, sizeof(device), "%s", name);
    route.rt_dev = device;
    set_address(&route.rt_dst, 0);
    set_address(&route.rt_genmask, 0);
    return ioctl(s, SIOCADDRT, &route);
}

static const char *make_device(struct kernel *k, const struct script *script)
{
    struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    const char *why = NULL;
    int s;

    snprintf(ifr.ifr_name, IFNAMSIZ, "tun0");
    k->tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (k->tun < 0 || ioctl(k->tun, TUNSETIFF, &ifr) != 0)
        return arena_printf(k->target.arena, "TUN: %s", strerror(errno));
    s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (s < 0 || configure(s, ifr.ifr_name, script) != 0)
        why = arena_printf(k->target.arena, "set-up of the TUN device: %s", strerror(errno));
    if (s >= 0)
        close(s);
    return why;
}

static void on_signal(int sig)
{
    (void)sig;
}

static const char *kernel_open(struct target *t, const struct script *script)
{
    struct kernel *k = of(t);
    struct sched_param rt = {.sched_priority = 10};
    struct sigaction sa = {.sa_handler = on_signal};
    struct sigaction restarts = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    const char *why = enter_namespace(t);

    if (!why)
        why = make_device(k, script);
    for (size_t i = 0; !why && i < sizeof(defaults) / sizeof(defaults[0]); i++)
        why = kernel_sysctl(t, defaults[i].name, defaults[i].value);
    sched_setscheduler(0, SCHED_RR, &rt); /* may be refused: then times are only less exact */
    sigaction(SIGUSR1, &sa, NULL);
    sigaction(SIGUSR2, &restarts, NULL);
    signal(SIGPIPE, SIG_IGN);
    k->zero = monotonic();
    return why;
}

static void kernel_close(struct target *t)
{
    (void)t; /* the process ends, and the namespace with it */
}

/* --- packets and time
 * -------------------------------------------------------------------------------------- */

/* Returns true when at least one packet came. */
static bool drain(struct kernel *k)
{
    static uint8_t bytes[PKT_MAX_PACKET];
    bool any = false;
    ssize_t n;

    while ((n = read(k->tun, bytes, sizeof(bytes))) > 0) {
        if (bytes[0] >> 4 != 4)
            continue;
        capture_add(&k->target, kernel_now(&k->target), true, bytes, (uint32_t)n);
        any = true;
    }
    return any;
}

static void kernel_advance(struct target *t, uint64_t until, bool stop_on_packet,
                           const struct call *call)
{
    struct kernel *k = of(t);
    struct pollfd p = {.fd = k->tun, .events = POLLIN};

    for (;;) {
        uint64_t now = kernel_now(t), us = until > now ? until - now : 0;
        struct timespec ts;

        if (call && us > 2000)
            us = 2000; /* a thread's end does not wake poll */
        ts = (struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
        ppoll(&p, 1, &ts, NULL);
        if ((drain(k) && stop_on_packet) || (call && call->done) || kernel_now(t) >= until)
            return;
    }
}

static void kernel_inject(struct target *t, const uint8_t *ip, uint32_t len)
{
    drain(of(t));
    capture_add(t, kernel_now(t), false, ip, len);
    if (write(of(t)->tun, ip, len) < 0)
        fprintf(stderr, "pkt: write to TUN: %s\n", strerror(errno));
    drain(of(t));
}

static int kernel_tcp_info(struct target *t, int fd, struct sock_tcp_info *out)
{
    socklen_t len = sizeof(*out);

    (void)t;
    memset(out, 0, sizeof(*out));
    return getsockopt(fd, IPPROTO_TCP, 11 /* TCP_INFO */, out, &len) == 0 ? 0 : -errno;
}

static const struct target_ops kernel_ops = {
    .name = "kernel",
    .open = kernel_open,
    .close = kernel_close,
    .now = kernel_now,
    .advance = kernel_advance,
    .inject = kernel_inject,
    .start = kernel_start,
    .interrupt = kernel_interrupt,
    .sysctl = kernel_sysctl,
    .tcp_info = kernel_tcp_info,
};

struct target *kernel_new(struct arena *a)
{
    struct kernel *k = calloc(1, sizeof(*k));

    if (!k)
        abort();
    k->target.ops = &kernel_ops;
    k->target.arena = a;
    k->target.real_time = true;
    k->tun = -1;
    return &k->target;
}

void kernel_free(struct target *t)
{
    free(t);
}
