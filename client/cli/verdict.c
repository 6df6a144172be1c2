/* SPDX-License-Identifier: MIT */
/* What holds a connection back, in words; see verdict.h. */
#include "client/cli/verdict.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WORTH_SAYING 0.01
#define MUCH         0.05
#define SOME_LOSS    0.002

static const struct {
    const char *name, *title;
} names[] = {
#define VERDICT(name, chrono, text) {#name, text},
#include "client/cli/verdicts.def"
#undef VERDICT
};

const char *verdict_name(enum verdict_kind kind)
{
    return names[kind].name;
}

const char *verdict_title(enum verdict_kind kind)
{
    return names[kind].title;
}

/* --- making a statement ------------------------------------------------------------------------
 */

struct statements {
    struct verdict *at;
    unsigned n;
};

static struct verdict *add(struct statements *s, enum verdict_kind kind, double share)
{
    static struct verdict nowhere;
    struct verdict *v = s->n < VERDICT_MOST ? &s->at[s->n++] : &nowhere;

    memset(v, 0, sizeof(*v));
    v->kind = kind;
    v->share = share;
    return v;
}

__attribute__((format(printf, 3, 4))) static void put(char *out, size_t room, const char *format,
                                                      ...)
{
    va_list ap;

    va_start(ap, format);
    vsnprintf(out, room, format, ap);
    va_end(ap);
}

#define SAY(v, ...)   put((v)->says, sizeof((v)->says), __VA_ARGS__)
#define COUNT(v, ...) put((v)->counters, sizeof((v)->counters), __VA_ARGS__)
#define HELP(v, ...)  put((v)->helps, sizeof((v)->helps), __VA_ARGS__)

/* "12.5 kB": of one thing in one statement. */
struct amount {
    char text[24];
};

static struct amount bytes(double n)
{
    struct amount a;

    if (n >= 9.995e8)
        snprintf(a.text, sizeof(a.text), "%.2f GB", n / 1e9);
    else if (n >= 9.995e5)
        snprintf(a.text, sizeof(a.text), "%.2f MB", n / 1e6);
    else if (n >= 9995)
        snprintf(a.text, sizeof(a.text), "%.1f kB", n / 1e3);
    else
        snprintf(a.text, sizeof(a.text), "%.0f bytes", n);
    return a;
}

static struct amount rate(double bytes_a_second)
{
    struct amount a;
    double bits = 8 * bytes_a_second;

    if (bits >= 9.995e8)
        snprintf(a.text, sizeof(a.text), "%.2f Gbit/s", bits / 1e9);
    else if (bits >= 9.995e5)
        snprintf(a.text, sizeof(a.text), "%.2f Mbit/s", bits / 1e6);
    else
        snprintf(a.text, sizeof(a.text), "%.1f kbit/s", bits / 1e3);
    return a;
}

static uint64_t stops(const struct figures *f, const char *name)
{
    for (int i = 0; i < WIRE_STOPS; i++) {
        if (strcmp(f->stop_names[i], name) == 0)
            return f->stops[i];
    }
    return 0;
}

static double lost_share(const struct figures *f)
{
    return f->packets > 0 ? f->packets_again / f->packets : 0;
}

/* The round trip is what it is without a queue, as far as its own variation (delayed ACKs) lets one
 * say. */
static bool without_queue(const struct figures *f)
{
    double more = f->rtt_ms - f->min_rtt_ms;

    return f->min_rtt_ms > 0 && (more < 0.25 * f->min_rtt_ms + 1 || more < f->rttvar_ms);
}

/* --- what holds the sender back ----------------------------------------------------------------
 */

static void say_program(const struct figures *f, struct verdict *v)
{
    SAY(v,
        "our program had nothing more to send (%.0f %% idle, %.0f %% with its last bytes on their "
        "way)",
        100 * f->idle, 100 * (f->share[VERDICT_program] - f->idle));
    COUNT(v, "chronographs idle, app; stop empty %" PRIu64, stops(f, "empty"));
    if (f->acked > 0)
        HELP(
            v,
            "TCP is not the limit. Larger or more writes at a time, or several requests under way, "
            "would use the rest");
}

