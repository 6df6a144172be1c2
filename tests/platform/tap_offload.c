/* SPDX-License-Identifier: MIT */
/*
 * A TAP with IFF_VNET_HDR: each frame has a virtio_net_hdr in front, checksums may be left to the
 * other side, and a TCP segment of up to 64 KiB crosses as one frame in one system call, both ways.
 * The kernel's own TCP is the peer, in a network namespace of the test's own.
 */
#include "tests/platform/tap.h"
#include <linux/if_packet.h>
#include <sys/utsname.h>

#define MSS     1460
#define PAYLOAD (40 * MSS)
#define PORT    7000

static struct tap_frame frame;

/* A connection between the kernel's socket `sock` and us, who make our frames by hand. */
struct peer {
    int tap, sock;
    uint32_t seq, ack; /* ours; all in host order */
    uint16_t port, our_port;
};

static void one_name_is_opened_once_the_second_time_is_ebusy(void **state unused)
{
    need_network();
    int fd = tap_try_vnet();
    assert_true(fd >= 0);
    assert_int_equal(tap_try_vnet(), -EBUSY);
    close(fd);
    fd = tap_try_vnet(); /* gone with its descriptor, and free again */
    assert_true(fd >= 0);
    close(fd);
}

static void a_descriptor_that_has_its_interface_takes_no_second_eexist(void **state unused)
{
    need_network();
    struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR, .ifr_name = "platform1"};
    int fd = tap_try_vnet();
    assert_true(fd >= 0);
    assert_errno(ioctl(fd, TUNSETIFF, &ifr), EEXIST);
    close(fd);
}

static void checksum_and_tso_offloads_can_be_asked_for(void **state unused)
{
    need_network();
    int fd = tap_try_vnet();
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TUNSETOFFLOAD, (unsigned long)OFFLOADS), 0);
    assert_int_equal(ioctl(fd, TUNSETOFFLOAD, 0ul), 0);
    assert_errno(ioctl(fd, TUNSETOFFLOAD, (unsigned long)TUN_F_TSO4), EINVAL); /* needs CSUM */
    note("TUN_F_USO4|USO6 (0x60) %s",
         ioctl(fd, TUNSETOFFLOAD, (unsigned long)TUN_F_CSUM | 0x60) == 0 ? "known" : "unknown");
    close(fd);
}

static void the_vnet_header_is_10_or_12_bytes_and_never_less(void **state unused)
{
    need_network();
    int fd = tap_try_vnet(), size = 0;
    assert_true(fd >= 0);
    assert_int_equal(ioctl(fd, TUNGETVNETHDRSZ, &size), 0);
    assert_int_equal(size, sizeof(struct virtio_net_hdr));
    assert_int_equal(size, 10);
    size = 12;
    assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
    size = 0;
    assert_int_equal(ioctl(fd, TUNGETVNETHDRSZ, &size), 0);
    assert_int_equal(size, 12);
    size = 9;
    assert_errno(ioctl(fd, TUNSETVNETHDRSZ, &size), EINVAL);
    size = 10;
    assert_int_equal(ioctl(fd, TUNSETVNETHDRSZ, &size), 0);
    close(fd);
}

/* Fills in headers; the checksum is left to the kernel, or complete, as asked. Returns bytes. */
static size_t build(const struct peer *p, uint8_t flags, size_t len, uint16_t gso_size,
                    bool partial)
{
    size_t segment = sizeof(struct tcphdr) + len;
    memset(&frame, 0, sizeof(frame.vnet) + TCP_HEADERS);
    struct ifreq ifr = if_request(TAP_NAME);
    if_ioctl(SIOCGIFHWADDR, &ifr);
    memcpy(frame.pkt.eth.ether_dhost, ifr.ifr_hwaddr.sa_data, 6);
    memcpy(frame.pkt.eth.ether_shost, our_mac, 6);
    frame.pkt.eth.ether_type = htons(ETHERTYPE_IP);
    struct iphdr ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_TCP};
    ip.tot_len = htons((uint16_t)(sizeof(ip) + segment));
    inet_pton(AF_INET, OUR_ADDR, &ip.saddr);
    inet_pton(AF_INET, KERNEL_ADDR, &ip.daddr);
    ip.check = htons((uint16_t)~sum16(&ip, sizeof(ip), 0));
    frame.pkt.ip = ip;
    struct tcphdr tcp = {.source = htons(p->our_port), .doff = 5, .window = htons(65535)};
    tcp.dest = htons(p->port);
    tcp.seq = htonl(p->seq);
    tcp.ack_seq = htonl(p->ack);
    tcp.th_flags = flags;
    frame.pkt.tcp = tcp;
    uint32_t sum = pseudo_sum(&ip, segment);
    if (partial) {
        frame.pkt.tcp.check = htons((uint16_t)sum);
        frame.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
        frame.vnet.csum_start = sizeof(struct ether_header) + sizeof(struct iphdr);
        frame.vnet.csum_offset = offsetof(struct tcphdr, check);
    } else {
        frame.pkt.tcp.check = htons((uint16_t)~sum16(&frame.pkt.tcp, segment, sum));
    }
    if (gso_size) {
        frame.vnet.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
        frame.vnet.gso_size = gso_size;
        frame.vnet.hdr_len = TCP_HEADERS;
    }
    return sizeof(frame.vnet) + TCP_HEADERS + len;
}

