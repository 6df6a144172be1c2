/* SPDX-License-Identifier: MIT */
/*
 * A TAP interface in a network namespace of the test's own, the kernel at 10.9.9.1 behind it, and
 * just enough of Ethernet, IPv4 and TCP to build and read frames as the host 10.9.9.2.
 */
#ifndef TS_TESTS_PLATFORM_TAP_H
#define TS_TESTS_PLATFORM_TAP_H

#include "tests/platform/platform.h"
#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>

#define TAP_NAME    "platform0"
#define KERNEL_ADDR "10.9.9.1"
#define OUR_ADDR    "10.9.9.2"
#define OFFLOADS    (TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN)
#define MAX_FRAME   (128 * KIB)

static const unsigned char our_mac[6] = {2, 0, 0, 0, 0, 2};
static bool have_network;

#define need_network()                                                                             \
    do {                                                                                           \
        if (!have_network)                                                                         \
            skip();                                                                                \
    } while (0)

/* A test that failed half-way must not keep the interface from the next. */
static unused int close_all(void **state unused)
{
    return close_range(3, ~0u, 0);
}

#define tap_test(name) cmocka_unit_test_teardown(name, close_all)

/* One frame as it is read from or written to the TAP. */
struct tap_frame {
    struct virtio_net_hdr vnet;
    struct {
        struct ether_header eth;
        struct iphdr ip;
        union {
            struct tcphdr tcp;
            struct {
                uint16_t source, dest, len, check;
            } udp;
        };
        char data[MAX_FRAME];
    } __attribute__((packed)) pkt;
} __attribute__((packed));

#define TCP_HEADERS (sizeof(struct ether_header) + sizeof(struct iphdr) + sizeof(struct tcphdr))

static unused int tap_try(const char *name, short flags)
{
    struct ifreq ifr = {.ifr_flags = flags};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    if (ioctl(fd, TUNSETIFF, &ifr) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

static unused int tap_try_vnet(void)
{
    return tap_try(TAP_NAME, IFF_TAP | IFF_NO_PI | IFF_VNET_HDR);
}

static unused struct ifreq if_request(const char *name)
{
    struct ifreq ifr = {0};
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    return ifr;
}

static unused void if_ioctl(unsigned long request, void *arg)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int r = ioctl(s, request, arg);
    close(s);
    assert_int_equal(r, 0);
}

static unused int txqueuelen(const char *name)
{
    struct ifreq ifr = if_request(name);
    if_ioctl(SIOCGIFTXQLEN, &ifr);
    return ifr.ifr_qlen;
}

static unused void set_txqueuelen(const char *name, int len)
{
    struct ifreq ifr = if_request(name);
    ifr.ifr_qlen = len;
    if_ioctl(SIOCSIFTXQLEN, &ifr);
}

/* Gives the kernel its address, makes our MAC known to it, and brings the interface up. */
static unused void tap_bring_up(void)
{
    char path[96];
    struct ifreq ifr = if_request(TAP_NAME);
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct arpreq arp = {.arp_flags = ATF_PERM | ATF_COM};
    snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", TAP_NAME);
    write_file(path, "1");
    inet_pton(AF_INET, KERNEL_ADDR, &in.sin_addr);
    memcpy(&ifr.ifr_addr, &in, sizeof(in));
    if_ioctl(SIOCSIFADDR, &ifr);
    inet_pton(AF_INET, "255.255.255.0", &in.sin_addr);
    memcpy(&ifr.ifr_netmask, &in, sizeof(in));
    if_ioctl(SIOCSIFNETMASK, &ifr);
    ifr = if_request(TAP_NAME);
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    if_ioctl(SIOCSIFFLAGS, &ifr);
    inet_pton(AF_INET, OUR_ADDR, &in.sin_addr);
    memcpy(&arp.arp_pa, &in, sizeof(in));
    arp.arp_ha.sa_family = ARPHRD_ETHER;
    memcpy(arp.arp_ha.sa_data, our_mac, 6);
    snprintf(arp.arp_dev, sizeof(arp.arp_dev), "%s", TAP_NAME);
    if_ioctl(SIOCSARP, &arp);
}

static unused int tap_up(unsigned offloads)
{
    int fd = tap_try_vnet();
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TUNSETOFFLOAD, (unsigned long)offloads), 0);
    tap_bring_up();
    return fd;
}

struct if_counters {
    uint64_t rx_bytes, rx_packets, rx_dropped, tx_bytes, tx_packets, tx_dropped;
};

static unused struct if_counters if_count(const char *name)
{
    char line[512];
    struct if_counters c = {0};
    FILE *f = fopen("/proc/self/net/dev", "re");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        char *colon = strchr(line, ':'), *at = line + strspn(line, " ");
        if (!colon || strncmp(at, name, strlen(name)) != 0)
            continue;
        unsigned long long v[12] = {0};
        sscanf(colon + 1, "%llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu %llu", &v[0],
               &v[1], &v[2], &v[3], &v[4], &v[5], &v[6], &v[7], &v[8], &v[9], &v[10], &v[11]);
        c = (struct if_counters){v[0], v[1], v[3], v[8], v[9], v[11]};
    }
    fclose(f);
    return c;
}

static unused uint32_t sum16(const void *data, size_t len, uint32_t sum)
{
    const unsigned char *b = data;
    for (size_t i = 0; i + 1 < len; i += 2)
        sum += (uint32_t)b[i] << 8 | b[i + 1];
    if (len & 1)
        sum += (uint32_t)b[len - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

/* Sum over the pseudo header of IPv4 for a TCP segment of `len` bytes, header included. */
static unused uint32_t pseudo_sum(const void *ip, size_t len)
{
    const char *addresses = (const char *)ip + offsetof(struct iphdr, saddr);
    return sum16(addresses, 8, (uint32_t)(IPPROTO_TCP + len));
}

/* Takes a TCP frame from the kernel out of the TAP; others are skipped. Frame bytes, or 0. */
static unused size_t tap_read_tcp(int fd, struct tap_frame *f)
{
    for (int tries = 0; tries < 1000; tries++) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (poll(&p, 1, 500) != 1)
            return 0;
        ssize_t n = read(fd, f, sizeof(*f));
        if (n > (ssize_t)sizeof(f->vnet) + (ssize_t)TCP_HEADERS - 1 &&
            f->pkt.eth.ether_type == htons(ETHERTYPE_IP) && f->pkt.ip.protocol == IPPROTO_TCP)
            return (size_t)n - sizeof(f->vnet);
    }
    return 0;
}

#endif
