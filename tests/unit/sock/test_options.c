/* SPDX-License-Identifier: MIT */
/* Socket options: every line of options.def there and back, everything else ENOPROTOOPT. */
#include "tests/unit/tcp/fixture.h"

static int set(int level, int name, const void *v, size_t len)
{
    int err = sock_setsockopt(fx.s, level, name, v, len, fx.now);

    run();
    return err;
}

static int get(int level, int name, void *v, size_t *len)
{
    return sock_getsockopt(fx.s, level, name, v, len, fx.now);
}

/* What to write to an option of kind INT, and what is read then. */
struct pair {
    int level, name, in, out;
};

static const struct pair pairs[] = {
    {SOL_SOCKET, SO_REUSEADDR, 1, 1},
    {SOL_SOCKET, SO_REUSEPORT, 1, 1},
    {SOL_SOCKET, SO_KEEPALIVE, 1, 1},
    {SOL_SOCKET, SO_SNDBUF, 50000, 100000},
    {SOL_SOCKET, SO_RCVBUF, 50000, 100000},
    {SOL_SOCKET, SO_RCVLOWAT, 100, 100},
    {IPPROTO_TCP, TCP_NODELAY, 1, 1},
    {IPPROTO_TCP, TCP_CORK, 1, 1},
    {IPPROTO_TCP, TCP_MAXSEG, 1000, 1000},
    {IPPROTO_TCP, TCP_KEEPIDLE, 10, 10},
    {IPPROTO_TCP, TCP_KEEPINTVL, 11, 11},
    {IPPROTO_TCP, TCP_KEEPCNT, 12, 12},
    {IPPROTO_TCP, TCP_SYNCNT, 3, 3},
    {SOL_SOCKET, SO_OOBINLINE, 1, 1},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT, 4, 7},
    {IPPROTO_TCP, TCP_LINGER2, 13, 13},
    {IPPROTO_TCP, TCP_QUICKACK, 0, 0},
    {IPPROTO_TCP, TCP_USER_TIMEOUT, 14000, 14000},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 15000, 15000},
    {IPPROTO_TCP, TCP_RTO_MIN_US, 19001, 20000},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP, 16000, 16000},
    {IPPROTO_IP, IP_TOS, 0x10, 0x10},
    {IPPROTO_IP, IP_TTL, 17, 17},
    {IPPROTO_IP, IP_MINTTL, 255, 255},
    {IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1, 1},
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE, IP_PMTUDISC_PROBE},
    {IPPROTO_IPV6, IPV6_V6ONLY, 1, 1},
    {IPPROTO_IPV6, IPV6_TCLASS, 0x2f, 0x2c},
};

static const struct pair *pair_of(int level, int name)
{
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        if (pairs[i].level == level && pairs[i].name == name)
            return &pairs[i];
    }
    return NULL;
}

enum kind { INT, LINGER, TIMEVAL, INFO, STRING, U64 };

struct option {
    int level, name;
    enum kind kind;
    bool set, get;
    const char *text;
};

static const struct option options[] = {
#define SOCK_OPTION(level, name, kind, set, get, help) {level, name, kind, set, get, #name},
#include "proto/sock/options.def"
#undef SOCK_OPTION
};

static void round_trip_int(const struct option *o)
{
    const struct pair *p = pair_of(o->level, o->name);
    int v = -1;
    size_t len = sizeof(v);

    if (!p)
        fail_msg("%s has no line in this test", o->text);
    assert_int_equal(set(o->level, o->name, &p->in, sizeof(p->in)), 0);
    assert_int_equal(get(o->level, o->name, &v, &len), 0);
    assert_int_equal(len, sizeof(v));
    if (v != p->out)
        fail_msg("%s: %d was set, %d came back", o->text, p->in, v);
}

