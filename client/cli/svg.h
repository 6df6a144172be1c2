/* SPDX-License-Identifier: MIT */
/*
 * Panels of a chart as SVG: axes with round numbers and units, grids, legends, step lines, points
 * and spans. What falls onto the same half of a pixel is drawn once, so a picture stays small
 * however long the flow is.
 */
#ifndef TS_CLIENT_CLI_SVG_H
#define TS_CLIENT_CLI_SVG_H

#include "client/cli/plotdata.h"

#include <stdio.h>

struct svg_panel {
    FILE *to;
    double left, top, width, height; /**< pixels */
    double x_most, y_most;           /**< both axes begin at 0 */
    double unit;                     /**< of y: what one of its unit is */
    unsigned legends;
};

void svg_begin(FILE *to, unsigned width, unsigned height, const char *title, const char *note);
void svg_end(FILE *to);

/** A unit for values up to `most`: *unit is what it stands for. bytes: "bytes", "kB" …; bits:
 * "bit/s", "kbit/s" … */
const char *svg_unit(double most, bool bits, double *unit);
/** A round number of `about` steps over [0, most]: their size. */
double svg_step(double most, unsigned about);

/** Frame, grid, ticks and the name of the y axis; `last`: with the time axis' name. y_most grows to
 * the next round number. */
void svg_axes(struct svg_panel *p, const char *y_name, bool last);

/** width: of the stroke, pixels. */
void svg_steps(struct svg_panel *p, const struct plot_series *s, const char *colour, double width);
void svg_line(struct svg_panel *p, const struct plot_series *s, const char *colour);
void svg_dots(struct svg_panel *p, const struct plot_series *s, const char *colour);
void svg_bars(struct svg_panel *p, const double *y, unsigned n, const char *colour);
/** Those that were sent again (or not). width: of the stroke, pixels. */
void svg_spans(struct svg_panel *p, const struct plot_spans *s, bool again, const char *colour,
               double width);

/** A mark in the middle of each that was sent again. */
void svg_marks(struct svg_panel *p, const struct plot_spans *s, const char *colour);

/** The next entry of the panel's legend, from the left. */
void svg_legend(struct svg_panel *p, const char *text, const char *colour);

#endif
