#!/bin/bash
# SPDX-License-Identifier: MIT
# Python's standard library: asyncio, threads, forked and spawned servers, selectors, time-outs, sockets passed on.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
. "$(dirname "$0")/sides.sh"
ts_enter prog-python "$@"

export no_proxy='*' PYTHONDONTWRITEBYTECODE=1
P=$NET/programs FILE=$TS_DIR/file WWW=$TS_DIR/www
mkdir "$WWW"
head -c 5000000 /dev/urandom >"$FILE"
ts_start
dig_hole

# ---------------------------------------------------------------------- the servers
declare -A PORT=([asyncio]=8000 [httpd]=8001 [forking]=8002 [passing]=8003 [sharing]=8004
    [selecting]=8005 [polling]=8006 [silent]=8007)
start_servers() {
    local at=$1 kind
    serve "$at" "${PORT[asyncio]}" asyncio "$PYTHON" "$P/python_asyncio.py" server 0.0.0.0 PORT "$FILE"
    serve "$at" "${PORT[httpd]}" httpd "$PYTHON" "$NET/httpd.py" 0.0.0.0 PORT "$WWW"
    for kind in forking passing sharing selecting polling silent; do
        serve "$at" "${PORT[$kind]}" $kind "$PYTHON" "$P/python_servers.py" $kind 0.0.0.0 PORT
    done
}
start_servers kernel
start_servers preload
start_servers seccomp
serving

# ---------------------------------------------------------------------- the clients
# client PROGRAM CHECK [ARGUMENT...]: CHECK of python_PROGRAM.py
client() {
    on "$CLIENT_AT" timeout 90 "$PYTHON" "$P/python_$1.py" "$2" "$TO" "$TO_PORT" "${@:3}" >"$TS_DIR/said" ||
        { tail -n 30 "$TS_DIR/$SERVER-$SERVER_AT" | sed 's/^/server: /' && return 1; }
}
asyncio() { client asyncio "$1" "$FILE"; }
# answers TEXT COMMAND...: that is all it says
answers() {
    "${@:2}" || return 1
    [ "$(cat "$TS_DIR/said")" = "$1" ] || { cat "$TS_DIR/said" && return 1; }
}
seen() { answers "$SEEN" "$@"; }

# row PROGRAM SERVER WHAT COMMAND...
row() {
    SERVER=$2
    by_side "$MODE" "$SIDE" "${PORT[$2]}"
    works "Python $1" "$MODE" "$SIDE" "${@:3}"
}
try() {
    row asyncio asyncio "302 streams at once, byte by byte" asyncio many
    row asyncio asyncio "loop.sendfile both ways, by SHA-256 and byte by byte" asyncio sendfile
    row asyncio asyncio "a server closes its listener (refused), and listens again" asyncio close
    row asyncio asyncio "a reset is a ConnectionResetError" asyncio reset
    row asyncio asyncio "wait_for gives up a connect and a read" asyncio giving_up
    row asyncio asyncio "the server sees the client's address" seen asyncio peer
    row ThreadingHTTPServer httpd "http.client in 16 threads, kept alive, byte by byte" client clients web
    row ForkingTCPServer forking "40 connections in 40 processes, byte by byte" answers 40 client clients threads
    row send_fds passing "40 connections passed to 3 processes, byte by byte" answers 3 client clients threads
    row multiprocessing sharing "40 connections accepted by 3 processes, byte by byte" client clients threads
    row selectors selecting "100 non-blocking connections by epoll, byte by byte" client clients selecting
    row selectors polling "100 non-blocking connections by poll, byte by byte" client clients selecting
    row socket silent "time-outs of connect, recv and sendall; a refused connect" client clients timeouts
    # what the client does with its own descriptor is the same for every server
    [ "$SIDE" = server ] ||
        row send_fds selecting "a spawned child sends on its parent's connection" client clients passing
}
all_sides
