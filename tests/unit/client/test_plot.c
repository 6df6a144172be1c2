/* SPDX-License-Identifier: MIT */
/* A plot's data, from made traces and captures, and the picture's parts. */
#include "client/cli/plot.h"
#include "client/cli/svg.h"
#include "tests/unit/client/made_trace.h"

#include <math.h>
#include <pcap/pcap.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define near(a, b) assert_true(fabs((a) - (b)) < 1e-6)

static struct plot_flow flow;

static int setup(void **state)
{
    (void)state;
    plot_flow_init(&flow);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    plot_flow_free(&flow);
    return 0;
}

/* --- flows -------------------------------------------------------------------------------------
 */

static void flight_and_round_trip_follow_from_data_and_acknowledgements(void **state)
{
    (void)state;
    plot_flow_base(&flow, 1000);
    plot_flow_data(&flow, 0.00, 1000, 100, false);
    plot_flow_data(&flow, 0.01, 1100, 100, false);
    plot_flow_ack(&flow, 0.05, 1200, 5000);
    assert_int_equal(flow.bytes, 200);
    assert_int_equal(flow.high, 200);
    assert_int_equal(flow.flight.n, 3);
    near(flow.flight.at[1].y, 200);
    near(flow.flight.at[2].y, 0);
    assert_int_equal(flow.rtt.n, 1);
    near(flow.rtt.at[0].y, 40); /* of the newest that it acknowledges */
    near(flow.edge.at[0].y, 5200);
}

static void what_was_sent_before_is_a_retransmission_and_tells_no_round_trip(void **state)
{
    (void)state;
    plot_flow_data(&flow, 0.0, 0, 100, false);
    plot_flow_data(&flow, 0.1, 0, 100, false);
    plot_flow_ack(&flow, 0.2, 100, -1);
    assert_false(flow.data.at[0].again);
    assert_true(flow.data.at[1].again);
    assert_int_equal(flow.bytes_again, 100);
    assert_int_equal(flow.rtt.n, 0);
    assert_int_equal(flow.edge.n, 0);
}

static void sequence_numbers_may_wrap(void **state)
{
    (void)state;
    plot_flow_base(&flow, 0xffffff00u);
    for (unsigned i = 0; i < 10; i++)
        plot_flow_data(&flow, i, 0xffffff00u + 100 * i, 100, false);
    plot_flow_sack(&flow, 10, 0xffffff00u + 500, 0xffffff00u + 700);
    plot_flow_ack(&flow, 11, 0xffffff00u + 1000, 0);
    assert_int_equal(flow.high, 1000);
    assert_int_equal(flow.una, 1000);
    assert_int_equal(flow.sacked.at[0].from, 500);
    assert_int_equal(flow.sacked.at[0].to, 700);
}

static void throughput_is_what_was_acknowledged(void **state)
{
    double bins[4];

    (void)state;
    plot_flow_data(&flow, 0.0, 0, 4000, false);
    plot_flow_ack(&flow, 0.1, 0, -1);
    plot_flow_ack(&flow, 0.3, 1000, -1);
    plot_flow_ack(&flow, 1.0, 4000, -1);
    plot_flow_throughput(&flow, 1.0, bins, 4);
    near(bins[0], 0);
    near(bins[1], 8 * 1000 * 4);
    near(bins[2], 0);
    near(bins[3], 8 * 3000 * 4);
}

/* --- traces ------------------------------------------------------------------------------------
 */

