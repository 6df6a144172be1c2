/* SPDX-License-Identifier: MIT */
/*
 * Captures of clients: which filters are taken, what comes through the ring, what happens when it
 * is full, when its reader lies, and who may have one.
 */
#include "daemon/capture_filter.h"
#include "daemon/capture_ring.h"
#include "daemon/stats.h"
#include "ipc/capture.h"
#include "ipc/fdpass.h"
#include "tests/unit/daemon/rig.h"

#include <errno.h>
#include <fcntl.h>
#include <pcap/pcap.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- filters -----------------------------------------------------------------------------------
 */

static struct capture_filter filter;

static int take(const struct wire_filter *program, uint32_t n)
{
    return capture_filter_set(&filter, program, n);
}

#define TAKE(...)                                                                                  \
    take((const struct wire_filter[]){__VA_ARGS__},                                                \
         sizeof((const struct wire_filter[]){__VA_ARGS__}) / sizeof(struct wire_filter))
#define S(code, k)          ((struct wire_filter){code, 0, 0, k})
#define J(code, jt, jf, k)  ((struct wire_filter){code, jt, jf, k})
#define RETURN(k)           S(BPF_RET | BPF_K, k)
#define LOAD_WORD(m)        S(BPF_LD | BPF_MEM, m)
#define STORE_WORD(m)       S(BPF_ST, m)
#define IF_EQUAL(k, jt, jf) J(BPF_JMP | BPF_JEQ | BPF_K, jt, jf, k)

static void sound_filters_are_taken(void **state)
{
    (void)state;
    assert_int_equal(TAKE(RETURN(1)), 0);
    assert_int_equal(TAKE(S(BPF_LD | BPF_IMM, 1), STORE_WORD(15), LOAD_WORD(15), RETURN(1)), 0);
    /* written on both ways */
    assert_int_equal(TAKE(IF_EQUAL(1, 0, 2), STORE_WORD(0), S(BPF_JMP | BPF_JA, 1), STORE_WORD(0),
                          LOAD_WORD(0), RETURN(1)),
                     0);
    assert_int_equal(take(NULL, 0), 0);
    assert_true(capture_filter_pass(&filter, (const uint8_t *)"", 1)); /* none: everything passes */
}

