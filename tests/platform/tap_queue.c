/* SPDX-License-Identifier: MIT */
/*
 * The queue from the kernel to a TAP holds txqueuelen frames, of whatever size; what does not fit
 * is dropped and counted, and the sender is not held back. So a slow reader of the TAP is a lossy
 * wire.
 */
#include "tests/platform/tap.h"
#include <sys/epoll.h>

static struct tap_frame frame;

static int udp_socket(void)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(9)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    inet_pton(AF_INET, OUR_ADDR, &in.sin_addr);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
    return fd;
}

static int frames_in(int tap)
{
    int n = 0;
    while (read(tap, &frame, sizeof(frame)) > 0)
        n++;
    assert_int_equal(errno, EAGAIN);
    return n;
}

/* Sends `count` datagrams of `len` bytes, none of which may be refused. */
static void flood(int count, size_t len)
{
    static char data[1400];
    int udp = udp_socket();
    for (int i = 0; i < count; i++)
        assert_int_equal(send(udp, data, len, 0), (ssize_t)len);
    close(udp);
}

static void the_default_queue_is_1000_frames_for_a_tap(void **state unused)
{
    need_network();
    int tap = tap_try_vnet(), tun = tap_try("platform1", IFF_TUN | IFF_NO_PI);
    assert_true(tap >= 0 && tun >= 0);
    note("default txqueuelen: TAP %d, TUN %d", txqueuelen(TAP_NAME), txqueuelen("platform1"));
    assert_int_equal(txqueuelen(TAP_NAME), 1000);
    assert_int_equal(txqueuelen("platform1"), 500);
    close(tap);
    close(tun);
}

static void frames_beyond_the_queue_are_dropped_counted_and_hold_nobody_back(void **state unused)
{
    need_network();
    int tap = tap_up(OFFLOADS);
    frames_in(tap);
    struct if_counters before = if_count(TAP_NAME);
    uint64_t start = now_us();
    flood(1500, 100);
    uint64_t took = now_us() - start;
    struct if_counters after = if_count(TAP_NAME);
    int queued = frames_in(tap);
    note("1500 datagrams in %u us, no send refused: %d queued, %u tx_dropped", (unsigned)took,
         queued, (unsigned)(after.tx_dropped - before.tx_dropped));
    assert_int_equal(queued, 1000);
    assert_in_range(after.tx_dropped - before.tx_dropped, 500, 510);
    close(tap);
}

static void the_queue_counts_frames_and_not_bytes(void **state unused)
{
    need_network();
    int tap = tap_up(OFFLOADS);
    frames_in(tap);
    flood(1100, 1400);
    assert_int_equal(frames_in(tap), 1000);
    close(tap);
}

static void txqueuelen_can_be_set_larger_and_smaller(void **state unused)
{
    need_network();
    static const int lengths[] = {50, 3000};
    int tap = tap_up(OFFLOADS);
    for (int i = 0; i < 2; i++) {
        frames_in(tap);
        set_txqueuelen(TAP_NAME, lengths[i]);
        assert_int_equal(txqueuelen(TAP_NAME), lengths[i]);
        flood(lengths[i] + 100, 100);
        assert_int_equal(frames_in(tap), lengths[i]);
    }
    close(tap);
}

static void a_read_frees_a_place_and_is_an_edge_for_every_frame_that_comes(void **state unused)
{
    need_network();
    int tap = tap_up(OFFLOADS), ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event e = {.events = EPOLLIN | EPOLLET};
    frames_in(tap);
    assert_int_equal(epoll_ctl(ep, EPOLL_CTL_ADD, tap, &e), 0);
    for (int i = 0; i < 5; i++) {
        flood(1, 100);
        assert_int_equal(epoll_wait(ep, &e, 1, 0), 1);
        assert_int_equal(epoll_wait(ep, &e, 1, 0), 0);
    }
    assert_int_equal(frames_in(tap), 5);
    close(ep);
    close(tap);
}

static void a_frame_is_cut_to_a_short_buffer_without_a_word(void **state unused)
{
    need_network();
    int tap = tap_up(OFFLOADS);
    frames_in(tap);
    flood(1, 1000);
    assert_int_equal(read(tap, &frame, 200), 200);
    assert_errno(read(tap, &frame, sizeof(frame)), EAGAIN);
    close(tap);
}

static void a_read_of_a_tap_takes_one_frame(void **state unused)
{
    need_network();
    int tap = tap_up(OFFLOADS);
    frames_in(tap);
    flood(3, 100);
    ssize_t n = read(tap, &frame, sizeof(frame));
    assert_int_equal(n, sizeof(struct virtio_net_hdr) + 14 + 20 + 8 + 100);
    assert_int_equal(frames_in(tap), 2);
    close(tap);
}

static void a_write_to_an_interface_that_is_down_gives_eio(void **state unused)
{
    need_network();
    int tap = tap_try_vnet();
    assert_true(tap >= 0);
    memset(&frame, 0, 256);
    assert_errno(write(tap, &frame, 256), EIO);
    close(tap);
}

static int run(bool network)
{
    have_network = network && access("/dev/net/tun", R_OK | W_OK) == 0;
    const struct CMUnitTest tests[] = {
        tap_test(the_default_queue_is_1000_frames_for_a_tap),
        tap_test(frames_beyond_the_queue_are_dropped_counted_and_hold_nobody_back),
        tap_test(the_queue_counts_frames_and_not_bytes),
        tap_test(txqueuelen_can_be_set_larger_and_smaller),
        tap_test(a_read_frees_a_place_and_is_an_edge_for_every_frame_that_comes),
        tap_test(a_frame_is_cut_to_a_short_buffer_without_a_word),
        tap_test(a_read_of_a_tap_takes_one_frame),
        tap_test(a_write_to_an_interface_that_is_down_gives_eio),
    };
    return cmocka_run_group_tests_name("tap_queue", tests, NULL, NULL);
}

int main(void)
{
    return run_in_own_network(run);
}