static void round_trip_other(const struct option *o)
{
    struct linger l = {1, 7}, l2;
    struct timeval tv = {3, 500000}, tv2;
    uint64_t rate = 123456789012ull, rate2;
    char cc[16] = "";
    size_t len;

    if (o->kind == LINGER) {
        len = sizeof(l2);
        assert_int_equal(set(o->level, o->name, &l, sizeof(l)), 0);
        assert_int_equal(get(o->level, o->name, &l2, &len), 0);
        assert_memory_equal(&l, &l2, sizeof(l));
    } else if (o->kind == TIMEVAL) {
        len = sizeof(tv2);
        assert_int_equal(set(o->level, o->name, &tv, sizeof(tv)), 0);
        assert_int_equal(get(o->level, o->name, &tv2, &len), 0);
        assert_memory_equal(&tv, &tv2, sizeof(tv));
    } else if (o->kind == U64) {
        len = sizeof(rate2);
        assert_int_equal(set(o->level, o->name, &rate, sizeof(rate)), 0);
        assert_int_equal(get(o->level, o->name, &rate2, &len), 0);
        assert_true(rate == rate2);
    } else {
        len = sizeof(cc);
        assert_int_equal(o->kind, STRING);
        assert_int_equal(set(o->level, o->name, "reno", 4), 0);
        assert_int_equal(get(o->level, o->name, cc, &len), 0);
        assert_string_equal(cc, "reno");
    }
}

TEST(every_option_that_can_be_set_comes_back)
{
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct option *o = &options[i];

        if (!o->set || !o->get)
            continue;
        assert_int_equal(sock_create(fx.st, o->level == IPPROTO_IPV6, &fx.s), 0);
        if (o->kind == INT)
            round_trip_int(o);
        else
            round_trip_other(o);
        close_it();
    }
}

TEST(what_can_only_be_read_cannot_be_set)
{
    char big[512] = {0};

    fx.s = fx_socket();
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct option *o = &options[i];
        size_t len = sizeof(big);

        if (o->level == IPPROTO_IP && o->name == IP_MTU)
            assert_int_equal(get(o->level, o->name, big, &len), -ENOTCONN);
        else if (o->get && o->level != IPPROTO_IPV6)
            assert_int_equal(get(o->level, o->name, big, &len), 0);
        if (!o->set)
            assert_int_equal(set(o->level, o->name, big, sizeof(big)), -ENOPROTOOPT);
    }
}

/* Linux answers getsockopt(2) of an unknown level, and of IPv6's on an AF_INET socket, so. */
static bool is_level(int level)
{
    return level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_IP;
}

TEST(every_other_number_is_enoprotoopt)
{
    static const int levels[] = {SOL_SOCKET, IPPROTO_TCP, IPPROTO_IP, IPPROTO_IPV6, 99};

    fx.s = fx_socket();
    for (size_t l = 0; l < 5; l++) {
        for (int name = 0; name < 200; name++) {
            char v[512] = {1};
            size_t len = sizeof(v);
            bool known = false;

            for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
                known |= options[i].level == levels[l] && options[i].name == name;
            if (known)
                continue;
            assert_int_equal(set(levels[l], name, v, sizeof(v)), -ENOPROTOOPT);
            assert_int_equal(get(levels[l], name, v, &len),
                             is_level(levels[l]) ? -ENOPROTOOPT : -EOPNOTSUPP);
        }
    }
}

TEST(a_value_that_is_too_short_is_einval)
{
    char v[2] = {1, 1};

    fx.s = fx_socket();
    for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
        const struct option *o = &options[i];

        if (o->set && o->kind != STRING && o->level != IPPROTO_IP && o->level != IPPROTO_IPV6)
            assert_int_equal(set(o->level, o->name, v, 2), -EINVAL);
    }
}

TEST(getsockopt_writes_no_more_than_there_is_room)
{
    char v[8];
    size_t len = 1;

    fx.s = fx_socket();
    memset(v, 0x55, sizeof(v));
    assert_int_equal(get(SOL_SOCKET, SO_TYPE, v, &len), 0);
    assert_int_equal(len, 1);
    assert_int_equal(v[0], SOCK_STREAM);
    assert_int_equal(v[1], 0x55);
}

TEST(values_out_of_range_are_einval)
{
    static const struct pair bad[] = {
        {IPPROTO_TCP, TCP_MAXSEG, 10, 0},       {IPPROTO_TCP, TCP_MAXSEG, 40000, 0},
        {IPPROTO_TCP, TCP_KEEPIDLE, 0, 0},      {IPPROTO_TCP, TCP_KEEPIDLE, 32768, 0},
        {IPPROTO_TCP, TCP_KEEPINTVL, 0, 0},     {IPPROTO_TCP, TCP_KEEPINTVL, 32768, 0},
        {IPPROTO_TCP, TCP_KEEPCNT, 0, 0},       {IPPROTO_TCP, TCP_KEEPCNT, 128, 0},
        {IPPROTO_TCP, TCP_SYNCNT, 0, 0},        {IPPROTO_TCP, TCP_SYNCNT, 128, 0},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, -1, 0}, {IPPROTO_IP, IP_TTL, 0, 0},
        {IPPROTO_IP, IP_TTL, 256, 0},           {IPPROTO_IP, IP_MTU_DISCOVER, 6, 0},
        {IPPROTO_IP, IP_MTU_DISCOVER, -1, 0},
    };

    fx.s = fx_socket();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(set_int(bad[i].level, bad[i].name, bad[i].in), -EINVAL);
}

