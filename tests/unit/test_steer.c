/* SPDX-License-Identifier: MIT */
/* Several stacks on one address: whose a frame is, and what they know of each other's ports,
 * sockets and memory. */
#include "tests/unit/tcp/fixture.h"

#include "proto/ip/wire.h"

#define STACKS 4

static const struct steer steer = {.key = {{1, 2}}, .count = STACKS};

static struct ip_endpoint endpoint(const char *address, unsigned port)
{
    struct ip_endpoint e = {.port = (uint16_t)port};

    assert_int_equal(ip_addr_parse(address, &e.addr), 0);
    return e;
}

/* An IPv4 packet at h: proto, and the first four bytes of what it carries. */
static void put_ipv4(uint8_t *h, uint8_t proto, uint8_t last_src, uint8_t last_dst, uint16_t one,
                     uint16_t two)
{
    memset(h, 0, 24);
    h[0] = 0x45;
    h[9] = proto;
    memcpy(h + IPV4_SRC, (uint8_t[]){10, 0, 0, last_src}, 4);
    memcpy(h + IPV4_DST, (uint8_t[]){10, 0, 0, last_dst}, 4);
    wire_put16(h + 20, one);
    wire_put16(h + 22, two);
}

static uint32_t whose(uint8_t *bytes, uint32_t len)
{
    struct frame f = {.data = bytes, .len = len};

    return steer_frame(&steer, &f);
}

TEST(both_ends_see_the_same_owner)
{
    for (unsigned p = 1; p < 2000; p++) {
        struct ip_endpoint a = endpoint("10.0.0.1", p), b = endpoint("10.0.0.2", 80);
        struct ip_endpoint c = endpoint("10.0.0.1", 80);

        assert_int_equal(steer_tuple(&steer, &a, &b), steer_tuple(&steer, &b, &a));
        assert_int_equal(steer_tuple(&steer, &a, &c), steer_tuple(&steer, &c, &a));
    }
}

TEST(all_have_their_share)
{
    struct ip_endpoint b = endpoint("10.0.0.2", 80);
    unsigned n[STACKS] = {0};

    for (unsigned p = 1; p <= 4000; p++) {
        struct ip_endpoint a = endpoint("10.0.0.1", p);
        n[steer_tuple(&steer, &a, &b)]++;
    }
    for (unsigned i = 0; i < STACKS; i++)
        assert_in_range(n[i], 850, 1150);
}

TEST(a_frame_goes_to_the_owner_of_its_tuple)
{
    for (unsigned p = 1; p < 200; p++) {
        struct ip_endpoint a = endpoint("10.0.0.1", p), b = endpoint("10.0.0.2", 80);
        uint8_t bytes[38] = {[ETH_TYPE] = 8};

        put_ipv4(bytes + ETH_HEADER, 6, 1, 2, (uint16_t)p, 80);
        assert_int_equal(whose(bytes, sizeof(bytes)), steer_tuple(&steer, &a, &b));
    }
}

TEST(an_icmp_error_goes_to_the_owner_of_what_it_quotes)
{
    for (unsigned p = 1; p < 200; p++) {
        struct ip_endpoint a = endpoint("10.0.0.1", p), b = endpoint("10.0.0.2", 80);
        uint8_t bytes[14 + 20 + 8 + 24] = {[ETH_TYPE] = 8};

        put_ipv4(bytes + 14, 1, 9, 1, 0x0304, 0);
        put_ipv4(bytes + 42, 6, 1, 2, (uint16_t)p, 80);
        assert_int_equal(whose(bytes, sizeof(bytes)), steer_tuple(&steer, &a, &b));
        assert_int_equal(whose(bytes, sizeof(bytes) - 1), 0); /* quotes too little */
        bytes[14 + 20] = 8;                                   /* an echo quotes nothing */
        assert_int_equal(whose(bytes, sizeof(bytes)), 0);
    }
}

TEST(arp_and_fragments_go_to_all)
{
    uint8_t bytes[64] = {[ETH_TYPE] = 8, [ETH_TYPE + 1] = 6};

    assert_int_equal(whose(bytes, 42), STEER_ALL);
    bytes[ETH_TYPE + 1] = 0;
    put_ipv4(bytes + 14, 6, 1, 2, 1000, 80);
    wire_put16(bytes + 14 + IPV4_FRAGMENT, IPV4_MF);
    assert_int_equal(whose(bytes, 38), STEER_ALL);
    wire_put16(bytes + 14 + IPV4_FRAGMENT, 100);
    assert_int_equal(whose(bytes, 38), STEER_ALL);
    wire_put16(bytes + 14 + IPV4_FRAGMENT, IPV4_DF);
    assert_int_not_equal(whose(bytes, 38), STEER_ALL);
}

