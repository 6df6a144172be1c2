/* SPDX-License-Identifier: MIT */
/* What the core says of a connection, as `tapstack ss` and `tapstack explain` get it. Pure. */
#ifndef TS_DAEMON_FIGURES_H
#define TS_DAEMON_FIGURES_H

#include "ipc/wire.h"
#include "proto/stack.h"

/** All but the addresses and whose it is, which stay 0. */
void figures_info(const struct sock_info *from, struct wire_info *out);

/** All but `info`; *out is zeroed by the caller. */
void figures_to_wire(const struct sock_info *from, struct wire_figures *out);

#endif
