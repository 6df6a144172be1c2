/* SPDX-License-Identifier: MIT */
/*
 * raw_frames: what a TAP can do at one system call a frame, with no stack behind it.
 *   raw_frames send|receive SECONDS [PAYLOAD]
 * In a network namespace of its own (root, or a user who may make one): a TAP with the kernel's TCP
 * (cubic) at 10.99.0.1, and this program as the host 10.99.0.2 with the least TCP that moves bytes:
 * prebuilt frames in which the sequence number, the timestamps and the checksum change, one
 * write(2) each; one read(2) for a frame, one ACK for a batch. PAYLOAD (1448) bytes a frame; more
 * than fits into the MTU of 1500 is segmentation offload with the checksum left to the device, and
 * frames as large as they come when receiving. Prints Gbit/s as the receiver saw it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define KERNEL_ADDR "10.99.0.1"
#define OUR_ADDR    "10.99.0.2"
#define PORT        5001
#define MSS         1448u
#define QUEUE       40000
#define WSCALE      7
#define WINDOW      32768u /* times 2^7: 4 MiB */
#define BATCH       64     /* frames between two looks the other way */
#define ROOM        (1u << 19)
#define STALL       0.2 /* seconds without an ACK: back to what is not acknowledged */

/* Ten bytes and fourteen: what follows them is aligned, nothing is padded. */
struct packet {
    struct virtio_net_hdr vnet; /* only with offload */
    struct ether_header eth;
    struct iphdr ip;
    struct tcphdr tcp;
    uint8_t options[12]; /* NOP, NOP, timestamps */
    uint8_t payload[ROOM];
};

#define HEADERS 66
_Static_assert(offsetof(struct packet, payload) == 10 + HEADERS, "no padding");

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 2};
static struct packet out, in;
static int tap;
static bool offload;
static uint32_t seq = 1000, ack, una, window, ts_recent, payload_sum;
static unsigned scale;
static bool fin_seen;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t sum16(const void *data, size_t n, uint32_t start)
{
    const uint8_t *b = data;
    uint64_t sum = start;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint64_t)(b[i] << 8 | b[i + 1]);
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint32_t)sum;
}

/* --- the interface -----------------------------------------------------------------------------
 */

static void request(unsigned long what, void *arg)
{
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (s < 0 || ioctl(s, what, arg) < 0)
        fail("the interface");
    close(s);
}

static void open_tap(void)
{
    struct ifreq ifr = {.ifr_name = "raw0"};

    ifr.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (offload ? IFF_VNET_HDR : 0));
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr) < 0)
        fail("/dev/net/tun");
    if (offload && ioctl(tap, TUNSETOFFLOAD, (unsigned long)(TUN_F_CSUM | TUN_F_TSO4)) < 0)
        fail("TUNSETOFFLOAD");
}

static void bring_up(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    struct arpreq arp = {.arp_flags = ATF_PERM | ATF_COM, .arp_dev = "raw0"};
    struct ifreq ifr = {.ifr_name = "raw0"};

    inet_pton(AF_INET, KERNEL_ADDR, &a.sin_addr);
    memcpy(&ifr.ifr_addr, &a, sizeof(a));
    request(SIOCSIFADDR, &ifr);
    inet_pton(AF_INET, "255.255.255.0", &a.sin_addr);
    memcpy(&ifr.ifr_netmask, &a, sizeof(a));
    request(SIOCSIFNETMASK, &ifr);
    ifr.ifr_qlen = QUEUE;
    request(SIOCSIFTXQLEN, &ifr);
    ifr.ifr_flags = IFF_UP | IFF_RUNNING;
    request(SIOCSIFFLAGS, &ifr);
    inet_pton(AF_INET, OUR_ADDR, &a.sin_addr);
    memcpy(&arp.arp_pa, &a, sizeof(a));
    arp.arp_ha.sa_family = ARPHRD_ETHER;
    memcpy(arp.arp_ha.sa_data, our_mac, sizeof(our_mac));
    request(SIOCSARP, &arp);
    request(SIOCGIFHWADDR, &ifr);
    memcpy(out.eth.ether_dhost, ifr.ifr_hwaddr.sa_data, 6);
}

/* --- the kernel's side, a process of its own ---------------------------------------------------
 */

static int listen_kernel(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "cubic", 5); /* not everybody has it */
    if (s < 0 || bind(s, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s, 1) < 0)
        fail("listen");
    return s;
}

static double kernel_receives(int s)
{
    static char data[1 << 20];
    double start = 0;
    uint64_t bytes = 0;
    ssize_t n;

    while ((n = read(s, data, sizeof(data))) > 0) {
        if (!bytes)
            start = now();
        bytes += (uint64_t)n;
    }
    return bytes ? (double)bytes * 8e-9 / (now() - start) : 0;
}

