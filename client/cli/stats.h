/* SPDX-License-Identifier: MIT */
/* What the parts of `tapstack stats` share: stats.c asks and prints, prometheus.c exposes. */
#ifndef TS_CLIENT_CLI_STATS_H
#define TS_CLIENT_CLI_STATS_H

#include "ipc/wire.h"

#include <stddef.h>
#include <stdio.h>

/**
 * The counters in Prometheus's text format (exposition format 0.0.4): tapstack_NAME_total, gauges
 * tapstack_NAME. Names that differ only in a reason become one name with the label `reason`.
 */
void prometheus_print(FILE *to, const struct wire_counter *list, size_t n);

#endif
