#!/bin/bash
# SPDX-License-Identifier: MIT
# Node's http, fetch and net: keep-alive, pipelining, streams of files, half-open sockets, clusters that pass handles.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
. "$(dirname "$0")/sides.sh"
ts_enter prog-node "$@"

export no_proxy='*'
P=$NET/programs FILE=$TS_DIR/file
head -c 20000000 /dev/urandom >"$FILE"
ts_start
dig_hole

HTTP=8000 NET_PORT=8001 RR=8002 NONE=8003
for at in kernel preload seccomp; do
    serve $at $HTTP http node "$P/node_server.js" http PORT "$FILE"
    serve $at $NET_PORT net node "$P/node_server.js" net PORT
    serve $at $RR cluster-rr node "$P/node_server.js" cluster-rr PORT
    serve $at $NONE cluster-none node "$P/node_server.js" cluster-none PORT
done
serving

# row PROGRAM CHECK WHAT
row() {
    works "Node $1" "$MODE" "$SIDE" "$3" passed "$2"
}
try() {
    by_side "$MODE" "$SIDE" 0
    try_all node "$P/node_client.js" "$TO" $((TO_PORT + HTTP)) $((TO_PORT + NET_PORT)) $((TO_PORT + RR)) \
        $((TO_PORT + NONE)) "$FILE" "$SEEN"
    row http agent "200 posts by an agent's 10 connections, byte by byte"
    row http parallel "200 posts by 200 connections, byte by byte"
    row http pipelined "100 pipelined requests, answered in order"
    row http streams "20 MB piped from a file and from the network, by SHA-256"
    row http client "the server sees the client's address"
    row fetch fetch "50 posts and 50 gets at once, byte by byte"
    row net halfopen "each end sends 1 MB, or its answer, after the other's FIN, by SHA-256"
    row net close "a server closes (refused), its connection lives, and it listens again"
    row net errors "ECONNREFUSED, ECONNRESET, a time-out and an aborted connect"
    row net families "autoSelectFamily goes on after an IPv6 address that cannot be reached"
    row child_process handle "a child sends on its parent's connection"
    row cluster rr "the primary passes 60 connections to two workers, byte by byte"
    row cluster none "two workers share a listener, 60 connections, byte by byte"
}
all_sides
