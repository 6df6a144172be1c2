/* SPDX-License-Identifier: MIT */
/* What the peer is told of data out of order (RFC 2018 §4) and of what came twice (RFC 2883 §4). */
#include "tests/unit/tcp/fixture.h"

static void connected(bool ts)
{
    fx.c->sack = true;
    fx.c->ts = ts;
    tun.comp_sack_nr = 0; /* each segment its own ACK */
    passive();
}

/* The peer sends [seq, seq + len); the answer acknowledges `ack` and has these blocks (NULL: any).
 */
static void arrives(uint32_t seq, uint32_t len, uint32_t ack, const char *blocks)
{
    const struct fx_seg *g;

    peer(ACK, seq, 1, len);
    g = expect(ACK, 1, ack, 0);
    if (blocks)
        assert_blocks(g, blocks);
    expect_none();
}

TEST(the_newest_range_is_first_and_the_fifth_falls_off)
{
    connected(false);
    arrives(101, 10, 1, "101:111");
    arrives(301, 10, 1, "301:311 101:111");
    arrives(501, 10, 1, "501:511 301:311 101:111");
    arrives(701, 10, 1, "701:711 501:511 301:311 101:111");
    arrives(901, 10, 1, "901:911 701:711 501:511 301:311");
    arrives(311, 10, 1, "301:321 901:911 701:711 501:511");
    /* what was forgotten is told again, as a whole, when it is extended */
    arrives(111, 10, 1, "101:121 301:321 901:911 701:711");
}

TEST(a_range_that_joins_others_takes_their_place)
{
    connected(false);
    arrives(101, 10, 1, "101:111");
    arrives(121, 10, 1, "121:131 101:111");
    arrives(141, 10, 1, "141:151 121:131 101:111");
    arrives(111, 10, 1, "101:131 141:151");
    arrives(105, 40, 1, "105:131 101:151");
}

TEST(what_the_ack_covers_vanishes)
{
    connected(false);
    arrives(101, 10, 1, "101:111");
    arrives(201, 10, 1, "201:211 101:111");
    arrives(1, 100, 111, "201:211");
    arrives(111, 90, 211, "");
    assert_int_equal(tp->rcv_sack.n, 0);
}

TEST(three_blocks_beside_timestamps)
{
    connected(true);
    for (unsigned i = 1; i <= 3; i++)
        arrives(200 * i + 1, 10, 1, NULL);
    peer(ACK, 801, 1, 10);
    assert_blocks(expect(ACK, 1, 1, 0), "801:811 601:611 401:411");
}

TEST(sequence_numbers_may_wrap_inside_a_block)
{
    fx.c->irs = UINT32_MAX - 150;
    connected(false);
    arrives(101, 100, 1, "101:201");
    arrives(201, 10, 1, "101:211");
    arrives(301, 10, 1, "301:311 101:211");
}

TEST(a_fin_behind_a_hole_is_part_of_its_block)
{
    connected(false);
    peer(FIN | ACK, 201, 1, 0);
    assert_blocks(expect(ACK, 1, 1, 0), "201:202");
    arrives(101, 100, 1, "101:202");
    arrives(1, 100, 202, "");
    assert_state(CLOSE_WAIT);
}

TEST(without_permission_there_is_nothing_to_tell)
{
    passive();
    peer(ACK, 101, 1, 10);
    assert_int_equal(expect(ACK, 1, 1, 0)->n_sack, 0);
    peer(ACK, 101, 1, 10);
    assert_int_equal(expect(ACK, 1, 1, 0)->n_sack, 0);
    assert_int_equal(tp->rcv_sack.n, 0);
    assert_false(tp->sack_ok);
}

TEST(a_duplicate_is_told_once)
{
    connected(false);
    arrives(1, 100, 101, "");
    arrives(1, 100, 101, "1:101");
    assert_int_equal(cnt(tcp_out_dsack), 1);
    arrives(201, 10, 101, "201:211");
    arrives(51, 20, 101, "51:71 201:211");
    w(10);
    assert_blocks(expect(PSH | ACK, 1, 101, 10), "201:211");
}

