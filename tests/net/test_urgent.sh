#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Urgent data crosses both ways between a plain program on our TCP and one on the kernel's.
. "$(dirname "$0")/lib.sh"
ts_enter urgent "$@"

EXPECTED=$(printf 'pri True\nurgent U\nbefore abc\nafter def')

on_kernel() {
    ${TS_EXEC:-} "$PYTHON" "$NET/urgent.py" "$@"
}

on_ours() {
    ts_run "$PYTHON" "$NET/urgent.py" "$@"
}

exchange() {
    local server=$1 client=$2 address=$3 port=$4 pid
    ts_spawn "$server" listen "$address" "$port" >"$TS_DIR/server" 2>"$TS_DIR/server.err"
    pid=$TS_PID
    ts_until 30 grep -q listening "$TS_DIR/server.err" || return 1
    "$client" connect "$address" "$port" >"$TS_DIR/client" || return 1
    wait "$pid" || return 1
    cat "$TS_DIR/client" "$TS_DIR/server"
    [ "$(cat "$TS_DIR/client")" = "$EXPECTED" ] && [ "$(cat "$TS_DIR/server")" = "$EXPECTED" ]
}

ts_start
check "our program connects, the kernel's listens" exchange on_kernel on_ours "$PEER" 7101
check "our program listens, the kernel's connects" exchange on_ours on_kernel "$US" 7102
ts_stop
ts_done
