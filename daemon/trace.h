/* SPDX-License-Identifier: MIT */
/*
 * Traces and figures of connections for whoever may see them: everybody sees figures, as `tapstack
 * ss` shows them to everybody; a trace is for the connection's owner and for administrators. It
 * goes through a memory file (ipc/tracefile.h) and lives as long as its client.
 */
#ifndef TS_DAEMON_TRACE_H
#define TS_DAEMON_TRACE_H

#include "daemon/control.h"

/** Answer FIGURES. */
void trace_figures(struct client *cl, const struct wire_header *h, const struct wire_id *which);
/** Answer TRACE. */
void trace_begin(struct client *cl, const struct wire_header *h, const struct wire_trace *want);
/** The client has gone. */
void trace_drop(struct client *cl);

#endif