/* On the heap, so that a read behind the end is seen. */
TEST(a_frame_may_end_anywhere)
{
    uint8_t whole[14 + 20 + 8 + 24] = {[ETH_TYPE] = 8};

    put_ipv4(whole + 14, 1, 9, 1, 0x0304, 0);
    put_ipv4(whole + 42, 6, 1, 2, 1000, 80);
    for (unsigned header = 0; header < 16; header++) {
        whole[14] = (uint8_t)(0x40 | header);
        for (uint32_t len = 0; len < sizeof(whole); len++) {
            uint8_t *cut = malloc(len ? len : 1);

            assert_non_null(cut);
            memcpy(cut, whole, len);
            assert_true(whose(cut, len) < STACKS);
            free(cut);
        }
    }
}

/* --- several stacks ----------------------------------------------------------------------------
 */

static struct stack_common common;
static struct stack *stacks[STACKS];
static unsigned sent;

static int nowhere(void *ctx, const struct frame *f)
{
    (void)ctx;
    (void)f;
    sent++;
    return 0;
}

static bool taken(void *ctx, const struct sock *s, const struct ip_endpoint *local)
{
    (void)ctx;
    for (unsigned i = 0; i < STACKS; i++)
        if (stacks[i] != s->st && sock_conflicts(stacks[i], s, local))
            return true;
    return false;
}

static const struct stack_ops ops = {.transmit = nowhere, .taken = taken};

static int several(void **state)
{
    struct stack_config config = {
        .mac = {2, 0, 0, 0, 0, 1}, .mtu = 1500, .max_sockets = 1000, .memory_limit = 8u << 20};

    (void)state;
    memset(&common, 0, sizeof(common));
    sent = 0;
    assert_int_equal(ip_prefix_parse("10.0.0.1/24", &config.address), 0);
    config.common = &common;
    config.steer = steer;
    for (unsigned i = 0; i < STACKS; i++) {
        config.steer.index = i;
        config.seed[0] = (uint8_t)i;
        assert_int_equal(stack_new(&config, &ops, NULL, 1000000, &stacks[i]), 0);
    }
    return 0;
}

static int no_more(void **state)
{
    (void)state;
    for (unsigned i = 0; i < STACKS; i++)
        stack_free(stacks[i]);
    return 0;
}

static struct sock *socket_in(unsigned i)
{
    struct sock *s;

    assert_int_equal(sock_create(stacks[i], false, &s), 0);
    return s;
}

TEST(connect_chooses_a_port_whose_tuple_is_its_own)
{
    struct ip_endpoint to = endpoint("10.0.0.2", 80), local;

    for (unsigned i = 0; i < 40; i++) {
        struct sock *s = socket_in(i % STACKS);

        assert_int_equal(sock_connect(s, &to, 1000000), -EINPROGRESS);
        sock_getsockname(s, &local);
        assert_int_equal(steer_tuple(&steer, &local, &to), i % STACKS);
        assert_int_equal(common.held[local.port], 1);
        assert_int_equal(common.fixed[local.port], 0);
        sock_abort(s, 1000000);
        assert_int_equal(common.held[local.port], 0);
    }
}

TEST(a_fixed_port_says_where_to_connect)
{
    struct ip_endpoint to = endpoint("10.0.0.2", 80), local = endpoint("0.0.0.0", 7000);
    struct ip_endpoint ours = endpoint("10.0.0.1", 7000);
    struct sock *s = socket_in(0), *moved;
    int there;

    assert_int_equal(sock_connects_in(s, &to), -1); /* any port will do */
    assert_int_equal(sock_bind(s, &local, 1000000), 0);
    there = sock_connects_in(s, &to);
    assert_int_equal(there, steer_tuple(&steer, &ours, &to));
    assert_int_equal(sock_duplicate(s, stacks[(there + 1) % STACKS], &moved, 1000000), 0);
    sock_close(s, 1000000);
    sock_getsockname(moved, &local);
    assert_int_equal(local.port, 7000);
    sock_close(moved, 1000000);
    assert_int_equal(common.held[7000], 0);
    assert_int_equal(common.fixed[7000], 0);
}

TEST(a_port_is_taken_wherever_it_was_bound)
{
    struct ip_endpoint local = endpoint("0.0.0.0", 7000), to = endpoint("10.0.0.2", 80);
    struct sock *a = socket_in(0), *b = socket_in(1);

    assert_int_equal(sock_bind(a, &local, 1000000), 0);
    assert_int_equal(sock_bind(b, &local, 1000000), -EADDRINUSE);
    /* nor does connect() choose it: only this one is left to choose */
    assert_int_equal(stack_tunable_set(stacks[1], "ip_local_port_range", "7000 7000"), 0);
    assert_int_equal(sock_connect(b, &to, 1000000), -EADDRNOTAVAIL);
    sock_close(a, 1000000);
    assert_int_equal(sock_bind(b, &local, 1000000), 0);
    sock_close(b, 1000000);
}

TEST(bind_0_chooses_what_nobody_has)
{
    struct ip_endpoint local = endpoint("0.0.0.0", 0), name;
    struct sock *s[STACKS];
    bool seen[65536] = {false};

    for (unsigned i = 0; i < STACKS; i++) {
        s[i] = socket_in(i);
        assert_int_equal(stack_tunable_set(stacks[i], "ip_local_port_range", "7001 7004"), 0);
        assert_int_equal(sock_bind(s[i], &local, 1000000), 0);
        sock_getsockname(s[i], &name);
        assert_false(seen[name.port]);
        seen[name.port] = true;
    }
    for (unsigned i = 0; i < STACKS; i++)
        sock_close(s[i], 1000000);
}

