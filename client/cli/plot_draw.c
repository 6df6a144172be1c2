/* SPDX-License-Identifier: MIT */
/*
 * The picture: the time-sequence graph (data and what becomes of it over the stream), and below it
 * the windows, the round trip and the throughput over the same time.
 */
#include "client/cli/plot.h"
#include "client/cli/svg.h"

#include <string.h>

#define WIDTH  1200u
#define HEIGHT 900u
#define BINS   120u
/* The legends of the low panels have it. */
#define HEADROOM 1.25

static const char data_colour[] = "#1f4e9c", again_colour[] = "#d62728", acked_colour[] = "#2ca02c",
                  sacked_colour[] = "#9467bd", edge_colour[] = "#e69f00", cwnd_colour[] = "#d62728",
                  flight_colour[] = "#1f4e9c", rtt_colour[] = "#17868f", rate_colour[] = "#4d7f17";

static double larger(double a, double b)
{
    return a > b ? a : b;
}

static struct svg_panel panel(FILE *to, double top, double height, double seconds)
{
    return (struct svg_panel){.to = to,
                              .left = 80,
                              .top = top,
                              .width = WIDTH - 110,
                              .height = height,
                              .x_most = seconds,
                              .unit = 1};
}

static void time_sequence(const struct plot_flow *f, struct svg_panel *p)
{
    double most = (double)f->high, edge = plot_series_most(&f->edge);
    char name[40];

    /* a window far beyond what is ever sent would press everything else to the ground */
    p->y_most = edge < 1.5 * most ? larger(edge, most) : 1.15 * most;
    snprintf(name, sizeof(name), "stream (%s)", svg_unit(p->y_most, false, &p->unit));
    svg_axes(p, name, false);
    fprintf(
        p->to,
        "<clipPath id=\"c\"><rect x=\"%.0f\" y=\"%.0f\" width=\"%.0f\" height=\"%.0f\"/></clipPath>"
        "<g clip-path=\"url(#c)\">\n",
        p->left, p->top, p->width, p->height);
    svg_steps(p, &f->edge, edge_colour, 1.5);
    fprintf(p->to, "<g stroke-opacity=\"0.4\">\n");
    svg_spans(p, &f->sacked, false, sacked_colour, 1);
    fprintf(p->to, "</g>\n");
    svg_spans(p, &f->data, false, data_colour, 2);
    svg_steps(p, &f->acked, acked_colour, 1.5);
    svg_marks(p, &f->data, again_colour);
    fprintf(p->to, "</g>\n");
    svg_legend(p, "data", data_colour);
    svg_legend(p, "sent again", again_colour);
    svg_legend(p, "acknowledged", acked_colour);
    if (f->sacked.n)
        svg_legend(p, "SACK blocks", sacked_colour);
    if (f->edge.n)
        svg_legend(p, "edge of the receiver's window", edge_colour);
}

static void windows(const struct plot_flow *f, struct svg_panel *p)
{
    char name[40];

    p->y_most = HEADROOM * larger(plot_series_most(&f->flight), plot_series_most(&f->cwnd));
    snprintf(name, sizeof(name), "windows (%s)", svg_unit(p->y_most, false, &p->unit));
    svg_axes(p, name, false);
    svg_steps(p, &f->cwnd, cwnd_colour, 3);
    svg_steps(p, &f->flight, flight_colour, 1.2);
    svg_legend(p, "in flight", flight_colour);
    if (f->cwnd.n)
        svg_legend(p, "congestion window", cwnd_colour);
}

static void round_trip(const struct plot_flow *f, struct svg_panel *p)
{
    p->y_most = HEADROOM * plot_series_most(&f->rtt);
    p->unit = p->y_most > 0 && p->y_most < 1 ? 0.001 : 1;
    svg_axes(p, p->unit < 1 ? "round trip (us)" : "round trip (ms)", false);
    if (f->knows_rtt)
        svg_line(p, &f->rtt, rtt_colour);
    else
        svg_dots(p, &f->rtt, rtt_colour);
    svg_legend(p, f->knows_rtt ? "smoothed" : "of each acknowledgement", rtt_colour);
}

static void throughput(const struct plot_flow *f, struct svg_panel *p)
{
    double bins[BINS];
    char name[40];

    plot_flow_throughput(f, p->x_most, bins, BINS);
    for (unsigned i = 0; i < BINS; i++)
        p->y_most = larger(p->y_most, bins[i]);
    p->y_most *= HEADROOM;
    snprintf(name, sizeof(name), "rate (%s)", svg_unit(p->y_most, true, &p->unit));
    svg_axes(p, name, true);
    svg_bars(p, bins, BINS, rate_colour);
    svg_legend(p, "acknowledged", rate_colour);
}

int plot_draw(const struct plot *p, FILE *to)
{
    const struct plot_flow *f = &p->flow;
    double seconds = f->last > 0 ? f->last : 1e-3;
    struct svg_panel top = panel(to, 62, 366, seconds), windows_at = panel(to, 462, 130, seconds),
                     rtt_at = panel(to, 626, 92, seconds), rate_at = panel(to, 752, 92, seconds);

    svg_begin(to, WIDTH, HEIGHT, p->title, p->note);
    time_sequence(f, &top);
    windows(f, &windows_at);
    round_trip(f, &rtt_at);
    throughput(f, &rate_at);
    svg_end(to);
    return fflush(to) != 0 || ferror(to) ? -1 : 0;
}