static void hostile_filters_are_refused(void **state)
{
    static struct wire_filter many[WIRE_FILTER_MAX + 1];

    (void)state;
    /* for ever: a jump backward wraps around */
    assert_int_equal(TAKE(S(BPF_JMP | BPF_JA, UINT32_MAX), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(RETURN(1), S(BPF_JMP | BPF_JA, UINT32_MAX - 1), RETURN(1)), -EINVAL);
    /* out of the program */
    assert_int_equal(TAKE(S(BPF_JMP | BPF_JA, 1), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(IF_EQUAL(1, 1, 0), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(S(BPF_LD | BPF_IMM, 1)), -EINVAL);
    /* out of the memory, or what was there before */
    assert_int_equal(TAKE(STORE_WORD(16), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(LOAD_WORD(0), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(S(BPF_LDX | BPF_MEM, 3), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(IF_EQUAL(1, 0, 1), STORE_WORD(0), LOAD_WORD(0), RETURN(1)), -EINVAL);
    /* no such instruction, a division by zero, too many */
    assert_int_equal(TAKE(S(0xffff, 0), RETURN(1)), -EINVAL);
    assert_int_equal(TAKE(S(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(1)), -EINVAL);
    for (size_t i = 0; i <= WIRE_FILTER_MAX; i++)
        many[i] = RETURN(1);
    assert_int_equal(take(many, WIRE_FILTER_MAX), 0);
    assert_int_equal(take(many, WIRE_FILTER_MAX + 1), -EINVAL);
}

static uint16_t codes[256];
static unsigned n_codes;

/* Each of the 65,536 codes is refused, or libpcap's interpreter has it: no abort(3). */
static void what_is_taken_can_be_run(void **state)
{
    static const uint8_t frame[60];

    (void)state;
    for (uint32_t code = 0; code <= UINT16_MAX; code++) {
        if (TAKE(S(BPF_LD | BPF_IMM, 1), STORE_WORD(1), J((uint16_t)code, 0, 0, 1), RETURN(1),
                 RETURN(1)) < 0)
            continue;
        (void)capture_filter_pass(&filter, frame, sizeof(frame));
        assert_true(n_codes < 256);
        codes[n_codes++] = (uint16_t)code;
    }
    assert_int_equal(n_codes, 2 + 9 + 4 + 2 + 1 + 4 * 2 + 10 * 2 + 1 + 2);
}

/* Programs of these with random operands: those that are taken end, within bounds (as the
 * sanitizers see it). */
static void random_programs_end(void **state)
{
    static uint8_t frame[100];
    struct wire_filter program[12];
    unsigned taken = 0;

    (void)state;
    srand(1);
    for (int round = 0; round < 300000; round++) {
        for (unsigned i = 0; i < 12; i++) {
            unsigned r = (unsigned)rand();

            program[i] = J(codes[(unsigned)rand() % n_codes], r >> 8 & 3, r >> 10 & 3,
                           r & 0xf0000 ? r >> 20 & 15 : 0u - (r >> 20 & 255));
        }
        program[11] = RETURN(1);
        if (take(program, 12) < 0)
            continue;
        (void)capture_filter_pass(&filter, frame, (uint32_t)rand() % sizeof(frame));
        taken++;
    }
    print_message("%u programs were taken\n", taken);
    assert_true(taken > 1000);
}

static void what_libpcap_compiles_is_taken_and_chooses(void **state)
{
    static const uint8_t arp[60] = {[12] = 8, [13] = 6};
    static const char *const texts[] = {"arp",
                                        "tcp port 80",
                                        "ip6 and not icmp6",
                                        "host 10.77.0.1 and (port 80 or port 443)",
                                        "tcp[tcpflags] & tcp-syn != 0",
                                        "vlan 7 and tcp",
                                        "portrange 1-1000",
                                        "ether multicast"};
    pcap_t *p = pcap_open_dead(DLT_EN10MB, 65535);
    struct bpf_program program;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(pcap_compile(p, &program, texts[i], 1, PCAP_NETMASK_UNKNOWN), 0);
        assert_int_equal(take((const struct wire_filter *)program.bf_insns, program.bf_len), 0);
        assert_int_equal(capture_filter_pass(&filter, arp, sizeof(arp)), i == 0);
        assert_false(capture_filter_pass(&filter, arp, 13)); /* cut off: read nothing behind it */
        pcap_freecode(&program);
    }
    pcap_close(p);
}

/* --- rings -------------------------------------------------------------------------------------
 */

static struct captures captures;
static struct capture_rings rings;
static struct poller poller;

struct reader {
    int pair;
    struct capture_words *words;
    uint8_t *bytes;
    uint32_t size;
};

static int begin_all(void **state)
{
    (void)state;
    captures_init(&captures);
    assert_int_equal(poller_init(&poller), 0);
    rings = (struct capture_rings){.all = &captures, .poller = &poller};
    return 0;
}

static int end_all(void **state)
{
    (void)state;
    capture_rings_end(&rings);
    assert_false(captures_any(&captures));
    captures_destroy(&captures);
    poller_destroy(&poller);
    return 0;
}

static struct wire_capture usual(void)
{
    return (struct wire_capture){.ring = CAPTURE_RING_MIN, .direction = CAPTURE_IN | CAPTURE_OUT};
}

static void map_ring(struct reader *r, int pair)
{
    int fds[FDPASS_MAX];
    struct stat st;
    size_t n;
    char byte;

    assert_int_equal(fdpass_recv(pair, &byte, 1, fds, &n, MSG_DONTWAIT, NULL), 1);
    assert_int_equal(n, 1);
    assert_int_equal(fstat(fds[0], &st), 0);
    assert_true(ftruncate(fds[0], 0) < 0); /* nobody can pull it away under the daemon */
    r->pair = pair;
    r->words = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0);
    assert_ptr_not_equal(r->words, MAP_FAILED);
    close(fds[0]);
    assert_int_equal(r->words->magic, CAPTURE_MAGIC);
    r->size = r->words->size;
    assert_int_equal(st.st_size, CAPTURE_WORDS_SIZE + r->size);
    r->bytes = (uint8_t *)r->words + CAPTURE_WORDS_SIZE;
}

static void begin(struct reader *r, struct wire_capture want)
{
    int fd;

    assert_int_equal(capture_ring_begin(&rings, &want,
                                        WIRE_CAPTURE_HEAD + want.count * sizeof(want.filter[0]),
                                        &fd),
                     0);
    map_ring(r, fd);
}

static void finish(struct reader *r)
{
    munmap(r->words, CAPTURE_WORDS_SIZE + r->size);
    close(r->pair);
    poller_run(&poller);
    poller_bury(&poller);
}

static void pass(uint8_t first, uint32_t len, uint32_t direction)
{
    static uint8_t bytes[65536];
    struct frame f;

    memset(bytes, 0xee, len);
    bytes[0] = first;
    frame_init(&f);
    f.data = bytes;
    f.len = len;
    if (captures_any(&captures))
        captures_frame(&captures, &f, direction);
}

static struct capture_record record_at(const struct reader *r, uint64_t at)
{
    struct capture_record out;

    for (size_t i = 0; i < sizeof(out); i++)
        ((uint8_t *)&out)[i] = r->bytes[(at + i) & (r->size - 1)];
    return out;
}

static void frames_come_with_time_direction_and_length(void **state)
{
    struct wire_capture want = usual();
    struct capture_record record;
    struct reader r;

    (void)state;
    want.snaplen = 50;
    begin(&r, want);
    pass(1, 60, CAPTURE_IN);
    pass(2, 40, CAPTURE_OUT);
    assert_int_equal(r.words->matched, 2);
    assert_int_equal(r.words->head, (24 + 56) + (24 + 40));
    record = record_at(&r, 0);
    assert_int_equal(record.caplen, 50);
    assert_int_equal(record.len, 60);
    assert_int_equal(record.direction, CAPTURE_IN);
    assert_true(record.ns / 1000000000 - (uint64_t)time(NULL) + 1 <= 2);
    assert_int_equal(r.bytes[24], 1);
    record = record_at(&r, 80);
    assert_int_equal(record.caplen, 40);
    assert_int_equal(record.direction, CAPTURE_OUT);
    finish(&r);
    assert_false(captures_any(&captures));
}

static void each_capture_has_its_own_filter_and_direction(void **state)
{
    struct wire_capture in = usual(), sevens = usual();
    struct reader a, b;

    (void)state;
    in.direction = CAPTURE_IN;
    sevens.filter[0] = S(BPF_LD | BPF_B | BPF_ABS, 0);
    sevens.filter[1] = IF_EQUAL(7, 0, 1);
    sevens.filter[2] = RETURN(UINT32_MAX);
    sevens.filter[3] = RETURN(0);
    sevens.count = 4;
    begin(&a, in);
    begin(&b, sevens);
    pass(7, 60, CAPTURE_IN);
    pass(7, 60, CAPTURE_OUT);
    pass(8, 60, CAPTURE_IN);
    assert_int_equal(a.words->matched, 2);
    assert_int_equal(b.words->matched, 2);
    finish(&a);
    pass(7, 60, CAPTURE_IN);
    assert_int_equal(b.words->matched, 3);
    finish(&b);
}

/* Frames of 1000 bytes, numbered, through a small ring that is read now and then. */
static void a_full_ring_drops_and_counts(void **state)
{
    uint64_t dropped = stats_value[STAT_capture_dropped], tail = 0, got = 0;
    struct reader r;

    (void)state;
    begin(&r, usual());
    for (unsigned i = 0; i < 100; i++)
        pass((uint8_t)i, 1000, CAPTURE_IN);
    assert_int_equal(r.words->head, 64 * 1024); /* 1024 bytes each: exactly full */
    assert_int_equal(r.words->matched, 100);
    assert_int_equal(r.words->dropped, 36);
    assert_int_equal(stats_value[STAT_capture_dropped] - dropped, 36);
    for (; tail < r.words->head; tail += 1024)
        assert_int_equal(r.bytes[tail + 24], got++);
    r.words->tail = 3 * 1024 / 2; /* half of a record is no room for one: one and a half are */
    pass(200, 1000, CAPTURE_IN);
    pass(201, 1000, CAPTURE_IN);
    assert_int_equal(r.words->dropped, 37);
    assert_int_equal(r.bytes[24], 200);
    r.words->tail = r.words->head;
    for (unsigned i = 0; i < 300; i++) { /* around the end, by sizes that do not divide it */
        uint64_t at = r.words->head;

        pass((uint8_t)i, 990 + i, CAPTURE_OUT);
        assert_int_equal(record_at(&r, at).len, 990 + i);
        assert_int_equal(r.bytes[(at + 24) & (r.size - 1)], (uint8_t)i);
        assert_int_equal(r.bytes[(at + 24 + 989 + i) & (r.size - 1)], 0xee);
        r.words->tail = r.words->head;
    }
    assert_int_equal(r.words->dropped, 37);
    finish(&r);
}

static void a_reader_that_sleeps_is_woken_once_for_each_ticket(void **state)
{
    struct reader r;
    char byte;

    (void)state;
    begin(&r, usual());
    pass(1, 60, CAPTURE_IN);
    captures_round(&captures);
    assert_int_equal(recv(r.pair, &byte, 1, MSG_DONTWAIT), -1); /* it does not sleep */
    r.words->ticket = 1;
    captures_round(&captures); /* and there is nothing new */
    assert_int_equal(recv(r.pair, &byte, 1, MSG_DONTWAIT), -1);
    for (int i = 0; i < 3; i++) {
        pass(2, 60, CAPTURE_IN);
        captures_round(&captures);
    }
    assert_int_equal(recv(r.pair, &byte, 1, MSG_DONTWAIT), 1);
    assert_int_equal(recv(r.pair, &byte, 1, MSG_DONTWAIT), -1);
    finish(&r);
}

static void a_tail_that_cannot_be_true_ends_the_capture(void **state)
{
    static const uint64_t lies[] = {UINT64_MAX, 1 << 20, 0};
    uint64_t before = stats_value[STAT_capture_violations];

    (void)state;
    for (size_t i = 0; i < sizeof(lies) / sizeof(lies[0]); i++) {
        struct reader r;
        char byte;

        begin(&r, usual());
        pass(1, 60, CAPTURE_IN);
        r.words->tail = r.words->head;
        pass(1, 60, CAPTURE_IN);
        r.words->tail = lies[i]; /* ahead; or back again */
        pass(1, 60, CAPTURE_IN);
        captures_round(&captures);
        assert_false(captures_any(&captures));
        poller_bury(&poller);
        assert_int_equal(recv(r.pair, &byte, 1, MSG_DONTWAIT), 0);
        finish(&r);
    }
    assert_int_equal(stats_value[STAT_capture_violations] - before, 3);
}

static void nothing_can_be_sent_to_the_daemon(void **state)
{
    struct reader r;

    (void)state;
    begin(&r, usual());
    assert_int_equal(fdpass_send(r.pair, "x", 1, STDIN_FILENO, MSG_DONTWAIT), -EPIPE);
    finish(&r);
}

static void wishes_are_checked_and_their_number_is_bounded(void **state)
{
    struct wire_capture want = usual();
    struct reader r[CAPTURE_RINGS];
    int fd = -1;

    (void)state;
#define WRONG(change)                                                                              \
    do {                                                                                           \
        want = usual();                                                                            \
        change;                                                                                    \
        assert_int_equal(capture_ring_begin(&rings, &want, WIRE_CAPTURE_HEAD, &fd), -EINVAL);      \
    } while (0)
    WRONG(want.ring = 0);
    WRONG(want.ring = CAPTURE_RING_MIN + 1);
    WRONG(want.ring = CAPTURE_RING_MIN / 2);
    WRONG(want.ring = CAPTURE_RING_MAX * 2);
    WRONG(want.direction = 0);
    WRONG(want.direction = 4);
    WRONG(want.snaplen = CAPTURE_SNAPLEN + 1);
    WRONG(want.count = 1);          /* which did not come */
    WRONG(want.count = UINT32_MAX); /* nor these */
    for (size_t i = 0; i < CAPTURE_RINGS; i++)
        begin(&r[i], usual());
    want = usual();
    assert_int_equal(capture_ring_begin(&rings, &want, WIRE_CAPTURE_HEAD, &fd), -EBUSY);
    finish(&r[3]);
    begin(&r[3], usual());
    for (size_t i = 0; i < CAPTURE_RINGS; i++)
        finish(&r[i]);
}

/* --- by the control socket ---------------------------------------------------------------------
 */

static void who_may_capture(void **state)
{
    struct rights named = {.capture = true}, other = {.capture = false};
    struct policy p = {.own = 1000};

    (void)state;
    assert_true(policy_capture(&p, &(struct policy_owner){.uid = 0}));
    assert_true(policy_capture(&p, &(struct policy_owner){.uid = 1000}));
    assert_false(policy_capture(&p, &(struct policy_owner){.uid = 1001}));
    assert_false(policy_capture(&p, &(struct policy_owner){.uid = 1001, .rights = &other}));
    assert_true(policy_capture(&p, &(struct policy_owner){.uid = 1001, .rights = &named}));
}

static void the_control_socket_hands_a_ring_out(void **state)
{
    struct rig *rig = rig_new(0);
    struct wire_capture want = usual();
    struct rig_reply reply;
    struct reader r;

    (void)state;
    rings.poller = &rig->poller;
    rig->control.captures = &rings;
    assert_int_equal(rig_call(rig, WIRE_OP_CAPTURE, 0, -1, &want, WIRE_CAPTURE_HEAD, &reply), 0);
    map_ring(&r, reply.fd);
    pass(1, 60, CAPTURE_IN);
    assert_int_equal(r.words->matched, 1);
    want.ring = 1;
    assert_int_equal(rig_call(rig, WIRE_OP_CAPTURE, 0, -1, &want, WIRE_CAPTURE_HEAD, &reply),
                     EINVAL);
    munmap(r.words, CAPTURE_WORDS_SIZE + r.size);
    close(r.pair);
    rig_run(rig);
    assert_false(captures_any(&captures));
    rig_free(rig);
}

#define with_captures(name) cmocka_unit_test_setup_teardown(name, begin_all, end_all)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sound_filters_are_taken),
        cmocka_unit_test(hostile_filters_are_refused),
        cmocka_unit_test(what_is_taken_can_be_run),
        cmocka_unit_test(random_programs_end),
        cmocka_unit_test(what_libpcap_compiles_is_taken_and_chooses),
        with_captures(frames_come_with_time_direction_and_length),
        with_captures(each_capture_has_its_own_filter_and_direction),
        with_captures(a_full_ring_drops_and_counts),
        with_captures(a_reader_that_sleeps_is_woken_once_for_each_ticket),
        with_captures(a_tail_that_cannot_be_true_ends_the_capture),
        with_captures(nothing_can_be_sent_to_the_daemon),
        with_captures(wishes_are_checked_and_their_number_is_bounded),
        cmocka_unit_test(who_may_capture),
        with_captures(the_control_socket_hands_a_ring_out),
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