static void say_sndbuf(const struct figures *f, struct verdict *v)
{
    struct amount has = bytes(f->sndbuf), needs = bytes(2 * f->cwnd);

    SAY(v, "the send buffer of %s was full, and the congestion window would have let more out",
        has.text);
    COUNT(v, "chronographs sndbuf, space; stop sndbuf %" PRIu64 "; SO_SNDBUF %u%s; cwnd %.0f bytes",
          stops(f, "sndbuf"), f->sndbuf, f->sndbuf_fixed ? " (set)" : "", f->cwnd);
    if (f->sndbuf_fixed)
        HELP(v, "let the buffer grow by itself (no SO_SNDBUF), or give it at least %s", needs.text);
    else
        HELP(v, "raise the third value of net.ipv4.tcp_wmem");
}

static void say_rwnd(const struct figures *f, struct verdict *v)
{
    struct amount now = bytes(f->snd_wnd), most = bytes(f->max_window);
    struct amount best = rate(f->rtt_ms > 0 ? f->max_window * 1e3 / f->rtt_ms : 0);

    SAY(v, "the peer's receive window was full (%s now, %s at most)", now.text, most.text);
    COUNT(v, "chronograph rwnd (tcpi_rwnd_limited); stop rwnd %" PRIu64 "; snd_wnd %.0f",
          stops(f, "rwnd"), f->snd_wnd);
    if (f->snd_wnd < f->max_window / 2)
        HELP(v, "the peer's program reads too slowly: look there");
    else
        HELP(v,
             "a larger receive buffer at the peer (its SO_RCVBUF, tcp_rmem): %s in a round trip of "
             "%.3g ms are %s",
             most.text, f->rtt_ms, best.text);
}

static void help_cwnd(const struct figures *f, struct verdict *v)
{
    if (lost_share(f) > SOME_LOSS && without_queue(f))
        HELP(v,
             "losses at a round trip that does not grow: a policer on the way, or a damaged link. "
             "bbr minds random losses less than %s",
             f->algorithm);
    else if (lost_share(f) > SOME_LOSS)
        HELP(v, "the path is full: its queue grows, then it loses. More needs a faster path");
    else if (f->slow_start && f->rtt_ms >= 5)
        HELP(v,
             "it is still in slow start, which doubles the window in each round trip of %.3g ms: "
             "keep "
             "connections open, or begin with more (tcp_initial_cwnd)",
             f->rtt_ms);
    else if (!without_queue(f))
        HELP(v, "the path is full: %.3g ms of the round trip are its queue",
             f->rtt_ms - f->min_rtt_ms);
    else
        HELP(v, "the window grows as long as nothing is lost; %s does so by its own rule",
             f->algorithm);
}

static void say_cwnd(const struct figures *f, struct verdict *v)
{
    struct amount cwnd = bytes(f->cwnd);

    char losses[40] = "";

    if (lost_share(f) > SOME_LOSS)
        put(losses, sizeof(losses), ", cut by %.2f %% losses", 100 * lost_share(f));
    SAY(v, "the congestion window was full: %s in a round trip of %.3g ms (%s%s%s)", cwnd.text,
        f->rtt_ms, f->algorithm, f->slow_start ? ", slow start" : "", losses);
    COUNT(v,
          "chronograph cwnd; stops cwnd %" PRIu64 ", tso_defer %" PRIu64
          "; cwnd %.0f, ssthresh %.0f bytes",
          stops(f, "cwnd"), stops(f, "tso_defer"), f->cwnd, f->ssthresh);
    help_cwnd(f, v);
}

static void say_pacing(const struct figures *f, struct verdict *v)
{
    struct amount now = rate(f->pacing), most = rate(f->max_pacing);

    SAY(v, "pacing kept the packets apart, at %s", now.text);
    COUNT(v,
          "chronograph pacing; stop pacing %" PRIu64
          "; pacing_rate %.0f, max_pacing_rate %.0f bytes/s",
          stops(f, "pacing"), f->pacing, f->max_pacing);
    if (f->max_pacing > 0 && f->pacing >= 0.99 * f->max_pacing)
        HELP(v, "the program asked for it: SO_MAX_PACING_RATE is %s", most.text);
    else
        HELP(v, "%s sends at the rate that it takes for the path's", f->algorithm);
}

static void say_nagle(const struct figures *f, struct verdict *v)
{
    SAY(v, "a small write waited for the acknowledgement of the small one before it (Nagle)");
    COUNT(v, "chronograph nagle; stop nagle %" PRIu64 "; TCP_NODELAY %s", stops(f, "nagle"),
          f->nodelay ? "on" : "off");
    HELP(v, "write a message with one call, or set TCP_NODELAY");
}