static void a_trace_gives_windows_round_trip_and_retransmissions(void **state)
{
    struct made_trace *made = made_trace_new();
    struct plot_trace *p = calloc(1, sizeof(*p));
    struct tracefile_slot s;
    struct traceview v;

    (void)state;
    assert_non_null(p);
    assert_int_equal(traceview_over(&v, made, sizeof(*made)), 0);
    MADE(made, 500, MADE_SENT, 1, 1, 1); /* before it begins: not known whose */
    MADE(made, 1000, MADE_BEGIN, 0, 1000, 5000, 1001, 0, 0, 1, 1000);
    MADE(made, 2000, MADE_SENT, 1, 1001, 2000, 2, 0x18, 5001, 65535, 0);
    MADE(made, 3000, MADE_SENT, 2, 1001, 1000, 1, 0x18, 5001, 65535, 1);
    MADE(made, 4000, MADE_SACK, 0, 2001, 3001);
    MADE(made, 5000, MADE_ACK, 0, 3001, 2000, 10, 0x7fffffff, 0, 20000, 30000);
    while (traceview_next(&v, &s))
        plot_trace_event(p, &v, &s);
    assert_int_equal(p->out.bytes, 3000);
    assert_int_equal(p->out.bytes_again, 1000);
    assert_true(p->out.data.at[1].again);
    near(p->out.data.at[0].t, 0.001);
    near(p->out.cwnd.at[0].y, 10000);
    near(p->out.rtt.at[0].y, 20);
    near(p->out.flight.at[0].y, 2000);
    near(p->out.edge.at[0].y, 32000);
    assert_int_equal(p->out.sacked.at[0].from, 1000);
    assert_int_equal(p->in.bytes, 0);
    plot_flow_free(&p->out);
    plot_flow_free(&p->in);
    free(p);
    free(v.events);
    free(v.reasons);
    free(made);
}

/* --- captures ----------------------------------------------------------------------------------
 */

struct segment {
    double t;
    bool back;
    uint8_t flags;
    uint32_t seq, ack, len;
    uint16_t window, port;
    uint8_t options[12], n_options; /* in words of four bytes */
};

static void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v);
}