TEST(duplicates_in_one_batch_are_told_each)
{
    connected(false);
    arrives(1, 300, 301, "");
    peer(ACK, 1, 1, 100, .later = true);
    peer(ACK, 101, 1, 100, .later = true);
    peer(ACK, 301, 1, 100, .later = true);
    run();
    assert_blocks(expect(ACK, 1, 301, 0), "1:101");
    assert_blocks(expect(ACK, 1, 301, 0), "101:201");
    assert_blocks(expect(ACK, 1, 401, 0), "");
    expect_none();
}

TEST(duplicates_have_exact_edges)
{
    connected(false);
    arrives(1, 100, 101, "");
    arrives(51, 100, 151, "51:101");
    arrives(201, 100, 151, "201:301");
    arrives(251, 100, 151, "251:301 201:351");
    arrives(191, 20, 151, "201:211 191:351");
    arrives(221, 20, 151, "221:241 191:351");
    arrives(401, 10, 151, "401:411 191:351");
    /* over both: the first is told (RFC 2883 §4.2.3 leaves it at one) */
    arrives(301, 200, 151, "301:351 191:501");
    arrives(151, 50, 501, "191:201");
}

TEST(duplicates_outside_the_window_are_told)
{
    connected(false);
    arrives(1, 100, 101, "");
    arrives(101, 100, 201, "");
    arrives(1, 100, 201, "1:101");
    arrives(201, 100, 301, "");
    arrives(51, 100, 301, "51:151");
}

TEST(duplicates_with_an_old_stamp_are_told)
{
    connected(true);
    peer(ACK, 1, 1, 100);
    clear();
    peer(ACK, 1, 1, 100, .tsval = peer_tsval() - 100);
    assert_blocks(expect(ACK, 1, 101, 0), "1:101");
    peer(ACK, 101, 1, 100, .tsval = peer_tsval() - 100);
    assert_blocks(expect(ACK, 1, 101, 0), "");
}

TEST(without_the_tunable_no_duplicate_is_told)
{
    tun.dsack = 0;
    connected(false);
    arrives(1, 100, 101, "");
    arrives(1, 100, 101, "");
}

TEST(a_burst_does_not_repeat_a_duplicate)
{
    connected(false);
    arrives(1, 100, 101, "");
    fx.device_room = 0; /* the answer has to wait … */
    peer(ACK, 1, 1, 100);
    fx.device_room = -1;
    w(4000); /* … until a burst overtakes it */
    advance(1 * MS);
    assert_blocks(expect(ACK, 1, 101, 0), "1:101");
    for (unsigned i = fx.next; i < fx.n_segs; i++)
        assert_int_equal(fx.segs[i].n_sack, 0);
    assert_int_equal(take_bytes(), 4000);
}

TEST(full_segments_leave_room_for_the_blocks)
{
    uint32_t goal;

    connected(true);
    assert_int_equal(tcp_current_mss(tp), 1448);
    arrives(101, 10, 1, "101:111");
    assert_int_equal(tcp_current_mss(tp), 1436);
    arrives(301, 10, 1, "301:311 101:111");
    assert_int_equal(tcp_send_mss(tp, &goal), 1428);
    assert_int_equal(goal % 1428, 0);
    w(5000);
    for (unsigned i = fx.next; i < fx.n_segs; i++) {
        assert_int_equal(fx.segs[i].opt_len, 32);
        assert_true((fx.segs[i].gso ? fx.segs[i].gso_size : fx.segs[i].len) + 32u <= 1460);
    }
    assert_int_equal(take_bytes(), 5000);
}

TEST(the_handshake_we_begin_offers_sack_and_the_answer_decides)
{
    struct sock_info info;

    fx.c->sack = true;
    active();
    assert_true(fx.segs[0].sack_ok);
    assert_true(tp->sack_ok);
    sock_get_info(fx.s, &info, fx.now);
    assert_true(info.tcp.options & TCPI_OPT_SACK);
    peer(ACK, 101, 1, 10);
    assert_blocks(expect(ACK, 1, 1, 0), "101:111");
}

