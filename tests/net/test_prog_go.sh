#!/bin/bash
# SPDX-License-Identifier: MIT
# Go's net and net/http, which make their own system calls: static, with cgo, and as a PIE without a build id.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
. "$(dirname "$0")/sides.sh"
ts_enter prog-go "$@"

export no_proxy='*'
# With sanitizers: the cgo program is dynamic, and what goes into it comes before the runtime.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0
FILE=$TS_DIR/file WEB=$BUILD/tests/net/web NET_PROGRAM=$BUILD/tests/net/gonet
head -c 20000000 /dev/urandom >"$FILE"
ts_start
dig_hole

# Nobody asks for the supervisor: `tapstack run` sees that these programs need it. (Their ports are
# those of what is run so.)
WAY=preload
declare -A PORT=([web]=8000 [static]=8001 [cgo]=8002 [pie]=8003)
for at in kernel $WAY; do
    serve "$at" 0 web "$WEB" serve "0.0.0.0:$(port_on "$at" "${PORT[web]}")"
    for build in static cgo pie; do
        serve "$at" 0 $build "$NET_PROGRAM-$build" serve ":$(port_on "$at" "${PORT[$build]}")" "$FILE"
    done
done
serving

# row PROGRAM WHAT COMMAND...
row() {
    works "Go $1" seccomp "$SIDE" "${@:2}"
}
web() {
    on "$CLIENT_AT" timeout 60 "$WEB" "$1" "http://$TO:$TO_PORT" "${@:2}"
}
try_web() {
    by_side $WAY "$SIDE" "${PORT[web]}"
    row "net/http" "1,000 requests, 100 at once, byte by byte" web fetch 20000 1000 100
    row "net/http" "50 requests on one connection, byte by byte" web keep 100000 50
    row "net/http" "a request cancelled in its midst, of which the server hears" web cancel 2000000
    row "net/http" "an upload of 20 MB, byte by byte" web put 20000000
}
try_net() {
    local build=$1 program="net ($1)"
    by_side $WAY "$SIDE" "${PORT[$build]}"
    try_all "$NET_PROGRAM-$build" try "$TO:$TO_PORT" "$FILE" "$SEEN"
    row "$program" "the server sees the client's address" passed peer
    row "$program" "100 connections at once, byte by byte" passed many
    row "$program" "CloseWrite: the answer comes after it, by SHA-256" passed closeWrite
    row "$program" "io.Copy by sendfile and by splice, 20 MB by SHA-256" passed copying
    row "$program" "deadlines of read, write and accept, set before and during them" passed deadlines
    row "$program" "a dial whose context is cancelled, that times out, that is refused" passed dialing
    row "$program" "Close ends a read and an accept that wait" passed closing
    row "$program" "a reset is ECONNRESET" passed reset
    row "$program" "a listener closes (refused), its connection lives, and it listens again" passed listener
    row "$program" "options, set and read by RawConn" passed options
    row "$program" "File, FileConn, and a child that is executed with it" passed passing
}
for SIDE in client server both; do
    try_web
    for build in static cgo pie; do try_net $build; done
done

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
programs_done
