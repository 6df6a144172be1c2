/* SPDX-License-Identifier: MIT */
/* The write queue: ranges are cut and joined, no byte moves. */
#include "tests/unit/tcp/fixture.h"

static struct segment *append(uint32_t len, uint8_t flags)
{
    struct segment *seg = wqueue_entail(tp);

    assert_non_null(seg);
    seg->end_seq += len;
    seg->flags = flags;
    tp->write_seq += len;
    wqueue_set_pcount(seg, 1448);
    return seg;
}

/* Leave no ranges behind that no byte stands for. */
static void undo(void)
{
    while (wqueue_send_head(tp))
        wqueue_unlink(tp, wqueue_send_head(tp));
    tp->write_seq = tp->snd_nxt;
}

TEST(a_fresh_segment_starts_where_the_written_stream_ends)
{
    struct segment *a, *b;

    passive();
    assert_null(wqueue_send_head(tp));
    a = append(100, 0);
    b = append(50, 0);
    assert_ptr_equal(wqueue_send_head(tp), a);
    assert_ptr_equal(wqueue_tail(tp), b);
    assert_int_equal(b->seq, a->end_seq);
    undo();
}

TEST(a_cut_leaves_the_flags_of_the_end_at_the_end)
{
    struct segment *a, *rest;

    passive();
    a = append(4000, SEG_PSH | SEG_EOR);
    assert_int_equal(a->pcount, 3);
    assert_int_equal(tso_fragment(tp, a, 1448, 1448), 0);
    rest = wqueue_tail(tp);
    assert_int_equal(seg_len(a), 1448);
    assert_int_equal(a->flags, 0);
    assert_int_equal(a->pcount, 1);
    assert_int_equal(rest->seq, a->end_seq);
    assert_int_equal(seg_len(rest), 2552);
    assert_int_equal(rest->flags, SEG_PSH | SEG_EOR);
    assert_int_equal(rest->pcount, 2);
    undo();
}

TEST(a_cut_in_flight_keeps_the_counts_right)
{
    struct segment *a;

    passive();
    assert_int_equal(w(3000), 3000);
    clear();
    assert_int_equal(tp->packets_out, 3);
    a = container_of(list_first(&tp->rtxq), struct segment, link);
    assert_int_equal(tso_fragment(tp, a, 1000, 1448), 0);
    assert_int_equal(tp->packets_out, 3);
    assert_int_equal(tso_fragment(tp, a, 500, 1448), 0);
    assert_int_equal(tp->packets_out, 4);
    assert_null(stack_check(fx.st));
    peer(ACK, 1, 3001, 0);
    assert_int_equal(tp->packets_out, 0);
}

TEST(a_cut_without_memory_changes_nothing)
{
    struct segment *a;

    passive();
    a = append(4000, SEG_PSH);
    while (tp->st->tcp.segment_pool.in_use < tp->st->tcp.segment_pool.capacity)
        append(10, 0);
    fx.fail_all = true;
    assert_int_equal(tso_fragment(tp, a, 1448, 1448), -ENOMEM);
    fx.fail_all = false;
    assert_int_equal(seg_len(a), 4000);
    assert_int_equal(a->flags, SEG_PSH);
    undo();
}

TEST(pulling_joins_neighbours_up_to_what_is_wanted)
{
    struct segment *a;

    passive();
    a = append(100, 0);
    append(200, 0);
    append(1000, SEG_PSH);
    wqueue_pull(tp, a, 700, 1448);
    assert_int_equal(seg_len(a), 700);
    assert_int_equal(seg_len(wqueue_tail(tp)), 600);
    assert_int_equal(wqueue_tail(tp)->seq, a->end_seq);
    assert_int_equal(a->flags, 0);
    wqueue_pull(tp, a, 1448, 1448);
    assert_int_equal(seg_len(a), 1300);
    assert_int_equal(a->flags, SEG_PSH);
    assert_ptr_equal(wqueue_tail(tp), a);
    undo();
}

TEST(pulling_never_crosses_an_end_of_record)
{
    struct segment *a;

    passive();
    a = append(100, SEG_EOR);
    append(200, 0);
    wqueue_pull(tp, a, 1448, 1448);
    assert_int_equal(seg_len(a), 100);
    undo();
}

TEST(packets_are_counted_in_whole_mss)
{
    struct segment s = {.seq = 0xfffffff0u};
    static const uint32_t len[] = {0, 1, 1448, 1449, 2896, 65160};
    static const uint16_t want[] = {1, 1, 1, 2, 2, 45};

    for (unsigned i = 0; i < 6; i++) {
        s.end_seq = s.seq + len[i];
        wqueue_set_pcount(&s, 1448);
        assert_int_equal(s.pcount, want[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_fresh_segment_starts_where_the_written_stream_ends),
        T(a_cut_leaves_the_flags_of_the_end_at_the_end),
        T(a_cut_in_flight_keeps_the_counts_right),
        T(a_cut_without_memory_changes_nothing),
        T(pulling_joins_neighbours_up_to_what_is_wanted),
        T(pulling_never_crosses_an_end_of_record),
        T(packets_are_counted_in_whole_mss),
    };

    return cmocka_run_group_tests_name("wqueue", tests, NULL, NULL);
}
