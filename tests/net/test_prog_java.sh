#!/bin/bash
# SPDX-License-Identifier: MIT
# Java's class library: HttpClient, HttpServer, NIO and the old sockets; all are dual-stack, as a JVM makes them.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
. "$(dirname "$0")/sides.sh"
ts_enter prog-java "$@"

FILE=$TS_DIR/file CLASSES=$TS_DIR/classes
head -c 20000000 /dev/urandom >"$FILE"
# -Xint would be slow; a compiler that optimizes is not worth it for two seconds
JAVA=(java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xmx512m -cp "$CLASSES")
check "the programs compile" javac -Xlint:all -Werror -d "$CLASSES" "$NET"/programs/Java*.java || ts_done
ts_start
dig_hole

HTTP=8000 NIO=8001 SOCKET=8002
for at in kernel preload seccomp; do
    serve $at 0 java "${JAVA[@]}" JavaServers "$(port_on $at $HTTP)" "$(port_on $at $NIO)" \
        "$(port_on $at $SOCKET)" "$FILE"
done
serving

# row CLASS CHECK WHAT
row() {
    works "Java $1" "$MODE" "$SIDE" "$3" passed "$2"
}
try() {
    by_side "$MODE" "$SIDE" 0
    try_all "${JAVA[@]}" JavaClient "$TO" $((TO_PORT + HTTP)) $((TO_PORT + NIO)) $((TO_PORT + SOCKET)) \
        "$FILE" "$SEEN" "$TS_DIR"
    row HttpClient httpParallel "100 posts at once, byte by byte"
    row HttpClient httpFile "20 MB up by SHA-256 and down byte by byte"
    row HttpClient httpTimeouts "time-outs of a connect and a request; a refused connect"
    row HttpURLConnection urlConnection "20 posts, kept alive, byte by byte"
    row HttpServer seenAddress "the server sees the client's address"
    row Selector selector "100 connections, gathering writes, byte by byte"
    row FileChannel transfer "transferTo a socket, 20 MB by SHA-256"
    row AsynchronousSocketChannel asynchronous "an echo, byte by byte"
    row Socket threads "100 connections by 20 threads, with an urgent byte, byte by byte"
    row Socket timeouts "SO_TIMEOUT of read, accept and connect; a refused connect"
    row Socket reset "a reset is a SocketException"
    row SocketChannel options "every option that it supports, read and set"
    row ServerSocket close "it closes (refused), its connection lives, and it listens again"
    row Socket closedWhileBlocked "blocked calls end when the socket is closed or the thread interrupted"
}
all_sides
