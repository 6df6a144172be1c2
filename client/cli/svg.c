/* SPDX-License-Identifier: MIT */
/* Panels of a chart; see svg.h. */
#include "client/cli/svg.h"

#include <math.h>
#include <string.h>

#define FONT     "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\""
#define NEAR     0.4 /* pixels that nobody sees */
#define BREAK_AT 400 /* numbers in one path */

void svg_begin(FILE *to, unsigned width, unsigned height, const char *title, const char *note)
{
    fprintf(to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" viewBox=\"0 0 %u "
            "%u\" " FONT ">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            width, height, width, height);
    fprintf(
        to,
        "<text x=\"80\" y=\"28\" font-size=\"19\" font-weight=\"bold\" fill=\"#222\">%s</text>\n",
        title);
    fprintf(to, "<text x=\"80\" y=\"48\" font-size=\"13\" fill=\"#555\">%s</text>\n", note);
}

void svg_end(FILE *to)
{
    fprintf(to, "</svg>\n");
}

const char *svg_unit(double most, bool bits, double *unit)
{
    static const char *const names[2][4] = {{"bytes", "kB", "MB", "GB"},
                                            {"bit/s", "kbit/s", "Mbit/s", "Gbit/s"}};
    int i = 0;

    for (*unit = 1; i < 3 && most >= 2000 * *unit; i++)
        *unit *= 1000;
    return names[bits][i];
}

double svg_step(double most, unsigned about)
{
    double raw = most > 0 ? most / about : 1, ten = pow(10, floor(log10(raw)));

    if (raw <= 1.0001 * ten)
        return ten;
    if (raw <= 2.0001 * ten)
        return 2 * ten;
    return raw <= 5.0001 * ten ? 5 * ten : 10 * ten;
}

static double px(const struct svg_panel *p, double x)
{
    return p->left + (p->x_most > 0 ? x / p->x_most : 0) * p->width;
}

static double py(const struct svg_panel *p, double y)
{
    return p->top + p->height - (p->y_most > 0 ? y / p->y_most : 0) * p->height;
}

/* --- axes --------------------------------------------------------------------------------------
 */

static void text(FILE *to, double x, double y, const char *anchor, const char *what)
{
    fprintf(
        to,
        "<text x=\"%.1f\" y=\"%.1f\" font-size=\"13\" fill=\"#333\" text-anchor=\"%s\">%s</text>\n",
        x, y, anchor, what);
}

static void number(char *out, size_t room, double value, double step)
{
    int digits = step >= 1 ? 0 : (int)ceil(-log10(step) - 1e-9);

    snprintf(out, room, "%.*f", digits < 9 ? digits : 9, value);
}

static void y_ticks(const struct svg_panel *p, double step)
{
    char label[32];

    for (double y = 0; y <= p->y_most * 1.0001; y += step) {
        fprintf(p->to, "<path d=\"M%.1f %.1fh%.1f\" stroke=\"#ddd\"/>\n", p->left, py(p, y),
                p->width);
        number(label, sizeof(label), y / p->unit, step / p->unit);
        text(p->to, p->left - 8, py(p, y) + 4.5, "end", label);
    }
}

static void x_ticks(const struct svg_panel *p, bool last)
{
    double step = svg_step(p->x_most, 12);
    char label[32];

    for (double x = 0; x <= p->x_most * 1.0001; x += step) {
        fprintf(p->to, "<path d=\"M%.1f %.1fv%.1f\" stroke=\"#eee\"/>\n", px(p, x), p->top,
                p->height);
        number(label, sizeof(label), x, step);
        text(p->to, px(p, x), p->top + p->height + 16, "middle", label);
    }
    if (last)
        text(p->to, p->left + p->width / 2, p->top + p->height + 34, "middle", "time (s)");
}

void svg_axes(struct svg_panel *p, const char *y_name, bool last)
{
    double step = svg_step(p->y_most > 0 ? p->y_most : p->unit, p->height > 200 ? 8 : 4);

    p->y_most = step * ceil((p->y_most > 0 ? p->y_most : p->unit) / step * 1.0001);
    x_ticks(p, last);
    y_ticks(p, step);
    fprintf(p->to,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"none\" "
            "stroke=\"#888\"/>\n",
            p->left, p->top, p->width, p->height);
    fprintf(p->to,
            "<text transform=\"translate(20 %.1f) rotate(-90)\" font-size=\"13\" fill=\"#333\" "
            "text-anchor=\"middle\">%s</text>\n",
            p->top + p->height / 2, y_name);
}

void svg_legend(struct svg_panel *p, const char *what, const char *colour)
{
    double x = p->left + 12 + p->legends, y = p->top + 17;
    double width = 30 + 7.6 * (double)strlen(what);

    fprintf(p->to,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"18\" fill=\"#fff\" "
            "fill-opacity=\"0.85\"/>"
            "<path d=\"M%.1f %.1fh18\" stroke=\"%s\" stroke-width=\"3\"/>\n",
            x - 4, y - 13, width, x, y - 4, colour);
    text(p->to, x + 24, y, "start", what);
    p->legends += (unsigned)width + 6;
}

/* --- what is drawn -----------------------------------------------------------------------------
 */

struct path {
    FILE *to;
    const char *colour;
    double width;
    unsigned numbers;
};

static void path_begin(struct path *path)
{
    fprintf(path->to, "<path fill=\"none\" stroke=\"%s\" stroke-width=\"%.1f\" d=\"", path->colour,
            path->width);
    path->numbers = 0;
}

static void path_end(const struct path *path)
{
    fprintf(path->to, "\"/>\n");
}

/* A new path now and then: viewers are slow with long ones. */
static void path_break(struct path *path, double x, double y)
{
    if (++path->numbers < BREAK_AT)
        return;
    path_end(path);
    path_begin(path);
    fprintf(path->to, "M%.1f %.1f", x, y);
}

void svg_steps(struct svg_panel *p, const struct plot_series *s, const char *colour, double width)
{
    struct path path = {.to = p->to, .colour = colour, .width = width};
    double x = 0, y = 0;

    if (!s->n)
        return;
    path_begin(&path);
    for (size_t i = 0; i < s->n; i++) {
        double nx = px(p, s->at[i].t), ny = py(p, s->at[i].y);

        if (i == 0) {
            fprintf(p->to, "M%.1f %.1f", nx, ny);
        } else {
            if (i + 1 < s->n && fabs(nx - x) < NEAR && fabs(ny - y) < NEAR)
                continue;
            fprintf(p->to, "H%.1fV%.1f", nx, ny);
            path_break(&path, nx, ny);
        }
        x = nx;
        y = ny;
    }
    path_end(&path);
}

void svg_line(struct svg_panel *p, const struct plot_series *s, const char *colour)
{
    struct path path = {.to = p->to, .colour = colour, .width = 1.4};
    double x = 0, y = 0;

    if (!s->n)
        return;
    path_begin(&path);
    for (size_t i = 0; i < s->n; i++) {
        double nx = px(p, s->at[i].t), ny = py(p, s->at[i].y);

        if (i && i + 1 < s->n && fabs(nx - x) < NEAR && fabs(ny - y) < NEAR)
            continue;
        fprintf(p->to, "%c%.1f %.1f", i ? 'L' : 'M', nx, ny);
        path_break(&path, nx, ny);
        x = nx;
        y = ny;
    }
    path_end(&path);
}

void svg_dots(struct svg_panel *p, const struct plot_series *s, const char *colour)
{
    double x = -1, y = -1;

    fprintf(p->to, "<g fill=\"%s\">\n", colour);
    for (size_t i = 0; i < s->n; i++) {
        double nx = px(p, s->at[i].t), ny = py(p, s->at[i].y);

        if (fabs(nx - x) < 1 && fabs(ny - y) < 1)
            continue;
        fprintf(p->to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.3\"/>\n", nx, ny);
        x = nx;
        y = ny;
    }
    fprintf(p->to, "</g>\n");
}

void svg_bars(struct svg_panel *p, const double *y, unsigned n, const char *colour)
{
    double bottom = p->top + p->height, width = p->width / n;

    fprintf(
        p->to,
        "<path fill=\"%s\" fill-opacity=\"0.25\" stroke=\"%s\" stroke-width=\"1.4\" d=\"M%.1f %.1f",
        colour, colour, p->left, bottom);
    for (unsigned i = 0; i < n; i++)
        fprintf(p->to, "V%.1fH%.1f", py(p, y[i]), p->left + (i + 1) * width);
    fprintf(p->to, "V%.1fZ\"/>\n", bottom);
}

void svg_spans(struct svg_panel *p, const struct plot_spans *s, bool again, const char *colour,
               double width)
{
    struct path path = {.to = p->to, .colour = colour, .width = width};
    double x = -10, low = 0, high = 0; /* of what is not drawn yet: low is down, so the larger y */

    path_begin(&path);
    for (size_t i = 0; i <= s->n; i++) {
        bool more = i < s->n, take = more && s->at[i].again == again;
        double nx = take ? px(p, s->at[i].t) : x;
        double from = take ? py(p, (double)s->at[i].from) : low;
        double to = take ? py(p, (double)s->at[i].to) : high;

        if (more && !take)
            continue;
        /* one that continues the last one in the same place */
        if (more && fabs(nx - x) < NEAR && from <= low + NEAR && to <= high &&
            from >= high - NEAR) {
            high = to;
            continue;
        }
        if (x > -10) {
            fprintf(p->to, "M%.1f %.1fV%.1f", x, low, low - high < 1 ? low - 1 : high);
            path_break(&path, x, low);
        }
        x = nx;
        low = from;
        high = to;
    }
    path_end(&path);
}

void svg_marks(struct svg_panel *p, const struct plot_spans *s, const char *colour)
{
    double x = -10, y = -10;

    fprintf(p->to, "<g fill=\"%s\" stroke=\"#fff\" stroke-width=\"0.5\">\n", colour);
    for (size_t i = 0; i < s->n; i++) {
        double nx = px(p, s->at[i].t);
        double ny = py(p, ((double)s->at[i].from + (double)s->at[i].to) / 2);

        if (!s->at[i].again || (fabs(nx - x) < 2 && fabs(ny - y) < 2))
            continue;
        fprintf(p->to, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.2\"/>\n", nx, ny);
        x = nx;
        y = ny;
    }
    fprintf(p->to, "</g>\n");
}
