/* SPDX-License-Identifier: MIT */
/* See goodput_table.h. */
#include "tests/sim/goodput_table.h"

#include "tests/sim/choose.h"

#include <string.h>

static const uint32_t rtts_ms[] = {1, 20, 100, 300};
static const uint32_t losses_ppm[] = {0, 1000, 10000, 30000, 100000};
static const unsigned crowds[] = {2, 4, 8, 16};
static const char *const mixes[][2] = {
    {"reno", "reno"}, {"cubic", "cubic"}, {"bbr", "bbr"}, {"reno", "cubic"}, {"cubic", "bbr"},
};

#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))
#define CROWD_RTT 20

/* --- which rows --------------------------------------------------------------------------------
 */

/* One flow: the n-th of the algorithm's rows. */
static void alone(struct goodput_row *r, const char *algorithm, unsigned n)
{
    *r = (struct goodput_row){.first = algorithm,
                              .second = algorithm,
                              .flows = 1,
                              .rtt_ms = rtts_ms[n / COUNT(losses_ppm)],
                              .loss_ppm = losses_ppm[n % COUNT(losses_ppm)]};
}

static bool find_alone(unsigned *i, struct goodput_row *out)
{
    unsigned each = COUNT(rtts_ms) * COUNT(losses_ppm);

    for (unsigned a = 0; algorithm_name(a); a++) {
        if (!algorithm_exists(algorithm_name(a)))
            continue;
        if (*i < each) {
            alone(out, algorithm_name(a), *i);
            return true;
        }
        *i -= each;
    }
    return false;
}

static bool find_crowd(unsigned *i, struct goodput_row *out)
{
    for (unsigned m = 0; m < COUNT(mixes); m++) {
        if (!algorithm_exists(mixes[m][0]) || !algorithm_exists(mixes[m][1]))
            continue;
        if (*i < COUNT(crowds)) {
            *out = (struct goodput_row){.first = mixes[m][0],
                                        .second = mixes[m][1],
                                        .flows = crowds[*i],
                                        .rtt_ms = CROWD_RTT};
            return true;
        }
        *i -= COUNT(crowds);
    }
    return false;
}

bool goodput_row(unsigned i, struct goodput_row *out)
{
    return find_alone(&i, out) || find_crowd(&i, out);
}

/* --- measuring ---------------------------------------------------------------------------------
 */

/* The queue holds one bandwidth-delay product, but a burst of 16 packets at least. */
static uint32_t queue_of(uint32_t rtt_ms)
{
    uint64_t bdp = GOODPUT_RATE / 8 * rtt_ms / 1000;

    return bdp > 16 * 1514 ? (uint32_t)bdp : 16 * 1514;
}

void goodput_measure(struct goodput_row *row)
{
    bool crowd = row->flows > 1;
    struct link_config link = {.rate_bps = GOODPUT_RATE,
                               .delay_us = row->rtt_ms * 500ull,
                               .queue_bytes = queue_of(row->rtt_ms)};
    struct flows_config c = {.back = link,
                             .forward = link,
                             .n = row->flows,
                             .stagger_us = crowd ? 250000 : 0,
                             .warm_us = (crowd ? 10 : 5) * 1000000ull,
                             .measure_us = (crowd ? 30 : 25) * 1000000ull,
                             .seed = 1};

    c.forward.loss_ppm = row->loss_ppm;
    for (unsigned i = 0; i < row->flows; i++)
        c.algorithm[i] = i % 2 ? row->second : row->first;
    flows_run(&c, &row->result);
}

/* The part of all bytes that the flows of the first algorithm got. */
static uint32_t first_share(const struct goodput_row *row)
{
    const struct flows_result *r = &row->result;
    uint64_t first = 0;

    for (unsigned i = 0; i < row->flows; i += strcmp(row->first, row->second) ? 2 : 1)
        first += r->bytes[i];
    return r->all_bytes ? (uint32_t)(first * 1000 / r->all_bytes) : 0;
}

/* --- as text -----------------------------------------------------------------------------------
 */

const char *goodput_header(void)
{
    return "algorithms\tflows\trtt_ms\tloss_ppm\tgoodput_kbit\tutilisation_permille\t"
           "retransmitted_ppm\tjain_permille\tfirst_share_permille";
}

void goodput_format(const struct goodput_row *row, char *out, size_t room)
{
    const struct flows_result *r = &row->result;
    bool mixed = strcmp(row->first, row->second) != 0;

    snprintf(out, room, "%s%s%s\t%u\t%u\t%u\t%llu\t%u\t%u\t%u\t%u", row->first, mixed ? "+" : "",
             mixed ? row->second : "", row->flows, row->rtt_ms, row->loss_ppm,
             (unsigned long long)(r->goodput_bps / 1000), r->utilisation_permille, r->retrans_ppm,
             r->jain_permille, first_share(row));
}

