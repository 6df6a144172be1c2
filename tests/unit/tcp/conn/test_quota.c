/* SPDX-License-Identifier: MIT */
/* Memory by owner: what is charged, what happens when it is used up, and that others do not notice.
 */
#include "tests/unit/tcp/fixture.h"

#define QUOTA (1u << 20)
#define MINE  7u
#define HIS   8u

static uint64_t used(uint32_t owner)
{
    struct hash_node *n = hash_first(&fx.st->tcp.accounts, owner);

    return n ? container_of(n, struct account, node)->used : 0;
}

static int join(struct sock *s, uint32_t owner)
{
    return sock_set_quota(s, owner, QUOTA);
}

/* An established connection of this owner, the peer's n-th. */
static struct sock *connection(unsigned n, uint32_t owner)
{
    fx.s = fx_socket();
    assert_int_equal(join(fx.s, owner), 0);
    peer_use(n);
    active();
    return fx.s;
}

static void use(struct sock *s, unsigned n)
{
    fx.s = s;
    peer_use(n);
}

/* Write until no more is taken; the peer acknowledges nothing. */
static size_t fill(void)
{
    size_t sum = 0;
    ssize_t n;

    tp->sndbuf = 8 << 20;
    while ((n = w(10000)) > 0)
        sum += (size_t)n;
    assert_int_equal(n, -EAGAIN);
    clear();
    return sum;
}

static int new_socket_of(uint32_t owner)
{
    struct sock *s;
    int rc;

    assert_int_equal(sock_create(fx.st, false, &s), 0);
    rc = join(s, owner);
    sock_close(s, fx.now);
    return rc;
}

TEST(a_life_is_charged_and_nothing_is_left)
{
    uint64_t idle;

    connection(0, MINE);
    idle = used(MINE);
    assert_true(idle >= sizeof(struct tcb) + sizeof(struct sock) && idle < 2048);
    w(3000);
    assert_true(used(MINE) >= idle + 4096);
    peer(ACK, 1001, 3001, 1000);
    peer(ACK, 1, 3001, 1000);
    assert_true(used(MINE) >= idle + 4096);
    r(2000);
    assert_int_equal(fx.st->tcp.common.used, 0);
    assert_null(stack_check(fx.st));
    close_it();
    assert_true(used(MINE) > 0); /* an orphan is still its owner's */
    peer(ACK, 2001, 3002, 0);
    peer(FIN | ACK, 2001, 3002, 0);
    assert_int_equal(hash_count(&fx.st->tcp.accounts), 0);
}

TEST(who_has_used_up_his_memory_makes_no_more_sockets)
{
    struct ip_endpoint e = fx_peer_endpoint();
    struct sock *more[4096], *before = fx_socket();
    unsigned n = 0;

    assert_int_equal(join(before, MINE), 0);
    connection(0, MINE);
    assert_in_range(fill(), QUOTA / 4, QUOTA / 4 * 3);
    while (new_socket_of(MINE) == 0) {
        more[n] = fx_socket();
        assert_int_equal(join(more[n++], MINE), 0);
    }
    assert_int_equal(new_socket_of(MINE), -ENOBUFS);
    assert_int_equal(sock_connect(before, &e, fx.now), -ENOBUFS);
    assert_int_equal(new_socket_of(HIS), 0);
    assert_true(used(MINE) <= QUOTA / 4 * 3);
    assert_true(cnt(quota_refused) > 0);
    while (n)
        close_sock(&more[--n]);
    close_sock(&before);
    assert_null(stack_check(fx.st));
}

TEST(a_listener_of_his_takes_nobody_until_there_is_room)
{
    struct sock *full = connection(0, MINE);
    struct account *a = tcp_account(full->tcb);

    listening(4);
    assert_int_equal(join(fx.lst, MINE), 0);
    a->limit = a->used;
    peer_use(1);
    peer_connects();
    assert_int_equal(accept_one(), -EAGAIN);
    assert_int_equal(cnt(tcp_passive_opens), 0);
    a->limit = QUOTA;
    peer(PSH | ACK, 1, 1, 10);
    assert_int_equal(accept_one(), 0);
    assert_ptr_equal(tcp_account(tp), a);
    assert_int_equal(r(10), 10);
    close_sock(&full);
}

TEST(what_was_taken_to_be_sent_is_sent)
{
    size_t n, acked = 0;

    connection(0, MINE);
    n = fill();
    for (unsigned turns = 0; acked < n; turns++) {
        acked = tp->snd_nxt - tp->iss - 1;
        peer(ACK, 1, (uint32_t)acked + 1, 0);
        assert_true(turns < 10000);
    }
    assert_int_equal(acked, n);
    assert_true(used(MINE) < 2048 + 2 * sizeof(struct segment));
    assert_int_equal(new_socket_of(MINE), 0);
}

/* Far into the stream as at its beginning: what the send buffer grows by is counted from its tail.
 */
