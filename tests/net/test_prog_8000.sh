#!/bin/bash
# SPDX-License-Identifier: MIT
# 8,000 connections held at once by one nginx worker: all are served, twice, and they leave nothing behind.
. "$(dirname "$0")/lib.sh"
. "$NET/programs.sh"
. "$NET/programs/nginx.sh"
ts_enter prog-8000 "$@"

N=8000
# The daemon and the worker have one descriptor for each; the daemon keeps some 1,600 in reserve.
if [ "$(ulimit -Hn)" != unlimited ] && [ "$(ulimit -Hn)" -lt $((N + 2000)) ]; then
    echo "1..0 # SKIP no process may have more than $(ulimit -Hn) descriptors"
    exit 0
fi
ulimit -Sn "$(ulimit -Hn)"
sysctl -qw net.ipv4.ip_local_port_range="1024 65535" # what was closed waits for a minute

established() {
    ts_tool ss | grep -c '^ESTAB'
}
resident() {
    awk '$1 == "VmRSS:" { print $2 }' /proc/"$TS_DAEMON"/status
}

# said WORD: what `hold` does next is done when it has said so
said() {
    local line
    read -r line <&"${HOLD[0]}"
    [ "$line" = "$1 $N" ] || { cat "$TS_DIR/hold" && return 1; }
}
# held: connect, ask, look, ask once more, close
held() {
    local pid
    coproc HOLD { exec "$BUILD/tests/net/programs/hold" "$US" 8001 "$N" 2>"$TS_DIR/hold"; }
    pid=$HOLD_PID
    said served || return 1
    echo "descriptors: the daemon $(ts_descriptors "$TS_DAEMON"), the worker $(ts_descriptors "$WORKER");" \
        "connections: $(established)"
    [ "$(ts_descriptors "$WORKER")" -ge "$N" ] && [ "$(established)" = "$N" ] || return 1
    resident >"$TS_DIR/resident"
    echo >&"${HOLD[1]}"
    said again || return 1
    echo >&"${HOLD[1]}"
    said closed || return 1
    echo >&"${HOLD[1]}"
    wait "$pid"
}
# Only the listener: one that is still closing has its descriptor.
none() {
    [ "$(established)" = 0 ] && [ "$(ts_stat usage_connections)" = 1 ]
}
# back DAEMON WORKER [MORE]: so many descriptors (the daemon may have some more), and nothing but the listener
back() {
    local now
    now=$(ts_descriptors "$TS_DAEMON")
    echo "descriptors: the daemon $now of $1, the worker $(ts_descriptors "$WORKER") of $2"
    none && [ "$now" -ge "$1" ] &&
        [ "$now" -le $(($1 + ${3:-0})) ] && [ "$(ts_descriptors "$WORKER")" = "$2" ]
}
# quit: nginx ends, and the daemon has the descriptors that it had before
quit() {
    kill -QUIT "$NGINX"
    ts_until 10 ts_gone "$NGINX" && ts_until 10 as_at_start
}
as_at_start() {
    [ "$(ts_descriptors "$TS_DAEMON")" = "$START" ]
}
# resident_most KIB: the daemon gives memory back when it has not been needed for five seconds
resident_most() {
    echo "$(resident) KiB, at most $1"
    [ "$(resident)" -le "$1" ]
}
run_by() {
    ${TS_EXEC:-} "$BUILD/tapstack" run "$@"
}
# serve MODE COMMAND...
serve() {
    # It closes idle connections when less than a sixteenth is free.
    nginx_config "$1" "$US:8001 backlog=1024" "$TS_DIR" WORKERS=1 CONNECTIONS=$((N * 9 / 8))
    nginx_start "$@"
    WORKER=$(nginx_workers)
    # Its first connection brings a control connection along, which stays.
    curl -sS -o /dev/null http://$US:8001/say/x
    ts_until 5 none
    BEFORE="$(ts_descriptors_at_rest "$TS_DAEMON") $(ts_descriptors_at_rest "$WORKER")"
}

# The address sanitizer keeps what was freed: a little of it will do here.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}quarantine_size_mb=4
ts_start
START=$(ts_descriptors_at_rest "$TS_DAEMON")
serve preload run_by --
# The first time tables grow to their size, which they keep: connections by their addresses, descriptors by their
# cookies (some 3 MiB). The connections' own memory goes back to the machine.
works nginx preload server "8,000 connections held by one worker, each served, and all once more" held
# shellcheck disable=SC2086 # two words
check "the descriptors of the daemon and of the worker are back" ts_until 10 back $BEFORE
limit=$(($(cat "$TS_DIR/resident") / 2))
# The address sanitizer keeps what was freed; that build checks for leaks when the daemon ends.
[[ $BUILD != */san ]] || limit=$(($(cat "$TS_DIR/resident") * 4))
check "most of the daemon's memory went back" ts_until 15 resident_most $limit
first=$(resident)
works nginx preload server "and another 8,000" held
# shellcheck disable=SC2086
check "the descriptors are back once more" ts_until 10 back $BEFORE
[[ $BUILD == */san ]] || limit=$((first * 105 / 100))
check "the daemon's memory is within 5 % of that before" ts_until 15 resident_most $limit
check "nothing of nginx is left in the daemon" quit
serve seccomp run_by --seccomp --
works nginx seccomp server "8,000 connections held by one worker, each served, and all once more" held
# shellcheck disable=SC2086
check "the descriptors are back, but for the supervisor's threads' own" ts_until 10 back $BEFORE 8
check "and the memory" ts_until 15 resident_most $limit
check "nothing of nginx and its supervisor is left in the daemon" quit
ts_stop
programs_done