static void say_cork(const struct figures *f, struct verdict *v)
{
    SAY(v, "the program held a small rest back itself (TCP_CORK, MSG_MORE)");
    COUNT(v, "chronograph cork; stop cork %" PRIu64, stops(f, "cork"));
    HELP(v, "take the cork out when a message is complete; by itself it comes out after 200 ms");
}

static void say_device(const struct figures *f, struct verdict *v)
{
    SAY(v, "the device's queue was full");
    COUNT(v, "chronograph device; stops device %" PRIu64 ", autocork %" PRIu64, stops(f, "device"),
          stops(f, "autocork"));
    HELP(
        v,
        "whoever reads the other side of the TAP is too slow: tapstack stats has dev_backpressure");
}

static void say_recovery(const struct figures *f, struct verdict *v)
{
    SAY(v, "losses were repaired: %.2f %% of the packets were sent again, after %u time-outs",
        100 * lost_share(f), f->timeouts);
    COUNT(v, "chronograph recovery; packets sent %.0f, again %.0f; time-outs %u", f->packets,
          f->packets_again, f->timeouts);
    if (without_queue(f))
        HELP(v,
             "losses at a round trip that does not grow: a policer on the way, or a damaged link");
    else
        HELP(v, "the path's queue overflows; a longer queue, ECN or a smaller share of others "
                "would help");
}

static void (*const say[])(const struct figures *f, struct verdict *v) = {
    [VERDICT_program] = say_program,   [VERDICT_sndbuf] = say_sndbuf,
    [VERDICT_rwnd] = say_rwnd,         [VERDICT_cwnd] = say_cwnd,
    [VERDICT_pacing] = say_pacing,     [VERDICT_nagle] = say_nagle,
    [VERDICT_cork] = say_cork,         [VERDICT_device] = say_device,
    [VERDICT_recovery] = say_recovery,
};

static bool sends(const struct figures *f)
{
    return f->acked > 0 || f->sent > 0 || f->send_queue > 0;
}

static void sending(const struct figures *f, struct statements *s)
{
    bool said[VERDICT_recovery + 1] = {false};

    for (;;) {
        int best = -1;

        for (int k = 0; k <= VERDICT_recovery; k++) {
            if (!said[k] && f->share[k] >= WORTH_SAYING &&
                (best < 0 || f->share[k] > f->share[best]))
                best = k;
        }
        if (best < 0)
            return;
        said[best] = true;
        say[best](f, add(s, (enum verdict_kind)best, f->share[best]));
    }
}

/* --- what holds the peer back, as far as it is ours --------------------------------------------
 */

/* Does one round trip bring nearly all that we offer? */
static bool fills_window(const struct figures *f)
{
    double rtt_ms = f->rcv_rtt_ms > 0 ? f->rcv_rtt_ms : f->rtt_ms;

    return f->rcv_wnd > 0 && rtt_ms >= 2 && f->rate_in * rtt_ms / 1e3 > 0.7 * f->rcv_wnd;
}

static void receiving(const struct figures *f, struct statements *s)
{
    struct amount in = rate(f->rate_in), window = bytes(f->rcv_wnd), unread = bytes(f->recv_queue);
    struct verdict *v;

    if (f->reader >= MUCH) {
        v = add(s, VERDICT_reader, f->reader);
        SAY(v,
            "our program reads too slowly: half of the buffer was full of what it had not read (%s "
            "now)",
            unread.text);
        COUNT(v, "chronograph reader; Recv-Q %u; rcv_wnd %.0f; rcvbuf %u", f->recv_queue,
              f->rcv_wnd, f->rcvbuf);
        HELP(v, "read more at a time, or in a thread of its own");
    } else if (f->received > 0 && fills_window(f)) {
        v = add(s, VERDICT_recv_window, -1);
        SAY(v, "our receive window of %s is what a round trip brings: %s", window.text, in.text);
        COUNT(v, "rcv_wnd %.0f; rcv_rtt %.3g ms; rcvbuf %u%s", f->rcv_wnd, f->rcv_rtt_ms, f->rcvbuf,
              f->rcvbuf_fixed ? " (set)" : "");
        HELP(v, f->rcvbuf_fixed ? "let the buffer grow by itself: no SO_RCVBUF"
                                : "raise the third value of net.ipv4.tcp_rmem");
    } else if (f->received > 0) {
        v = add(s, VERDICT_peer, -1);
        SAY(v,
            "it received %s; our window of %s would have let more in: the peer, or the path to us, "
            "is the "
            "limit",
            in.text, window.text);
        COUNT(v, "bytes_received %.0f; rcv_wnd %.0f; Recv-Q %u; reader %.0f %%", f->received,
              f->rcv_wnd, f->recv_queue, 100 * f->reader);
    }
}

