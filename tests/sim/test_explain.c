/* SPDX-License-Identifier: MIT */
/*
 * What `tapstack explain` says of a connection under made conditions: two cores and a wire in
 * virtual time, the figures as the daemon hands them out, the verdict as the tool says it.
 */
#include "client/cli/verdict.h"
#include "daemon/figures.h"
#include "tests/sim/scene.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define ENDLESS (1ull << 40)

static struct program writer, reader;
static struct program_server server;
static struct verdict said[VERDICT_MOST];
static unsigned n_said;
static struct figures figures;

static void look(const struct program *p, struct wire_figures *out)
{
    struct sock_info info;

    sock_get_info(p->s, &info, scene.sim.now);
    memset(out, 0, sizeof(*out));
    figures_info(&info, &out->info);
    figures_to_wire(&info, out);
}

/* --- a condition -------------------------------------------------------------------------------
 */

static void begin(const struct program_plan *send, const struct program_plan *read)
{
    static struct program *waiting[1] = {&reader};
    struct ip_endpoint to = sim_endpoint(scene.b, 80);

    program_init(&writer, scene.a, send, 1);
    program_init(&reader, scene.b, read, 2);
    program_pair(&writer, &reader, 3);
    expect_equal(program_listen(&server, scene.b, 80, 4, waiting, 1), 0);
    expect_equal(program_connect(&writer, &to), 0);
    sim_run_for(&scene.sim, 250000);
}

/* A verdict on `p` over so many seconds. */
static void judge(const struct program *p, double seconds)
{
    struct wire_figures before, after;

    look(p, &before);
    scene_wait(seconds);
    expect(p->s != NULL);
    look(p, &after);
    figures_of(&before, &after, seconds, &figures);
    n_said = verdicts_of(&figures, said);
    for (unsigned i = 0; i < n_said; i++)
        printf("# %5.1f %% %s: %s => %s\n", 100 * said[i].share, verdict_name(said[i].kind),
               said[i].says, said[i].helps);
}

static const struct verdict *statement(enum verdict_kind kind)
{
    for (unsigned i = 0; i < n_said; i++) {
        if (said[i].kind == kind)
            return &said[i];
    }
    return NULL;
}

static bool helps(enum verdict_kind kind, const char *text)
{
    const struct verdict *v = statement(kind);

    return v && strstr(v->helps, text);
}

static void end(void)
{
    program_server_close(&server);
}

/* A wire of the sender's own: rate, delay each way, and what else is wrong with it. */
static void wire(const struct link_config *out)
{
    struct sim_host_config a = {.features = STACK_TX_CSUM | STACK_TX_TSO4, .out = *out},
                           b = {.features = STACK_TX_CSUM | STACK_TX_TSO4,
                                .out = {.rate_bps = 1000000000, .delay_us = out->delay_us}};

    scene_hosts(&a, &b);
}

static const struct program_plan endless = {
    .send = ENDLESS, .write_min = 65536, .write_max = 65536};
static const struct program_plan nothing;

/* --- conditions --------------------------------------------------------------------------------
 */

static void a_program_that_writes_little_is_the_limit(void **state)
{
    struct program_plan slow = {.send = ENDLESS,
                                .write_min = 1000,
                                .write_max = 1000,
                                .write_gap_us = 100000,
                                .nodelay = true};

    (void)state;
    begin(&slow, &nothing);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_program);
    expect(said[0].share > 0.95 && figures.idle > 0.5);
    end();
}

static void a_peer_that_reads_slowly_shuts_its_window(void **state)
{
    struct program_plan slow = {.read_max = 2000, .read_gap_us = 20000, .rcvbuf = 50000};

    (void)state;
    begin(&endless, &slow);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_rwnd);
    expect(said[0].share > 0.8);
    expect(helps(VERDICT_rwnd, "reads too slowly"));
    end();
}

static void a_peer_with_a_small_buffer_limits_a_long_path(void **state)
{
    struct program_plan small = {.rcvbuf = 40000};

    (void)state;
    wire(&(struct link_config){.rate_bps = 100000000, .delay_us = 50000});
    begin(&endless, &small);
    scene_wait(3);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_rwnd);
    expect(helps(VERDICT_rwnd, "a larger receive buffer"));
    judge(&reader, 5);
    expect_equal(said[0].kind, VERDICT_recv_window);
    expect(helps(VERDICT_recv_window, "SO_RCVBUF"));
    end();
}

static void a_long_path_begins_with_a_small_window(void **state)
{
    (void)state;
    wire(&(struct link_config){.rate_bps = 1000000000, .delay_us = 100000});
    begin(&endless, &nothing);
    judge(&writer, 0.75);
    expect_equal(said[0].kind, VERDICT_cwnd);
    expect(said[0].share > 0.8 && helps(VERDICT_cwnd, "still in slow start"));
    end();
}

static void a_full_path_is_told_from_its_queue(void **state)
{
    (void)state;
    wire(&(struct link_config){.rate_bps = 10000000, .delay_us = 5000, .queue_bytes = 100000});
    begin(&endless, &nothing);
    scene_wait(5);
    judge(&writer, 10);
    expect_equal(said[0].kind, VERDICT_cwnd);
    expect(helps(VERDICT_cwnd, "the path is full"));
    end();
}

static void random_loss_is_repaired(void **state)
{
    (void)state;
    wire(&(struct link_config){.rate_bps = 100000000, .delay_us = 20000, .loss_ppm = 20000});
    begin(&endless, &nothing);
    scene_wait(2);
    judge(&writer, 10);
    expect(said[0].kind == VERDICT_recovery || said[0].kind == VERDICT_cwnd);
    expect(statement(VERDICT_recovery) && statement(VERDICT_recovery)->share > 0.05);
    expect(helps(VERDICT_recovery, "a damaged link"));
    expect(figures.packets_again / figures.packets > 0.01);
    end();
}