TEST(an_old_connection_may_have_as_much_as_a_new_one)
{
    size_t at_first, later;

    connection(0, MINE);
    at_first = fill();
    while (tp->snd_una != tp->write_seq)
        peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
    for (unsigned i = 0; i < 8; i++) {
        later = fill();
        assert_in_range(later, at_first * 3 / 4, at_first * 5 / 4);
        while (tp->snd_una != tp->write_seq)
            peer(ACK, 1, tp->snd_nxt - tp->iss, 0);
        clear();
    }
}

TEST(what_was_promised_is_received)
{
    struct sock *full = connection(0, MINE), *other = connection(1, MINE);
    uint32_t window, at = 1;

    use(full, 0);
    fill();
    use(other, 1);
    window = tcp_receive_window(tp);
    assert_true(window >= 40000);
    for (; at + 1000 <= window; at += 1000)
        peer(ACK, at, 1, 1000);
    assert_int_equal(tp->rcv_nxt - tp->irs, at);
    assert_int_equal(cnt(tcp_in_no_memory), 0);
    while (r(10000) > 0)
        ;
    assert_int_equal(fx.c->read, at - 1);
    close_sock(&full);
}

TEST(each_connection_can_go_on)
{
    struct sock *full = connection(0, MINE), *other = connection(1, MINE);
    struct account *a = tcp_account(full->tcb);

    /* not only what is to be sent: all of it */
    use(full, 0);
    fill();
    a->limit = a->used;
    use(other, 1);
    assert_int_equal(w(5000), 4096);
    assert_int_equal(take_bytes(), 4096);
    peer(ACK, 1, 4097, 1000);
    peer(ACK, 1001, 4097, 7000);
    assert_int_equal(tp->rcv_nxt - tp->irs, 4097);
    assert_int_equal(r(8000), 4096);
    assert_int_equal(w(1), 1);
    close_sock(&full);
}

TEST(his_windows_stop_growing_and_mine_do_not)
{
    struct sock *full = connection(0, MINE), *his = connection(1, MINE), *mine = connection(2, HIS);
    uint32_t before = his->tcb->rcv_ssthresh;

    his->tcb->rcvbuf = mine->tcb->rcvbuf = 1 << 20;
    his->tcb->window_clamp = mine->tcb->window_clamp = 1 << 19;
    use(full, 0);
    fill();
    for (uint32_t at = 1; at < 30000; at += 1448) {
        use(his, 1);
        peer(ACK, at, 1, 1448);
        use(mine, 2);
        peer(ACK, at, 1, 1448);
    }
    assert_int_equal(his->tcb->rcv_ssthresh, before);
    assert_true(mine->tcb->rcv_ssthresh > before);
    close_sock(&full);
    close_sock(&his);
}

TEST(a_lower_limit_takes_nothing_away)
{
    size_t n;

    connection(0, MINE);
    n = fill();
    assert_int_equal(sock_set_quota(fx.s, MINE, 4096), 0);
    assert_int_equal(tcp_wmem_queued(tp), n);
    assert_int_equal(new_socket_of(MINE), 0); /* its limit is the newest */
    assert_int_equal(sock_set_quota(fx.s, MINE, 0), 0);
    assert_int_equal(used(MINE), 0);
    assert_true(fx.st->tcp.common.used > n);
    assert_null(stack_check(fx.st));
}

TEST(other_rules_hold_also_for_who_is_above_them)
{
    struct sock *s = connection(0, MINE);
    uint64_t before;
    size_t n;

    assert_int_equal(sock_change_quota(s, MINE, 0), 0); /* no limit any more */
    n = fill();
    before = fx.st->tcp.common.used;
    assert_true(n > QUOTA);
    assert_int_equal(sock_set_quota(s, MINE, QUOTA), -ENOBUFS);
    assert_int_equal(sock_change_quota(s, MINE, QUOTA), 0);
    assert_int_equal(used(MINE), before);
    assert_int_equal(tcp_wmem_queued(tp), n);
    assert_int_equal(new_socket_of(MINE), -ENOBUFS);
    assert_int_equal(w(10000), -EAGAIN);
    assert_int_equal(sock_change_quota(s, MINE, 0), 0);
    assert_int_equal(used(MINE), 0);
    assert_null(stack_check(fx.st));
}

TEST(a_dead_socket_that_is_only_asked_costs_its_owner_nothing)
{
    connection(0, MINE);
    peer(RST, 1, 0, 0);
    sock_retire(fx.s);
    assert_int_equal(used(MINE), 0);
    assert_null(stack_check(fx.st));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_life_is_charged_and_nothing_is_left),
        T(who_has_used_up_his_memory_makes_no_more_sockets),
        T(a_listener_of_his_takes_nobody_until_there_is_room),
        T(what_was_taken_to_be_sent_is_sent),
        T(what_was_promised_is_received),
        T(each_connection_can_go_on),
        T(his_windows_stop_growing_and_mine_do_not),
        T(a_lower_limit_takes_nothing_away),
        T(other_rules_hold_also_for_who_is_above_them),
        T(a_dead_socket_that_is_only_asked_costs_its_owner_nothing),
        T(an_old_connection_may_have_as_much_as_a_new_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