TEST(a_time_out_with_a_wild_microsecond_is_edom)
{
    struct timeval tv = {1, 1000000};

    fx.s = fx_socket();
    assert_int_equal(set(SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)), -EDOM);
    tv.tv_usec = -1;
    assert_int_equal(set(SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)), -EDOM);
}

TEST(buffers_have_a_floor_and_a_ceiling)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, 1), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), 4608);
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVBUF, 1), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_RCVBUF), 2304);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDBUF, INT32_MAX), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDBUF), tun.wmem_max);
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVBUF, INT32_MAX), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_RCVBUF), tun.rmem_max);
}

TEST(the_ecn_bits_of_ip_tos_are_not_the_program_s)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_IP, IP_TOS, 0xff), 0);
    assert_int_equal(get_int(IPPROTO_IP, IP_TOS), 0xfc);
}

TEST(an_unknown_congestion_control_is_enoent)
{
    fx.s = fx_socket();
    assert_int_equal(set(IPPROTO_TCP, TCP_CONGESTION, "vegas2", 6), -ENOENT);
    assert_int_equal(set(IPPROTO_TCP, TCP_CONGESTION, "", 0), -EINVAL);
}

TEST(what_the_getters_say_of_a_fresh_socket)
{
    fx.s = fx_socket();
    assert_int_equal(get_int(SOL_SOCKET, SO_TYPE), SOCK_STREAM);
    assert_int_equal(get_int(SOL_SOCKET, SO_DOMAIN), AF_INET);
    assert_int_equal(get_int(SOL_SOCKET, SO_PROTOCOL), IPPROTO_TCP);
    assert_int_equal(get_int(SOL_SOCKET, SO_ACCEPTCONN), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_RCVBUF), 131072);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_MAXSEG), 536);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_KEEPIDLE), 7200);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_KEEPINTVL), 75);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_KEEPCNT), 9);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_SYNCNT), 6);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_LINGER2), 60);
    assert_int_equal(get_int(IPPROTO_IP, IP_TTL), 64);
    assert_int_equal(sock_listen(fx.s, 1, fx.now), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_ACCEPTCONN), 1);
}

TEST(so_error_takes_the_error)
{
    passive();
    peer(RST, 1, 0, 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), ECONNRESET);
    assert_int_equal(get_int(SOL_SOCKET, SO_ERROR), 0);
}

/* socket(7): "initialized to 1 … not changeable on Linux". */
TEST(the_send_low_water_mark_is_1)
{
    fx.s = fx_socket();
    assert_int_equal(get_int(SOL_SOCKET, SO_SNDLOWAT), 1);
    assert_int_equal(set_int(SOL_SOCKET, SO_SNDLOWAT, 2), -ENOPROTOOPT);
}

TEST(rcvlowat_has_bounds)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVLOWAT, 0), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_RCVLOWAT), 1);
    assert_int_equal(set_int(SOL_SOCKET, SO_RCVLOWAT, -1), 0);
    assert_int_equal(get_int(SOL_SOCKET, SO_RCVLOWAT), tun.rmem_max / 2);
}

TEST(the_window_clamp_is_taken_away_only_before_the_connection)
{
    fx.s = fx_socket();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_WINDOW_CLAMP, 1), 0);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_WINDOW_CLAMP), 1152);
    assert_int_equal(set_int(IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), 0);
    assert_int_equal(get_int(IPPROTO_TCP, TCP_WINDOW_CLAMP), 0);
    close_it();
    passive();
    assert_int_equal(set_int(IPPROTO_TCP, TCP_WINDOW_CLAMP, 0), -EINVAL);
}

