#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The daemon dies, or is stopped, while programs run: with the shim and supervised. Then there is a
# new one, and the same processes find it. restart.py is the program.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/sides.sh"
ts_enter restart "$@"

WEB=$BUILD/tests/net/web
ts_start
dig_hole
ts_spawn "$PYTHON" "$NET/echo.py" server 0.0.0.0 8000 >"$TS_DIR/echo" 2>&1
ts_until 30 ts_listening "$TS_DIR/echo"

# begin OPTION... -- CASE PORT: the program, up to its first step
begin() {
    local options=()
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    export GO=$TS_DIR/go
    rm -f "$GO"
    mkfifo "$GO"
    ts_spawn timeout 120 "$BUILD/tapstack" run "${options[@]}" -- "$PYTHON" "$NET/restart.py" "$2" "$3" \
        >"$TS_DIR/said" 2>"$TS_DIR/errors"
    program=$TS_PID
    said up || cat "$TS_DIR/errors"
}
said() {
    ts_until 30 grep -qx "$1" "$TS_DIR/said"
}
go_on() {
    printf . 1<>"$GO"
}
# line NAME WANTED FIRST-WORD [WHICH]
line() {
    ts_until 30 eval "[ \"\$(grep -c '^$3 ' '$TS_DIR/said')\" -ge ${4:-1} ]"
    same "$1" "$3 $2" "$(grep "^$3 " "$TS_DIR/said" | sed -n "${4:-1}p")"
}
end_daemon() {
    kill "-$1" "$TS_DAEMON"
    ts_until 30 ts_gone "$TS_DAEMON"
    wait "$TS_DAEMON" 2>/dev/null
    TS_DAEMON=""
} 2>/dev/null
finished() {
    local status=0
    ts_until 30 ts_gone "$program"
    wait "$program" || status=$?
    same "$1: the program ends in order" 0 "$status"
    [ -s "$TS_DIR/errors" ] && grep -v '^tapstack: cannot reach' "$TS_DIR/errors" | sed 's/^/# /'
}

connection() {
    local how=$1 signal=$2
    begin "${@:3}" -- connection 8000
    end_daemon "$signal"
    go_on
    line "$how: a read is reset, and then the end" "ECONNRESET b''" read
    line "$how: a write after it" "EPIPE" write
    line "$how: addresses are known still" "True True" names
    line "$how: an option" "ENOTCONN" option
    line "$how: a new socket" "ENETDOWN" socket
    line "$how: connect of one from before" "ENETDOWN" connect
    line "$how: listen" "ENETDOWN" listen
    said down
    ts_start
    go_on
    line "$how: the new daemon is found by the socket from before" "None" connect 2
    line "$how: and by a new one" "1" socket 2
    finished "$how"
}

two_connect() {
    [ "$(ts_tool ss | grep -c '^SYN-SENT')" = 2 ]
}
connecting() {
    local how=$1
    begin "${@:2}" -- connecting $HOLE_PORT
    ts_until 30 two_connect
    end_daemon KILL
    ts_start # so that a new daemon is asked about the old one's descriptor
    go_on
    line "$how: a connect that was under way is polled" "True" poll
    line "$how: and did not succeed" "ECONNRESET" error
    line "$how: nor did one that waited" "ENETDOWN" waiting
    finished "$how"
}

accepting() {
    local how=$1 port=$2
    begin "${@:3}" -- accept "$port"
    end_daemon KILL
    go_on
    line "$how: who waits in accept is told" "ENETDOWN" waiting
    line "$how: who polls does not spin" "ENETDOWN True True" polled
    said down
    ts_start
    go_on
    line "$how: the listener is made anew" "True EAGAIN" polled 2
    said again
    "$PYTHON" -c "
import socket, time
for port in $port, $port + 1:
    s = socket.create_connection(('$US', port), 30)
    s.sendall(b'hello')" || not_ok "$how: connect"
    go_on
    line "$how: and its epoll knows of connections" "[1] b'hello'" polled 3
    line "$how: and who waits gets one" "b'hello'" waiting 2
    finished "$how"
}

connection "shim, killed" KILL
connection "shim, stopped" TERM
connection "supervised, killed" KILL --seccomp
connection "supervised, stopped" TERM --seccomp
connecting "shim"
connecting "supervised" --seccomp
accepting "shim" 9200
accepting "supervised" 9300 --seccomp

options() {
    local how=$1 signal=$2 port=$3
    begin "${@:4}" -- options "$port"
    if [ $((port % 2)) = 1 ]; then
        "$PYTHON" -c "
import socket
socket.create_connection(('$US', $port), 5).sendall(b'hello')" || not_ok "$how: connect"
    fi
    go_on
    said accepted
    end_daemon "$signal"
    ts_start
    go_on
    line "$how: a listener is made anew" EAGAIN again
    line "$how: with its options and its backlog" "True the same" options
    finished "$how"
}
options "stopped" TERM 9500
options "killed after a connection" KILL 9501
options "supervised, killed after a connection" KILL 9503 --seccomp

# asyncio's server goes on, with the same process
begin -- loop 9400
ask() {
    "$PYTHON" -c "
import socket
s = socket.create_connection(('$US', 9400), 30)
s.sendall(b'ping')
assert s.recv(9) == b'ping'" 2>/dev/null
}
check "asyncio serves" ask
end_daemon KILL
sleep 0.3
ts_start
check "asyncio serves again after a restart" ts_until 30 ask
check "in the same process" kill "$program"

# Go: its HTTP client, which keeps connections, goes on with the next request
ts_spawn "$WEB" serve 0.0.0.0:8010 >"$TS_DIR/web"
ts_until 30 ts_listening "$TS_DIR/web"
check "a Go client after all that" timeout 20 "$BUILD/tapstack" run -- "$WEB" fetch http://$PEER:8010 1000 10 2

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
ts_done