static void dump(pcap_dumper_t *d, const struct segment *s)
{
    uint8_t f[14 + 20 + 20 + 12] = {0};
    uint32_t header = 20 + 4u * s->n_options, have = 14 + 20 + header;
    uint8_t *ip = f + 14, *tcp = ip + 20;
    struct pcap_pkthdr h = {.caplen = have, .len = have + s->len};

    h.ts.tv_sec = (time_t)s->t;
    h.ts.tv_usec = (suseconds_t)((s->t - (double)h.ts.tv_sec) * 1e6 + 0.5);
    put16(f + 12, 0x0800);
    ip[0] = 0x45;
    put16(ip + 2, 20 + header + s->len);
    ip[9] = 6;
    put32(ip + 12, s->back ? 0x0a000002 : 0x0a000001);
    put32(ip + 16, s->back ? 0x0a000001 : 0x0a000002);
    put16(tcp, s->back ? s->port : 4000);
    put16(tcp + 2, s->back ? 4000 : s->port);
    put32(tcp + 4, s->seq);
    put32(tcp + 8, s->ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = s->flags;
    put16(tcp + 14, s->window);
    memcpy(tcp + 20, s->options, 4u * s->n_options);
    pcap_dump((u_char *)d, &h, f);
}

static void write_capture(const char *path, const struct segment *s, size_t n)
{
    pcap_t *pc = pcap_open_dead(DLT_EN10MB, 65535);
    pcap_dumper_t *d = pcap_dump_open(pc, path);

    assert_non_null(d);
    for (size_t i = 0; i < n; i++)
        dump(d, &s[i]);
    pcap_dump_close(d);
    pcap_close(pc);
}

static const struct segment transfer[] = {
    {1.00, false, 2, 100, 0, 0, 1000, 80, {3, 3, 7, 1}, 1},
    {1.01, true, 18, 900, 101, 0, 1000, 80, {3, 3, 2, 1}, 1},
    {1.02, false, 16, 101, 901, 0, 1000, 80, {0}, 0},
    {1.03, false, 24, 101, 901, 1000, 1000, 80, {0}, 0},
    {1.04, false, 24, 1101, 901, 1000, 1000, 80, {0}, 0},
    {1.05, true, 16, 901, 101, 0, 500, 80, {1, 1, 5, 10, 0, 0, 4, 77, 0, 0, 8, 53}, 3},
    {1.06, false, 24, 101, 901, 1000, 1000, 80, {0}, 0},
    {1.08, true, 16, 901, 2101, 0, 500, 80, {0}, 0},
    {2.00, true, 24, 50, 60, 300, 500, 81, {0}, 0},
};

static void a_capture_gives_the_busiest_flow(void **state)
{
    char path[] = "/tmp/ts-plot-XXXXXX";
    struct plot p = {.note = ""};
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    close(fd);
    write_capture(path, transfer, sizeof(transfer) / sizeof(transfer[0]));
    assert_int_equal(plot_pcap("test", path, 0, &p), 0);
    assert_string_equal(p.title, "10.0.0.1:4000 to 10.0.0.2:80");
    assert_int_equal(p.flow.bytes, 3000);
    assert_int_equal(p.flow.bytes_again, 1000);
    assert_int_equal(p.flow.una, 2000);
    assert_int_equal(p.flow.sacked.at[0].from, 1000);
    assert_int_equal(p.flow.sacked.at[0].to, 2000);
    near(p.flow.edge.at[p.flow.edge.n - 1].y, 2000 + (500 << 2));
    plot_flow_free(&p.flow);
    assert_int_equal(plot_pcap("test", path, 81, &p), 0);
    assert_string_equal(p.title, "10.0.0.2:81 to 10.0.0.1:4000");
    assert_int_equal(p.flow.bytes, 300);
    assert_int_equal(p.flow.edge.n, 0); /* the scale is not known */
    plot_flow_free(&p.flow);
    assert_int_equal(plot_pcap("test", path, 82, &p), -1);
    unlink(path);
    assert_int_equal(plot_pcap("test", path, 0, &p), -1);
}

/* --- the picture -------------------------------------------------------------------------------
 */

static void steps_are_round_and_units_fit(void **state)
{
    double unit;

    (void)state;
    near(svg_step(100, 10), 10);
    near(svg_step(101, 10), 20);
    near(svg_step(0.37, 8), 0.05);
    near(svg_step(7300000, 8), 1000000);
    assert_string_equal(svg_unit(1500, false, &unit), "bytes");
    assert_string_equal(svg_unit(2500000, false, &unit), "MB");
    near(unit, 1e6);
    assert_string_equal(svg_unit(3e9, true, &unit), "Gbit/s");
}

static void a_long_flow_makes_a_small_picture(void **state)
{
    struct plot p = {.title = "a to b", .note = "made"};
    char *text = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    for (unsigned i = 0; i < 200000; i++) {
        plot_flow_data(&p.flow, i * 1e-5, 1448 * i, 1448, false);
        if (i % 2)
            plot_flow_ack(&p.flow, i * 1e-5, 1448 * (i / 2), 1000000);
    }
    assert_int_equal(plot_draw(&p, f), 0);
    fclose(f);
    assert_non_null(strstr(text, "time (s)"));
    assert_non_null(strstr(text, "stream (MB)"));
    assert_string_equal(text + size - 7, "</svg>\n");
    assert_true(size < 500000);
    assert_null(strstr(text, "nan"));
    plot_flow_free(&p.flow);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(flight_and_round_trip_follow_from_data_and_acknowledgements,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            what_was_sent_before_is_a_retransmission_and_tells_no_round_trip, setup, teardown),
        cmocka_unit_test_setup_teardown(sequence_numbers_may_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(throughput_is_what_was_acknowledged, setup, teardown),
        cmocka_unit_test(a_trace_gives_windows_round_trip_and_retransmissions),
        cmocka_unit_test(a_capture_gives_the_busiest_flow),
        cmocka_unit_test(steps_are_round_and_units_fit),
        cmocka_unit_test(a_long_flow_makes_a_small_picture),
    };

    return cmocka_run_group_tests_name("plot", tests, NULL, NULL);
}