static const struct goodput_row *row_at(const struct goodput_row *rows, unsigned n,
                                        const struct goodput_row *like)
{
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(rows[i].first, like->first) && !strcmp(rows[i].second, like->second) &&
            rows[i].flows == like->flows && rows[i].rtt_ms == like->rtt_ms &&
            rows[i].loss_ppm == like->loss_ppm)
            return &rows[i];
    }
    return NULL;
}

static void write_alone(const struct goodput_row *rows, unsigned n, const char *algorithm, FILE *f)
{
    fprintf(f, "\n### %s\n\n| loss |", algorithm);
    for (unsigned i = 0; i < COUNT(rtts_ms); i++)
        fprintf(f, " %u ms |", rtts_ms[i]);
    fprintf(f, "\n| --- |");
    for (unsigned i = 0; i < COUNT(rtts_ms); i++)
        fprintf(f, " --- |");
    for (unsigned l = 0; l < COUNT(losses_ppm); l++) {
        fprintf(f, "\n| %g %% |", losses_ppm[l] / 1e4);
        for (unsigned i = 0; i < COUNT(rtts_ms); i++) {
            struct goodput_row like;
            const struct goodput_row *r;

            alone(&like, algorithm, i * COUNT(losses_ppm) + l);
            r = row_at(rows, n, &like);
            fprintf(f, " %.2f (%.1f %%, %.2f %%) |", (double)r->result.goodput_bps / 1e6,
                    r->result.utilisation_permille / 10.0, r->result.retrans_ppm / 1e4);
        }
    }
    fprintf(f, "\n");
}

static void write_crowds(const struct goodput_row *rows, unsigned n, FILE *f)
{
    fprintf(f, "| flows |");
    for (unsigned i = 0; i < COUNT(crowds); i++)
        fprintf(f, " %u |", crowds[i]);
    fprintf(f, "\n| --- |");
    for (unsigned i = 0; i < COUNT(crowds); i++)
        fprintf(f, " --- |");
    for (unsigned m = 0; m < COUNT(mixes); m++) {
        struct goodput_row like = {
            .first = mixes[m][0], .second = mixes[m][1], .flows = crowds[0], .rtt_ms = CROWD_RTT};

        if (!row_at(rows, n, &like))
            continue;
        fprintf(f, "\n| %s/%s |", mixes[m][0], mixes[m][1]);
        for (unsigned i = 0; i < COUNT(crowds); i++) {
            const struct goodput_row *r;

            like.flows = crowds[i];
            r = row_at(rows, n, &like);
            fprintf(f, " %.3f (%.1f %%, %.2f %%", r->result.jain_permille / 1e3,
                    r->result.utilisation_permille / 10.0, r->result.retrans_ppm / 1e4);
            if (strcmp(r->first, r->second))
                fprintf(f, ", %s %.0f %%", r->first, first_share(r) / 10.0);
            fprintf(f, ") |");
        }
    }
    fprintf(f, "\n");
}

void goodput_markdown(const struct goodput_row *rows, unsigned n, FILE *f)
{
    fprintf(f, "# Goodput in the simulator\n\n"
               "Written by `make goodput` from the same run as [goodput.tsv](goodput.tsv), of "
               "which `make check` computes every third row again and compares to the last digit. "
               "The core is the real "
               "one, the wire and the time are simulated: a bottleneck of 100 Mbit/s whose queue "
               "holds one bandwidth-delay product (16 packets at least), packets of 1,500 bytes, "
               "loss at random in the direction of the data.\n\n"
               "## One flow, by loss and round trip\n\n"
               "Mbit/s that the program received from the 5th to the 30th second (how much of that "
               "time the link was busy; how much of what was sent was sent again). Headers leave "
               "95.6 Mbit/s of the 100.\n");
    for (unsigned a = 0; algorithm_name(a); a++) {
        if (algorithm_exists(algorithm_name(a)))
            write_alone(rows, n, algorithm_name(a), f);
    }
    fprintf(f, "\n## Several flows\n\n"
               "Round trip 20 ms, no loss but by the full queue; the flows start a quarter of a "
               "second apart and are measured for 30 seconds from the 10th second on. Jain's index "
               "(how much of that time the link was busy; how much was sent again; where every "
               "other flow has another algorithm, what part of all bytes went to the first "
               "one).\n\n");
    write_crowds(rows, n, f);
}
