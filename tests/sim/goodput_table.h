/* SPDX-License-Identifier: MIT */
/*
 * The rows of docs/goodput.tsv: one flow by loss, round trip and algorithm; 2 to 16 flows of one
 * algorithm or of two that share a bottleneck.
 */
#ifndef TS_TESTS_SIM_GOODPUT_TABLE_H
#define TS_TESTS_SIM_GOODPUT_TABLE_H

#include "tests/sim/flows.h"

#include <stdio.h>

#define GOODPUT_RATE     100000000ull /**< bits per second */
#define GOODPUT_TSV      "docs/goodput.tsv"
#define GOODPUT_MARKDOWN "docs/goodput.md"

struct goodput_row {
    const char *first, *second; /**< algorithms; the same, or every other flow has the second */
    unsigned flows;
    uint32_t rtt_ms, loss_ppm;
    struct flows_result result;
};

/** The i-th row of those whose algorithms the core has; false behind the last one. */
bool goodput_row(unsigned i, struct goodput_row *out);

/** Fill in the result. */
void goodput_measure(struct goodput_row *row);

/** What the lines of the table are called, and one of them; without a newline. */
const char *goodput_header(void);
void goodput_format(const struct goodput_row *row, char *out, size_t room);

/** The same for people: measured rows, in the order of goodput_row(). */
void goodput_markdown(const struct goodput_row *rows, unsigned n, FILE *f);

#endif