/* ip(7): a single byte will do; -1 is the default again. */
TEST(ip_ttl_and_tos_of_one_byte)
{
    uint8_t byte = 17;

    fx.s = fx_socket();
    assert_int_equal(set(IPPROTO_IP, IP_TTL, &byte, 1), 0);
    assert_int_equal(get_int(IPPROTO_IP, IP_TTL), 17);
    assert_int_equal(set_int(IPPROTO_IP, IP_TTL, -1), 0);
    assert_int_equal(get_int(IPPROTO_IP, IP_TTL), 64);
    byte = 0x20;
    assert_int_equal(set(IPPROTO_IP, IP_TOS, &byte, 1), 0);
    assert_int_equal(get_int(IPPROTO_IP, IP_TOS), 0x20);
    assert_int_equal(set(IPPROTO_IP, IP_TOS, &byte, 0), -EINVAL);
}

/* The options that programs set most often and that this stack does not have: they are told so. */
TEST(options_of_the_manual_that_we_do_not_have)
{
    static const struct pair lacking[] = {
        {SOL_SOCKET, SO_BINDTODEVICE, 1, 0},
        {SOL_SOCKET, SO_BROADCAST, 1, 0},
        {SOL_SOCKET, SO_BUSY_POLL, 1, 0},
        {SOL_SOCKET, SO_DEBUG, 1, 0},
        {SOL_SOCKET, SO_DONTROUTE, 1, 0},
        {SOL_SOCKET, SO_INCOMING_CPU, 1, 0},
        {SOL_SOCKET, SO_MARK, 1, 0},
        {SOL_SOCKET, SO_PEEK_OFF, 1, 0},
        {SOL_SOCKET, SO_PRIORITY, 1, 0},
        {SOL_SOCKET, SO_RCVBUFFORCE, 1, 0},
        {SOL_SOCKET, SO_SNDBUFFORCE, 1, 0},
        {SOL_SOCKET, SO_TIMESTAMP, 1, 0},
        {SOL_SOCKET, SO_TIMESTAMPNS, 1, 0},
        {SOL_SOCKET, SO_ZEROCOPY, 1, 0},
        {IPPROTO_TCP, TCP_FASTOPEN, 1, 0},
        {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1, 0},
        {IPPROTO_TCP, TCP_MD5SIG, 1, 0},
        {IPPROTO_TCP, TCP_REPAIR, 1, 0},
        {IPPROTO_TCP, TCP_THIN_DUPACK, 1, 0},
        {IPPROTO_TCP, TCP_ULP, 1, 0},
        {IPPROTO_IP, IP_FREEBIND, 1, 0},
        {IPPROTO_IP, IP_OPTIONS, 1, 0},
        {IPPROTO_IP, IP_RECVERR, 1, 0},
        {IPPROTO_IP, IP_RECVTOS, 1, 0},
        {IPPROTO_IP, IP_TRANSPARENT, 1, 0},
        {IPPROTO_IPV6, IPV6_TCLASS, 1, 0},
        {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 1, 0},
    };

    fx.s = fx_socket();
    for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++) {
        int v = 0;
        size_t len = sizeof(v);

        assert_int_equal(set_int(lacking[i].level, lacking[i].name, lacking[i].in), -ENOPROTOOPT);
        assert_int_equal(get(lacking[i].level, lacking[i].name, &v, &len),
                         is_level(lacking[i].level) ? -ENOPROTOOPT : -EOPNOTSUPP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_option_that_can_be_set_comes_back),
        T(what_can_only_be_read_cannot_be_set),
        T(every_other_number_is_enoprotoopt),
        T(a_value_that_is_too_short_is_einval),
        T(getsockopt_writes_no_more_than_there_is_room),
        T(values_out_of_range_are_einval),
        T(a_time_out_with_a_wild_microsecond_is_edom),
        T(buffers_have_a_floor_and_a_ceiling),
        T(the_ecn_bits_of_ip_tos_are_not_the_program_s),
        T(an_unknown_congestion_control_is_enoent),
        T(what_the_getters_say_of_a_fresh_socket),
        T(so_error_takes_the_error),
        T(the_send_low_water_mark_is_1),
        T(rcvlowat_has_bounds),
        T(the_window_clamp_is_taken_away_only_before_the_connection),
        T(ip_ttl_and_tos_of_one_byte),
        T(options_of_the_manual_that_we_do_not_have),
    };

    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
