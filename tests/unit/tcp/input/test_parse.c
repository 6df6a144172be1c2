/* SPDX-License-Identifier: MIT */
/* From bytes to a checked segment (RFC 9293 §3.1; hostile.md 1, 3 to 6). */
#include "tests/unit/tcp/fixture.h"

static void syn_with(const void *opt, uint8_t len)
{
    fx.c->our_port = FX_PORT;
    peer(SYN, 0, 0, 0, .opt = opt, .opt_len = len);
}

TEST(must_03_a_wrong_checksum_is_dropped_in_silence)
{
    passive();
    peer(PSH | ACK, 1, 1, 10, .bad_csum = true);
    peer(RST, 1, 0, 0, .bad_csum = true);
    expect_none();
    assert_state(ESTABLISHED);
    assert_int_equal(cnt(tcp_in_bad_checksum), 2);
    assert_int_equal(r(10), -EAGAIN);
}

TEST(hostile_03_the_data_offset)
{
    passive();
    for (int doff = 1; doff < 5; doff++)
        peer(PSH | ACK, 1, 1, 10, .doff = doff);
    peer(PSH | ACK, 1, 1, 0, .doff = 15);
    assert_int_equal(cnt(tcp_in_bad_header), 5);
    expect_none();
    assert_state(ESTABLISHED);
}

TEST(hostile_01_a_header_cut_at_every_byte)
{
    uint8_t b[64] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0, 0x45};
    uint64_t before;

    passive();
    before = cnt(tcp_in_bad_header);
    memcpy(b + 26, "\x0a\0\0\2\x0a\0\0\1", 8);
    b[22] = 64;
    b[23] = 6;
    for (uint8_t n = 0; n < 20; n++) {
        uint32_t sum = 0;

        b[17] = (uint8_t)(20 + n);
        b[24] = b[25] = 0;
        for (int i = 14; i < 34; i += 2)
            sum += (uint32_t)(b[i] << 8 | b[i + 1]);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = ~(sum + (sum >> 16));
        b[24] = (uint8_t)(sum >> 8);
        b[25] = (uint8_t)sum;
        fx_input_bytes(b, 34u + n);
    }
    run();
    assert_int_equal(cnt(tcp_in_bad_header) - before, 20);
    expect_none();
}

TEST(must_06_unknown_options_are_skipped)
{
    static const uint8_t opt[] = {99, 5, 1, 2, 3, 2, 4, 0x02, 0xbc, 253, 2, 1};

    listening(1);
    syn_with(opt, sizeof(opt));
    expect(SYN | ACK, 0, 1, 0);
    peer(ACK, 1, 1, 0, .no_ts = true);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(tp->mss_cache, 700);
}

TEST(hostile_04_illegal_option_lengths_end_the_list)
{
    static const uint8_t bad[][4] = {{99, 0, 0, 0}, {99, 1, 0, 0}, {99, 5, 0, 0}, {1, 1, 1, 99}};

    listening(8);
    for (unsigned i = 0; i < 4; i++) {
        peer_use(i);
        syn_with(bad[i], 4);
        expect(SYN | ACK, 0, 1, 0);
    }
    assert_int_equal(cnt(tcp_in_bad_option), 4);
}

TEST(hostile_04_what_came_before_the_bad_one_counts)
{
    static const uint8_t opt[8] = {2, 4, 0x02, 0xbc, 8, 99, 0, 0};

    listening(1);
    syn_with(opt, 8);
    assert_int_equal(expect(SYN | ACK, 0, 1, 0)->has_ts, false);
    peer(ACK, 1, 1, 0, .no_ts = true);
    assert_int_equal(accept_one(), 0);
    assert_int_equal(tp->mss_cache, 700);
}

TEST(hostile_04_known_options_of_a_wrong_length_are_ignored)
{
    static const uint8_t opt[] = {2, 3, 5, 8, 8, 0, 0, 0, 0, 0, 0, 3, 4, 1, 1, 1};

    listening(1);
    syn_with(opt, sizeof(opt));
    assert_int_equal(expect(SYN | ACK, 0, 1, 0)->opt_len, 4);
}

TEST(nothing_behind_the_end_of_the_list_counts)
{
    static const uint8_t opt[8] = {0, 2, 4, 2, 0xbc, 3, 3, 7};

    listening(1);
    syn_with(opt, 8);
    assert_int_equal(expect(SYN | ACK, 0, 1, 0)->wscale, -1);
}