static void kernel_sends(int s, double seconds)
{
    static char data[1 << 18];
    double end = now() + seconds;

    memset(data, 'x', sizeof(data));
    while (now() < end)
        if (write(s, data, sizeof(data)) < 0)
            fail("write");
    shutdown(s, SHUT_WR);
    (void)!read(s, data, 1); /* until we have closed */
}

/* Its rate comes out of the pipe; none when it is the sender. */
static int start_kernel(bool receives, double seconds)
{
    int listener = listen_kernel(), fds[2];
    pid_t pid;

    if (pipe(fds) < 0 || (pid = fork()) < 0)
        fail("fork");
    if (pid == 0) {
        int s = accept(listener, NULL, NULL);
        double rate = 0;

        if (s < 0)
            fail("accept");
        if (receives)
            rate = kernel_receives(s);
        else
            kernel_sends(s, seconds);
        _exit(write(fds[1], &rate, sizeof(rate)) != sizeof(rate));
    }
    close(listener);
    close(fds[1]);
    return fds[0];
}

/* --- frames ------------------------------------------------------------------------------------
 */

static void prebuild(uint32_t payload)
{
    static const uint8_t options[12] = {1, 1, 8, 10};
    struct iphdr *ip = &out.ip;

    memcpy(out.eth.ether_shost, our_mac, 6);
    out.eth.ether_type = htons(ETHERTYPE_IP);
    *ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};
    ip->frag_off = htons(IP_DF);
    inet_pton(AF_INET, OUR_ADDR, &ip->saddr);
    inet_pton(AF_INET, KERNEL_ADDR, &ip->daddr);
    out.tcp = (struct tcphdr){.source = htons(9000), .dest = htons(PORT), .doff = 8};
    out.tcp.window = htons(WINDOW);
    memcpy(out.options, options, sizeof(options));
    memset(out.payload, 'x', payload);
    payload_sum = sum16(out.payload, payload, 0);
}

static void *first_byte(struct packet *p)
{
    return offload ? (void *)p : (void *)&p->eth;
}

static void put32(void *at, uint32_t v)
{
    v = htonl(v);
    memcpy(at, &v, 4);
}

/* The pseudo-header's sum; the packet's length for IP: 0 says that it is more than 65535. */
static uint32_t set_length(uint32_t payload)
{
    uint32_t total = (uint32_t)sizeof(struct iphdr) + 32 + payload;
    struct iphdr *ip = &out.ip;

    ip->tot_len = htons(total > 65535 ? 0 : (uint16_t)total);
    ip->check = 0;
    ip->check = htons((uint16_t)~sum16(ip, sizeof(*ip), 0));
    return sum16(&ip->saddr, 8, (32 + payload) + IPPROTO_TCP);
}

static void set_checksum(uint32_t payload)
{
    struct tcphdr *tcp = &out.tcp;
    uint32_t sum = set_length(payload);

    tcp->check = 0;
    if (offload) {
        tcp->check = htons((uint16_t)sum);
        out.vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                           .csum_start = 34,
                                           .csum_offset = offsetof(struct tcphdr, check)};
        if (payload > MSS) {
            out.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
            out.vnet.gso_size = MSS;
            out.vnet.hdr_len = HEADERS;
        }
        return;
    }
    sum = sum16(tcp, 32, payload ? sum + payload_sum : sum);
    tcp->check = htons((uint16_t)~sum);
}

/* False: the device takes no more for now. */
static bool send_frame(uint8_t flags, uint32_t payload)
{
    size_t n = HEADERS + payload + (offload ? sizeof(out.vnet) : 0);

    out.tcp.th_flags = flags;
    put32(&out.tcp.seq, seq);
    put32(&out.tcp.ack_seq, ack);
    put32(out.options + 4, (uint32_t)(now() * 1000));
    put32(out.options + 8, ts_recent);
    set_checksum(payload);
    if (write(tap, first_byte(&out), n) < 0) {
        if (errno != EAGAIN && errno != ENOBUFS)
            fail("write");
        return false;
    }
    seq += payload + (flags & (TH_SYN | TH_FIN) ? 1 : 0);
    return true;
}

/* The SYN says the window's scale where later segments have two NOPs. */
static void send_syn(void)
{
    uint8_t saved[12];

    memcpy(saved, out.options, sizeof(saved));
    memcpy(out.options, (uint8_t[12]){2, 4, 1460 >> 8, 1460 & 255, 1, 3, 3, WSCALE, 1, 1, 1, 1},
           12);
    out.tcp.th_flags = TH_SYN;
    put32(&out.tcp.seq, seq++);
    set_checksum(0);
    if (write(tap, first_byte(&out), HEADERS + (offload ? sizeof(out.vnet) : 0)) < 0)
        fail("write");
    memcpy(out.options, saved, sizeof(saved));
}

/* One frame of the connection: its payload's length, or -1 for none. Options beside it are not
 * looked at. */