static void send_segment(struct peer *p, uint8_t flags, size_t len, uint16_t gso_size, bool partial)
{
    size_t n = build(p, flags, len, gso_size, partial);
    assert_int_equal(write(p->tap, &frame, n), n);
    p->seq += (uint32_t)len;
}

/* Connects to a listening socket of the kernel's by hand. */
static struct peer handshake(unsigned offloads)
{
    static uint16_t next_port = 8000;
    struct peer p = {.tap = tap_up(offloads), .seq = 1000, .port = PORT, .our_port = next_port++};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    set_int(listener, SO_REUSEADDR, 1);
    set_int(listener, SO_RCVBUF, 1 << 18);
    set_int(listener, SO_SNDBUF, 1 << 18);
    int mss = MSS;
    assert_int_equal(setsockopt(listener, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss)), 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&in, sizeof(in)), 0);
    assert_int_equal(listen(listener, 4), 0);
    send_segment(&p, TH_SYN, 0, 0, true);
    assert_true(tap_read_tcp(p.tap, &frame) > 0);
    assert_int_equal(frame.pkt.tcp.th_flags & (TH_SYN | TH_ACK), TH_SYN | TH_ACK);
    p.seq++;
    p.ack = ntohl(frame.pkt.tcp.seq) + 1;
    assert_int_equal(ntohl(frame.pkt.tcp.ack_seq), p.seq);
    send_segment(&p, TH_ACK, 0, 0, true);
    p.sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(p.sock >= 0);
    close(listener);
    return p;
}