TEST(under_memory_pressure_the_highest_goes_first)
{
    listening(1);
    assert_int_equal(
        sock_setsockopt(fx.lst, SOL_SOCKET, SO_RCVBUF, &(int){200000}, sizeof(int), fx.now), 0);
    connected(false);
    peer(ACK, 20001, 1, 40000);
    peer(ACK, 2001, 1, 1000);
    assert_int_equal(tp->n_ooo, 2);
    clear();
    fx.fail_all = true;
    /* a segment that needs more storage: what lies below it stays */
    peer(ACK, 10001, 1, 64000);
    fx.fail_all = false;
    assert_int_equal(tp->ooo_bytes, 1000);
    assert_int_equal(tp->rcv_sack.n, 0);
    assert_int_equal(cnt(tcp_in_ooo_pruned), 40000);
    assert_blocks(expect(ACK, 1, 1, 0), "");
    /* what is left is told when it grows */
    arrives(3001, 10, 1, "2001:3011");
}

TEST(under_memory_pressure_only_what_lies_above_the_newest_goes)
{
    listening(1);
    assert_int_equal(
        sock_setsockopt(fx.lst, SOL_SOCKET, SO_RCVBUF, &(int){200000}, sizeof(int), fx.now), 0);
    connected(false);
    peer(ACK, 20001, 1, 40000);
    clear();
    fx.fail_all = true;
    peer(ACK, 50001, 1, 64000);
    fx.fail_all = false;
    assert_int_equal(tp->ooo_bytes, 30000);
    assert_int_equal(cnt(tcp_in_ooo_pruned), 10000);
    assert_blocks(expect(ACK, 1, 1, 0), "");
    arrives(50001, 10, 1, "20001:50011");
}

TEST(a_reset_at_the_end_of_the_highest_block_is_exact)
{
    connected(false);
    arrives(101, 10, 1, "101:111");
    arrives(301, 10, 1, "301:311 101:111");
    arrives(201, 10, 1, "201:211 301:311 101:111");
    peer(RST, 211, 0, 0);
    assert_state(ESTABLISHED);
    peer(RST, 311, 0, 0);
    assert_state(CLOSED);
}

TEST(the_window_opens_for_what_is_held_too)
{
    uint32_t before;

    connected(false);
    assert_int_equal(set_int(SOL_SOCKET, SO_KEEPALIVE, 0), 0);
    tp->rcv_ssthresh = 20000;
    before = tp->rcvbuf;
    peer(ACK, 30001, 1, 1000);
    assert_true(tp->rcv_ssthresh >= 22000);
    assert_int_equal(tp->rcvbuf, before);
    peer(ACK, 60001, 1, 1000);
    assert_true(tp->rcvbuf > before); /* twice what is read, and the span of what is held */
    assert_int_equal(tp->rcvbuf, 2 * (2 * tp->drs.space + 61000));
    clear();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_newest_range_is_first_and_the_fifth_falls_off),
        T(a_range_that_joins_others_takes_their_place),
        T(what_the_ack_covers_vanishes),
        T(three_blocks_beside_timestamps),
        T(sequence_numbers_may_wrap_inside_a_block),
        T(a_fin_behind_a_hole_is_part_of_its_block),
        T(without_permission_there_is_nothing_to_tell),
        T(a_duplicate_is_told_once),
        T(duplicates_in_one_batch_are_told_each),
        T(duplicates_have_exact_edges),
        T(duplicates_outside_the_window_are_told),
        T(duplicates_with_an_old_stamp_are_told),
        T(without_the_tunable_no_duplicate_is_told),
        T(a_burst_does_not_repeat_a_duplicate),
        T(full_segments_leave_room_for_the_blocks),
        T(the_handshake_we_begin_offers_sack_and_the_answer_decides),
        T(under_memory_pressure_the_highest_goes_first),
        T(under_memory_pressure_only_what_lies_above_the_newest_goes),
        T(a_reset_at_the_end_of_the_highest_block_is_exact),
        T(the_window_opens_for_what_is_held_too),
    };

    return cmocka_run_group_tests_name("sack_blocks", tests, NULL, NULL);
}