static int64_t read_frame(void)
{
    ssize_t n = read(tap, first_byte(&in), sizeof(in));
    const struct tcphdr *tcp = &in.tcp;

    if (n < 0 && errno != EAGAIN)
        fail("read");
    if (n < 0)
        return -1;
    if (offload)
        n -= (ssize_t)sizeof(in.vnet);
    if (n < 54 || in.eth.ether_type != htons(ETHERTYPE_IP) || in.ip.protocol != IPPROTO_TCP)
        return 0;
    if (tcp->th_flags & TH_RST) {
        fprintf(stderr, "raw_frames: reset\n");
        exit(1);
    }
    una = ntohl(tcp->ack_seq);
    window = (uint32_t)ntohs(tcp->window) << (tcp->th_flags & TH_SYN ? 0 : scale);
    fin_seen |= tcp->th_flags & TH_FIN;
    return ntohs(in.ip.tot_len) - 20 - tcp->doff * 4;
}

static void wait_readable(void)
{
    struct pollfd p = {.fd = tap, .events = POLLIN};

    (void)poll(&p, 1, (int)(STALL * 1000));
}

static void handshake(void)
{
    const uint8_t *options = (const uint8_t *)(&in.tcp + 1), *end;

    send_syn();
    do {
        wait_readable();
    } while (read_frame() < 0 || !(in.tcp.th_flags & TH_SYN));
    end = (const uint8_t *)&in.tcp + in.tcp.doff * 4;
    for (const uint8_t *o = options; o < end && *o; o += *o == 1 ? 1 : o[1])
        if (*o == 3)
            scale = o[2];
    ack = ntohl(in.tcp.seq) + 1;
    send_frame(TH_ACK, 0);
}

/* --- both ways ---------------------------------------------------------------------------------
 */

/* Bytes that the window has room for. */
static uint32_t room(void)
{
    uint32_t left = una + window - seq;

    return left > 1u << 30 ? 0 : left;
}

/* Frames until the window is full. A large one that is larger than the whole window shrinks. */
static void send_batch(uint32_t payload)
{
    for (int i = 0; i < BATCH; i++) {
        uint32_t n = payload;

        if (room() < n && una == seq && offload)
            n = room();
        if (n == 0 || room() < n || !send_frame(TH_ACK, n))
            return;
    }
}

static void send_all(double seconds, uint32_t payload)
{
    double end = now() + seconds, heard = now();

    while (now() < end) {
        uint32_t before = una;

        send_batch(payload);
        if (room() < payload)
            wait_readable();
        while (read_frame() >= 0) {
        }
        if (una != before || una == seq)
            heard = now();
        if (now() - heard > STALL) {
            seq = una;
            heard = now();
        }
    }
    while (una != seq && now() < end + 1)
        if (read_frame() < 0)
            wait_readable();
    seq = una;
    send_frame(TH_FIN | TH_ACK, 0);
}

static double receive_all(void)
{
    double start = 0, end;
    uint64_t bytes = 0;

    while (!fin_seen) {
        bool news = false;

        for (int i = 0; i < BATCH && !fin_seen; i++) {
            int64_t n = read_frame();

            if (n < 0)
                break;
            news = true;
            if (ntohl(in.tcp.seq) != ack)
                continue;
            if (!bytes)
                start = now();
            memcpy(&ts_recent, (const uint8_t *)(&in.tcp + 1) + 4, 4);
            ts_recent = ntohl(ts_recent);
            ack += (uint32_t)n;
            bytes += (uint64_t)n;
        }
        if (news)
            send_frame(TH_ACK, 0);
        else
            wait_readable();
    }
    end = now();
    ack++;
    send_frame(TH_FIN | TH_ACK, 0);
    return bytes ? (double)bytes * 8e-9 / (end - start) : 0;
}

int main(int argc, char **argv)
{
    uint32_t payload = argc > 3 ? (uint32_t)atoi(argv[3]) : MSS;
    bool send;
    double seconds, rate = 0;
    int result;

    if (argc < 3 || argc > 4 || (strcmp(argv[1], "send") && strcmp(argv[1], "receive")) ||
        payload == 0 || payload > ROOM) {
        fprintf(stderr, "Usage: raw_frames send|receive SECONDS [PAYLOAD]\n");
        return 2;
    }
    send = !strcmp(argv[1], "send");
    seconds = atof(argv[2]);
    offload = payload > MSS;
    if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
        fail("unshare");
    open_tap();
    bring_up();
    prebuild(payload);
    result = start_kernel(send, seconds);
    handshake();
    if (send)
        send_all(seconds, payload);
    else
        rate = receive_all();
    if (send && read(result, &rate, sizeof(rate)) != sizeof(rate))
        fail("the kernel's side");
    printf("%.3f\n", rate);
    return 0;
}