static void end(struct peer p)
{
    struct linger reset = {.l_onoff = 1};
    setsockopt(p.sock, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    close(p.sock);
    close(p.tap);
}

static void
a_tso_frame_with_a_partial_checksum_is_one_packet_to_the_kernels_tcp(void **state unused)
{
    need_network();
    struct peer p = handshake(OFFLOADS);
    struct if_counters before = if_count(TAP_NAME);
    memset(frame.pkt.data, 'x', PAYLOAD);
    send_segment(&p, TH_ACK | TH_PUSH, PAYLOAD, MSS, true);
    struct if_counters after = if_count(TAP_NAME);
    assert_int_equal(after.rx_packets - before.rx_packets, 1);
    assert_int_equal(after.rx_bytes - before.rx_bytes, TCP_HEADERS + PAYLOAD);
    assert_int_equal(readable_bytes(p.sock), PAYLOAD); /* all of it, when write has returned */
    assert_true(tap_read_tcp(p.tap, &frame) > 0);
    assert_int_equal(ntohl(frame.pkt.tcp.ack_seq), p.seq); /* one ACK for it all */
    note("a frame of %zu bytes, %d segments: 1 packet in the counters, acknowledged whole",
         TCP_HEADERS + PAYLOAD, PAYLOAD / MSS);
    end(p);
}

static void a_tso_frame_is_seen_whole_by_a_packet_socket(void **state unused)
{
    need_network();
    static char copy[MAX_FRAME];
    struct peer p = handshake(OFFLOADS);
    struct sockaddr_ll ll = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
    int raw = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_true(raw >= 0);
    ll.sll_ifindex = (int)if_nametoindex(TAP_NAME);
    assert_int_equal(bind(raw, (struct sockaddr *)&ll, sizeof(ll)), 0);
    send_segment(&p, TH_ACK | TH_PUSH, PAYLOAD, MSS, true);
    ssize_t n = recv(raw, copy, sizeof(copy), 0);
    assert_int_equal(n, TCP_HEADERS + PAYLOAD);
    close(raw);
    end(p);
}

static void a_frame_of_64_kib_is_accepted(void **state unused)
{
    need_network();
    struct peer p = handshake(OFFLOADS);
    size_t len = 65535 - sizeof(struct iphdr) - sizeof(struct tcphdr);
    struct if_counters before = if_count(TAP_NAME);
    size_t n = build(&p, TH_ACK | TH_PUSH, len, MSS, true);
    assert_int_equal(write(p.tap, &frame, n), n);
    assert_int_equal(if_count(TAP_NAME).rx_packets - before.rx_packets, 1);
    end(p);
}

/* The number behind `name` in the line of values that follows its names in /proc/net/snmp. */
static unsigned long snmp(const char *group, const char *name)
{
    char names[2048], values[2048], *n, *v, *sn, *sv;
    unsigned long found = ~0ul;
    FILE *f = fopen("/proc/self/net/snmp", "re");
    assert_non_null(f);
    while (fgets(names, sizeof(names), f) && fgets(values, sizeof(values), f)) {
        if (strncmp(names, group, strlen(group)) != 0)
            continue;
        for (n = strtok_r(names, " \n", &sn), v = strtok_r(values, " \n", &sv); n && v;
             n = strtok_r(NULL, " \n", &sn), v = strtok_r(NULL, " \n", &sv))
            if (strcmp(n, name) == 0)
                found = strtoul(v, NULL, 10);
    }
    fclose(f);
    return found;
}

/* IPv4 BIG TCP, Linux 6.3: an IP length of 0 on a frame that is to be cut. Older kernels drop it.
 */
static void
a_frame_of_128_kib_with_an_ip_length_of_0_reaches_tcp_since_linux_6_3(void **state unused)
{
    need_network();
    struct peer p = handshake(OFFLOADS);
    unsigned long before = snmp("Tcp:", "InSegs");
    size_t len = 80 * MSS, n = build(&p, TH_ACK | TH_PUSH, len, MSS, true);
    struct utsname u;
    int major = 0, minor = 0;
    frame.pkt.ip.tot_len = 0;
    frame.pkt.ip.check = 0;
    frame.pkt.ip.check = htons((uint16_t)~sum16(&frame.pkt.ip, sizeof(frame.pkt.ip), 0));
    assert_int_equal(write(p.tap, &frame, n), n);
    uname(&u);
    sscanf(u.release, "%d.%d", &major, &minor);
    bool known = major > 6 || (major == 6 && minor >= 3);
    note("a frame of %zu bytes: %lu more segments in", n, snmp("Tcp:", "InSegs") - before);
    assert_int_equal(snmp("Tcp:", "InSegs") > before, known);
    end(p);
}

static void
a_partial_checksum_is_not_verified_and_a_full_one_is_whatever_we_claim(void **state unused)
{
    need_network();
    struct peer p = handshake(OFFLOADS);
    size_t n = build(&p, TH_ACK | TH_PUSH, 100, 0, false);
    frame.pkt.tcp.check ^= 0x5555;
    assert_int_equal(write(p.tap, &frame, n), n);
    assert_int_equal(readable_bytes(p.sock), 0);
    frame.vnet.flags = VIRTIO_NET_HDR_F_DATA_VALID; /* ignored: our word is not taken for it */
    assert_int_equal(write(p.tap, &frame, n), n);
    assert_int_equal(readable_bytes(p.sock), 0);
    send_segment(&p, TH_ACK | TH_PUSH, 100, 0, true);
    assert_int_equal(readable_bytes(p.sock), 100);
    send_segment(&p, TH_ACK | TH_PUSH, 100, 0, false);
    assert_int_equal(readable_bytes(p.sock), 200);
    end(p);
}

/* What the kernel sends for one write of `len` bytes: the largest frame, and its header. */
static size_t largest_from_kernel(struct peer *p, size_t len, struct virtio_net_hdr *h, bool *sound)
{
    static char data[1 << 17];
    size_t largest = 0, payload = 0, n;
    *sound = true;
    assert_int_equal(send(p->sock, data, len, MSG_NOSIGNAL), len);
    while (payload < len && (n = tap_read_tcp(p->tap, &frame)) > 0) {
        size_t segment = ntohs(frame.pkt.ip.tot_len) - sizeof(struct iphdr);
        uint32_t sum = sum16(&frame.pkt.tcp, segment, pseudo_sum(&frame.pkt.ip, segment));
        payload += segment - (size_t)frame.pkt.tcp.doff * 4;
        *sound = *sound && sum == 0xffff;
        if (n > largest) {
            largest = n;
            *h = frame.vnet;
        }
        p->ack = ntohl(frame.pkt.tcp.seq) + (uint32_t)(segment - (size_t)frame.pkt.tcp.doff * 4);
        send_segment(p, TH_ACK, 0, 0, true);
    }
    assert_int_equal(payload, len);
    return largest;
}

static void with_offload_the_kernel_sends_tso_frames_with_needs_csum(void **state unused)
{
    need_network();
    struct peer p = handshake(OFFLOADS);
    struct virtio_net_hdr h;
    bool sound;
    size_t largest = largest_from_kernel(&p, 60000, &h, &sound);
    note("largest frame from the kernel %zu bytes: flags %u gso_type %u gso_size %u hdr_len %u "
         "csum_start %u csum_offset %u",
         largest, h.flags, h.gso_type, h.gso_size, h.hdr_len, h.csum_start, h.csum_offset);
    assert_true(largest > 4 * MSS);
    assert_int_equal(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, VIRTIO_NET_HDR_F_NEEDS_CSUM);
    assert_int_equal(h.gso_type & ~VIRTIO_NET_HDR_GSO_ECN, VIRTIO_NET_HDR_GSO_TCPV4);
    assert_true(h.gso_size > 0 && h.gso_size <= MSS);
    assert_int_equal(h.csum_start, sizeof(struct ether_header) + sizeof(struct iphdr));
    assert_int_equal(h.csum_offset, offsetof(struct tcphdr, check));
    assert_false(sound); /* on the wire's terms: the sum is of the pseudo header alone */
    end(p);
}

static void
without_offload_the_kernel_sends_mtu_sized_frames_with_full_checksums(void **state unused)
{
    need_network();
    struct peer p = handshake(0);
    struct virtio_net_hdr h;
    bool sound;
    size_t largest = largest_from_kernel(&p, 60000, &h, &sound);
    assert_true(largest <= 1514);
    assert_int_equal(h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 0);
    assert_int_equal(h.gso_type, VIRTIO_NET_HDR_GSO_NONE);
    assert_true(sound);
    end(p);
}

static void a_frame_that_lies_about_its_checksum_or_segments_is_refused(void **state unused)
{
    need_network();
    struct peer p = handshake(OFFLOADS);
    size_t n = build(&p, TH_ACK, 2 * MSS, MSS, true);
    frame.vnet.gso_size = 0;
    assert_errno(write(p.tap, &frame, n), EINVAL);
    frame.vnet.gso_size = MSS;
    frame.vnet.gso_type = 99;
    assert_errno(write(p.tap, &frame, n), EINVAL);
    n = build(&p, TH_ACK, 100, 0, true);
    frame.vnet.csum_start = 60000;
    assert_errno(write(p.tap, &frame, n), EINVAL);
    assert_errno(write(p.tap, &frame, sizeof(frame.vnet) - 1), EINVAL);
    assert_errno(write(p.tap, &frame, sizeof(frame.vnet) + 13), EINVAL);
    end(p);
}

static int run(bool network)
{
    have_network = network && access("/dev/net/tun", R_OK | W_OK) == 0;
    const struct CMUnitTest tests[] = {
        tap_test(one_name_is_opened_once_the_second_time_is_ebusy),
        tap_test(a_descriptor_that_has_its_interface_takes_no_second_eexist),
        tap_test(checksum_and_tso_offloads_can_be_asked_for),
        tap_test(the_vnet_header_is_10_or_12_bytes_and_never_less),
        tap_test(a_tso_frame_with_a_partial_checksum_is_one_packet_to_the_kernels_tcp),
        tap_test(a_tso_frame_is_seen_whole_by_a_packet_socket),
        tap_test(a_frame_of_64_kib_is_accepted),
        tap_test(a_frame_of_128_kib_with_an_ip_length_of_0_reaches_tcp_since_linux_6_3),
        tap_test(a_partial_checksum_is_not_verified_and_a_full_one_is_whatever_we_claim),
        tap_test(with_offload_the_kernel_sends_tso_frames_with_needs_csum),
        tap_test(without_offload_the_kernel_sends_mtu_sized_frames_with_full_checksums),
        tap_test(a_frame_that_lies_about_its_checksum_or_segments_is_refused),
    };
    return cmocka_run_group_tests_name("tap_offload", tests, NULL, NULL);
}

int main(void)
{
    return run_in_own_network(run);
}