TEST(syn_options_on_other_segments_are_ignored)
{
    static const uint8_t opt[8] = {2, 4, 0, 48, 3, 3, 14, 1};

    fx.c->ts = false;
    passive();
    peer(PSH | ACK, 1, 1, 10, .opt = opt, .opt_len = 8);
    assert_int_equal(tp->mss_cache, 1460);
    assert_int_equal(tp->snd_wscale, 7);
    assert_int_equal(r(10), 10);
}

TEST(must_05_options_are_parsed_on_any_segment)
{
    passive();
    advance(SEC);
    peer(FIN | ACK, 1, 1, 0);
    assert_int_equal(take()->tsecr, peer_tsval());
}

TEST(every_single_byte_of_options_may_be_random)
{
    uint8_t opt[40];
    uint32_t x = 1;

    listening(100);
    for (int i = 0; i < 5000; i++) {
        uint8_t len = (uint8_t)((i % 11) * 4);

        for (int k = 0; k < 40; k++) {
            x = x * 1664525u + 1013904223u;
            opt[k] = (uint8_t)((x >> 24) % (i % 3 ? 10 : 256));
        }
        peer_use((unsigned)i % FX_CONNS);
        syn_with(opt, len);
        advance(3 * SEC);
        fx.c->iss += 1;
        peer(RST, 1, 0, 0, .opt = opt, .opt_len = len);
        clear();
        if (fx.n_segs > FX_SEGS - 1000)
            break;
    }
    assert_int_equal(cnt(tcp_in_bad_header), 0);
    assert_true(cnt(tcp_in_bad_option) > 100);
}

/* A segment with these options, as the input path parses it. */
static struct tcp_seg parsed(uint8_t flags, const void *opt, uint8_t len)
{
    static uint8_t b[60];
    struct packet p = {.proto = 6, .csum = FRAME_CSUM_VALID, .payload = b, .len = 20u + len};
    struct tcp_seg seg;

    p.src = fx_endpoint("10.0.0.2", 0).addr;
    p.dst = fx_endpoint("10.0.0.1", 0).addr;
    memset(b, 0, sizeof(b));
    b[12] = (uint8_t)((20 + len) / 4 << 4);
    b[13] = flags;
    memcpy(b + 20, opt, len);
    assert_int_equal(tcp_parse(fx.st, &p, &seg), 0);
    return seg;
}

TEST(hostile_04_sack_blocks_are_read_whole_or_not_at_all)
{
    static const uint8_t two[] = {1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4};
    static const uint8_t odd[] = {5, 14, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 1, 1};
    struct tcp_seg seg = parsed(ACK, two, sizeof(two));

    assert_int_equal(seg.opt.n_sack, 2);
    assert_int_equal(seg.opt.sack[0].start, 1);
    assert_int_equal(seg.opt.sack[0].end, 2);
    assert_int_equal(seg.opt.sack[1].start, 3);
    assert_int_equal(seg.opt.sack[1].end, 4);
    seg = parsed(ACK, odd, sizeof(odd));
    assert_int_equal(seg.opt.n_sack, 0);
}

TEST(hostile_04_an_mss_counts_on_a_syn_with_its_own_length_only)
{
    static const uint8_t good[] = {2, 4, 5, 180}, longer[] = {2, 5, 5, 180, 1, 1, 1, 0},
                         zero[] = {2, 4, 0, 0};

    assert_int_equal(parsed(SYN, good, 4).opt.mss, 1460);
    assert_false(parsed(ACK, good, 4).opt.has_mss);
    assert_false(parsed(SYN, longer, 8).opt.has_mss);
    assert_false(parsed(SYN, zero, 4).opt.has_mss);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(must_03_a_wrong_checksum_is_dropped_in_silence),
        T(hostile_03_the_data_offset),
        T(hostile_01_a_header_cut_at_every_byte),
        T(must_06_unknown_options_are_skipped),
        T(hostile_04_illegal_option_lengths_end_the_list),
        T(hostile_04_what_came_before_the_bad_one_counts),
        T(hostile_04_known_options_of_a_wrong_length_are_ignored),
        T(nothing_behind_the_end_of_the_list_counts),
        T(syn_options_on_other_segments_are_ignored),
        T(must_05_options_are_parsed_on_any_segment),
        T(every_single_byte_of_options_may_be_random),
        T(hostile_04_sack_blocks_are_read_whole_or_not_at_all),
        T(hostile_04_an_mss_counts_on_a_syn_with_its_own_length_only),
    };

    return cmocka_run_group_tests_name("parse", tests, NULL, NULL);
}