static void a_policer_is_loss_without_a_queue(void **state)
{
    (void)state;
    wire(&(struct link_config){
        .rate_bps = 1000000000, .delay_us = 10000, .police_bps = 5000000, .police_bytes = 70000});
    begin(&endless, &nothing);
    scene_wait(2);
    judge(&writer, 10);
    expect(said[0].kind == VERDICT_recovery || said[0].kind == VERDICT_cwnd);
    expect(helps(VERDICT_recovery, "a policer"));
    end();
}

static void a_rate_that_the_program_asked_for_is_the_limit(void **state)
{
    unsigned rate = 250000;

    (void)state;
    begin(&endless, &nothing);
    expect_equal(sock_setsockopt(writer.s, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate),
                                 scene.sim.now),
                 0);
    scene_wait(1);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_pacing);
    expect(said[0].share > 0.8 && helps(VERDICT_pacing, "SO_MAX_PACING_RATE is 2.00 Mbit/s"));
    end();
}

static void small_writes_wait_for_nagle(void **state)
{
    struct program_plan small = {
        .send = ENDLESS, .write_min = 100, .write_max = 100, .write_gap_us = 30000};

    (void)state;
    wire(&(struct link_config){.rate_bps = 100000000, .delay_us = 50000});
    begin(&small, &nothing);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_nagle);
    expect(said[0].share > 0.5 && helps(VERDICT_nagle, "TCP_NODELAY"));
    end();
}

static void write_some(void *arg)
{
    static const char some[100];

    expect_equal(scene_send(scene.a, arg, some, sizeof(some)), sizeof(some));
}

static void a_cork_holds_the_rest_back(void **state)
{
    struct sock *other;
    int on = 1;

    (void)state;
    scene_connection(&writer.s, &other);
    expect_equal(sock_setsockopt(writer.s, IPPROTO_TCP, TCP_CORK, &on, sizeof(on), scene.sim.now),
                 0);
    for (unsigned i = 0; i < 10; i++)
        sim_at(&scene.sim, scene.sim.now + 300000 * i, write_some, writer.s);
    judge(&writer, 3);
    expect_equal(said[0].kind, VERDICT_cork);
    expect(said[0].share > 0.5 && helps(VERDICT_cork, "take the cork out"));
}

static void a_small_send_buffer_is_the_limit(void **state)
{
    struct program_plan small = endless;

    (void)state;
    small.sndbuf = 4000;
    begin(&small, &nothing);
    scene_wait(1);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_sndbuf);
    expect(said[0].share > 0.5 && helps(VERDICT_sndbuf, "no SO_SNDBUF"));
    end();
}

static void a_device_that_is_full_is_the_limit(void **state)
{
    struct sim_host_config a = {.features = STACK_TX_CSUM | STACK_TX_TSO4,
                                .device_queue = true,
                                .device_bytes = 20000,
                                .out = {.rate_bps = 2000000, .delay_us = 100}},
                           b = {.out = {.rate_bps = 1000000000, .delay_us = 100}};

    (void)state;
    scene_hosts(&a, &b);
    begin(&endless, &nothing);
    scene_wait(2);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_device);
    end();
}

static void our_own_program_that_does_not_read_is_told_to(void **state)
{
    struct program_plan slow = {.read_max = 2000, .read_gap_us = 20000, .rcvbuf = 50000};

    (void)state;
    begin(&endless, &slow);
    judge(&reader, 5);
    expect_equal(said[0].kind, VERDICT_reader);
    expect(said[0].share > 0.8);
    end();
}

static void a_peer_that_sends_little_is_told_from_our_window(void **state)
{
    struct program_plan slow = {
        .send = ENDLESS, .write_min = 1000, .write_max = 1000, .write_gap_us = 100000};

    (void)state;
    begin(&slow, &nothing);
    judge(&reader, 5);
    expect_equal(said[0].kind, VERDICT_peer);
    end();
}

static void of_an_idle_connection_there_is_nothing_to_say(void **state)
{
    (void)state;
    scene_connection(&writer.s, &reader.s);
    judge(&writer, 5);
    expect_equal(said[0].kind, VERDICT_idle);
}

/* Whatever happens, the shares are those of one time. */
static void all_shares_make_a_whole(void **state)
{
    double sum = 0;

    (void)state;
    wire(&(struct link_config){.rate_bps = 20000000, .delay_us = 10000, .loss_ppm = 5000});
    begin(&endless, &nothing);
    judge(&writer, 7);
    for (int k = 0; k <= VERDICT_recovery; k++)
        sum += figures.share[k];
    expect(sum > 0.9999 && sum < 1.0001);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scene_test(a_program_that_writes_little_is_the_limit),
        scene_test(a_peer_that_reads_slowly_shuts_its_window),
        scene_test(a_peer_with_a_small_buffer_limits_a_long_path),
        scene_test(a_long_path_begins_with_a_small_window),
        scene_test(a_full_path_is_told_from_its_queue),
        scene_test(random_loss_is_repaired),
        scene_test(a_policer_is_loss_without_a_queue),
        scene_test(a_rate_that_the_program_asked_for_is_the_limit),
        scene_test(small_writes_wait_for_nagle),
        scene_test(a_cork_holds_the_rest_back),
        scene_test(a_small_send_buffer_is_the_limit),
        scene_test(a_device_that_is_full_is_the_limit),
        scene_test(our_own_program_that_does_not_read_is_told_to),
        scene_test(a_peer_that_sends_little_is_told_from_our_window),
        scene_test(of_an_idle_connection_there_is_nothing_to_say),
        scene_test(all_shares_make_a_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