/* --- the path ----------------------------------------------------------------------------------
 */

static void path_time(const struct figures *f, struct statements *s)
{
    struct verdict *v = add(s, VERDICT_path, -1);
    double queue = f->rtt_ms - f->min_rtt_ms;

    SAY(v, "round trip %.3g ms (smoothed), %.3g ms at least, varies by %.3g ms", f->rtt_ms,
        f->min_rtt_ms, f->rttvar_ms);
    COUNT(v, "tcpi_rtt, tcpi_min_rtt, tcpi_rttvar");
    if (f->min_rtt_ms > 0 && queue > 0.5 * f->min_rtt_ms && queue > 5)
        HELP(v, "%.3g ms of it are a queue", queue);
}

static void path_rate(const struct figures *f, struct statements *s)
{
    struct verdict *v = add(s, VERDICT_path, -1);
    struct amount out = rate(f->rate_out), in = rate(f->rate_in), delivery = rate(f->delivery);

    SAY(v, "%s out, %s in; when it sends, %s", out.text, in.text, delivery.text);
    COUNT(v, "bytes_acked %.0f, bytes_received %.0f in %.3g s; delivery_rate", f->acked,
          f->received, f->seconds);
}

static void path_loss(const struct figures *f, struct statements *s)
{
    struct verdict *v = add(s, VERDICT_path, -1);

    if (f->packets_again > 0)
        SAY(v, "%.2f %% of the packets were sent again, %u times a time-out was needed",
            100 * lost_share(f), f->timeouts);
    else
        SAY(v, "nothing was lost");
    COUNT(v, "packets %.0f, again %.0f; time-outs %u; D-SACKs %u", f->packets, f->packets_again,
          f->timeouts, f->dsacks);
    if (f->dsacks > 0 && f->packets_again > 0 && f->dsacks * 2 >= f->packets_again)
        HELP(v, "the peer had much of it already: delay or reordering, not loss");
}

static void path_order(const struct figures *f, struct statements *s)
{
    struct verdict *v;

    if (!f->reordered)
        return;
    v = add(s, VERDICT_path, -1);
    SAY(v, "the path reorders, by up to %u packets", f->reordering);
    COUNT(v, "reord_seen %u, reordering %u", f->reordered, f->reordering);
}

static void path_rest(const struct figures *f, struct statements *s)
{
    struct verdict *v = add(s, VERDICT_path, -1);

    SAY(v, "path MTU %u, segments of %u bytes; ECN %s", f->pmtu, f->mss,
        !f->ecn         ? "is not used"
        : f->marked > 0 ? "is used, and marks came"
        : f->ecn_seen   ? "is used, no mark came back"
                        : "was agreed on");
    COUNT(v, "tcpi_pmtu, tcpi_snd_mss; delivered_ce %u", f->marked);
}

/* --- all ---------------------------------------------------------------------------------------
 */

static void say_idle(const struct figures *f, struct statements *s)
{
    struct verdict *v = add(s, VERDICT_idle, f->idle);

    SAY(v, f->established ? "nobody sent anything" : "the connection is not established");
    COUNT(v, "bytes_sent 0, bytes_received 0 in %.3g s", f->seconds);
}

unsigned verdicts_of(const struct figures *f, struct verdict out[VERDICT_MOST])
{
    struct statements s = {out, 0};
    bool receives = f->received > 0 || f->recv_queue > 0;
    /* what only acknowledges or answers is judged by what it receives first */
    bool mostly = f->received > 4 * f->acked && !f->unsent;

    if (!sends(f) && !receives)
        say_idle(f, &s);
    if (receives && mostly)
        receiving(f, &s);
    if (sends(f))
        sending(f, &s);
    if (receives && !mostly)
        receiving(f, &s);
    if (f->established) {
        path_time(f, &s);
        path_rate(f, &s);
        if (f->packets > 0)
            path_loss(f, &s);
        path_order(f, &s);
        path_rest(f, &s);
    }
    return s.n;
}