TEST(a_replica_listens_and_is_no_socket_of_its_own)
{
    struct ip_endpoint local = endpoint("0.0.0.0", 7000);
    struct sock *s = socket_in(2), *replica, *other = socket_in(3);
    uint32_t before = common.sockets;

    assert_int_equal(sock_bind(s, &local, 1000000), 0);
    assert_int_equal(sock_listen(s, 5, 1000000), 0);
    assert_int_equal(sock_replicate(s, stacks[0], &replica, 1000000), 0);
    assert_int_equal(common.sockets, before);
    assert_int_equal(replica->listener->backlog, 5);
    assert_int_equal(sock_bind(other, &local, 1000000), -EADDRINUSE);
    sock_close(s, 1000000);
    assert_int_equal(sock_bind(other, &local, 1000000), -EADDRINUSE);
    sock_close(replica, 1000000);
    assert_int_equal(sock_bind(other, &local, 1000000), 0);
    sock_close(other, 1000000);
    assert_int_equal(common.sockets, before - 2);
}

TEST(sockets_and_memory_are_counted_together)
{
    struct sock *s[1000], *more;
    size_t empty = common.memory;

    for (unsigned i = 0; i < 1000; i++)
        s[i] = socket_in(i % STACKS);
    assert_int_equal(sock_create(stacks[1], false, &more), -ENFILE);
    assert_true(common.memory > empty + 1000 * sizeof(struct tcb));
    for (unsigned i = 0; i < 1000; i++)
        sock_close(s[i], 1000000);
    assert_int_equal(sock_create(stacks[1], false, &more), 0);
    sock_close(more, 1000000);
}

TEST(an_owner_has_one_limit_in_all)
{
    enum { LIMIT = 64 * 1024 };
    struct sock *s[200];
    unsigned n = 0;
    int rc = 0;

    while (rc == 0) {
        assert_true(n < 200);
        s[n] = socket_in(n % STACKS);
        rc = sock_set_quota(s[n], 77, LIMIT);
        n++;
    }
    assert_int_equal(rc, -ENOBUFS);
    /* three quarters, of all together */
    assert_in_range(n, LIMIT / 4 * 3 / 2048, LIMIT / 4 * 3 / 1024);
    while (n > 0)
        sock_close(s[--n], 1000000);
    s[0] = socket_in(3);
    assert_int_equal(sock_set_quota(s[0], 77, LIMIT), 0);
    sock_close(s[0], 1000000);
}

TEST(ids_are_unique_among_them)
{
    struct sock *s[3 * STACKS];

    for (unsigned i = 0; i < 3 * STACKS; i++) {
        s[i] = socket_in(i % STACKS);
        for (unsigned j = 0; j < i; j++)
            assert_true(sock_id(s[i]) != sock_id(s[j]));
    }
    for (unsigned i = 0; i < 3 * STACKS; i++)
        sock_close(s[i], 1000000);
}

/* RFC 826: who has 10.0.0.1? */
TEST(one_answers_for_all)
{
    static const uint8_t request[42] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2,  0, 0, 0, 0, 2, 8, 6, /* Ethernet */
        0,    1,    8,    0,    6,    4,    0,  1,                   /* request */
        2,    0,    0,    0,    0,    2,    10, 0, 0, 2, 0, 0, 0, 0, 0, 0, 10, 0, 0, 1};

    for (unsigned i = 0; i < STACKS; i++) {
        uint8_t bytes[42];
        struct frame f;

        memcpy(bytes, request, sizeof(bytes));
        frame_init(&f);
        f.data = bytes;
        f.len = sizeof(bytes);
        stack_input(stacks[i], &f, 1000000);
        assert_int_equal(stack_counters(stacks[i])->v[CNT_arp_in], 1);
    }
    assert_int_equal(sent, 1);
    assert_int_equal(stack_counters(stacks[0])->v[CNT_arp_out_replies], 1);
}

#define S(name) cmocka_unit_test_setup_teardown(name, several, no_more)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_ends_see_the_same_owner),
        cmocka_unit_test(all_have_their_share),
        cmocka_unit_test(a_frame_goes_to_the_owner_of_its_tuple),
        cmocka_unit_test(an_icmp_error_goes_to_the_owner_of_what_it_quotes),
        cmocka_unit_test(arp_and_fragments_go_to_all),
        cmocka_unit_test(a_frame_may_end_anywhere),
        S(connect_chooses_a_port_whose_tuple_is_its_own),
        S(a_fixed_port_says_where_to_connect),
        S(a_port_is_taken_wherever_it_was_bound),
        S(bind_0_chooses_what_nobody_has),
        S(a_replica_listens_and_is_no_socket_of_its_own),
        S(sockets_and_memory_are_counted_together),
        S(an_owner_has_one_limit_in_all),
        S(ids_are_unique_among_them),
        S(one_answers_for_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
