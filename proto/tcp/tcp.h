/* SPDX-License-Identifier: MIT */
/*
 * TCP inside the core: the connection (tcb.h), its segments (segment.h), and what the rooms of
 * proto/tcp/ call of each other.
 *
 * A segment is a range of the stream (design idea 4): the bytes lie in the connection's bytestream
 * from the program's write to the peer's acknowledgement, and segments, retransmissions and the
 * scoreboard refer to them by sequence number. Only proto/ includes this file.
 */
#ifndef TS_PROTO_TCP_TCP_H
#define TS_PROTO_TCP_TCP_H

#include "proto/tcp/conn/conn.h"
#include "proto/tcp/ecn.h"
#include "proto/tcp/input/input.h"
#include "proto/tcp/loss/loss.h"
#include "proto/tcp/output/output.h"
#include "proto/tcp/tcb.h"

#endif
