#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Four workers: every byte of many connections both ways, whoever has them; and what spans workers: a
# listener, ports, options, tunables, lists, quotas, shared rings, a program's death.
. "$(dirname "$0")/lib.sh"
ts_enter workers "$@"
N=4

printf '[tapstack]\n[user 4001]\nconnections = 6\n' >"$TS_DIR/conf"
unset TS_WORKERS
ts_start --config "$TS_DIR/conf" --workers $N
here() { # here ARGUMENT...: workers.py on the stack
    ts_run "$PYTHON" "$NET/workers.py" "$@"
}
there() { # on the kernel's
    ${TS_EXEC:-} "$PYTHON" "$NET/workers.py" "$@"
}
said() { grep -q "$1" "$TS_DIR/$2"; }
start() { # start NAME here|there ARGUMENT...: in the background, until it is ready; its input is open
    mkfifo "$TS_DIR/$1.in"
    TS_EXEC="exec" "${@:2}" <>"$TS_DIR/$1.in" >"$TS_DIR/$1" 2>&1 &
    TS_PID=$!
    TS_PIDS+=("$TS_PID")
    ts_until 10 said "ready\|held" "$1" || sed 's/^/# /' "$TS_DIR/$1"
}
tell() { echo >"$TS_DIR/$1.in"; }
switches() { # of each worker's thread
    cat "/proc/$TS_DAEMON"/task/*/comm | grep -c worker
    for task in "/proc/$TS_DAEMON"/task/*; do
        grep -q worker "$task/comm" && awk '/^voluntary/ { print $2 }' "$task/status"
    done
}

mapfile -t before < <(switches)
same "a thread for each worker but the first" $((N - 1)) "${before[0]}"
same "the interface has as many queues" $N "$(find "/proc/$TS_DAEMON/fd" -lname /dev/net/tun | wc -l)"
fds=$(ts_descriptors_at_rest "$TS_DAEMON")

check_transfer "64 at once, our program connects" kernel run 7001 200K 200K -n 64 -p 64 -w 16K
check_transfer "64 at once, the kernel connects" run kernel 7002 200K 200K -n 64 -p 64 -w 16K
check_transfer "64 at once, among ourselves" lib lib 7003 100K 100K -n 64 -p 64 -w 16K
check_transfer "shared rings" zero kernel 7004 1M 1M -n 8 -p 8
mapfile -t after < <(switches)
busy=0
for i in $(seq 1 $((N - 1))); do [ $((after[i] - before[i])) -lt 20 ] || busy=$((busy + 1)); done
same "each worker had its share" $((N - 1)) $busy
handed=$(ts_stat handed_over)
check "first frames are handed over" test "$handed" -gt 0
same "and none is lost" 0 "$(ts_stat handover_drops)"

# The next connection, whichever worker has it: one trace, one connection, and of that everything.
maps() { grep -c memfd:tapstack-trace "/proc/$TS_DAEMON/maps"; }
armed() { [ "$(maps)" = "$1" ]; }
tracers() { # tracers N PORT: N of them wait
    local i
    traces=() tracing=()
    for i in $(seq "$1"); do
        ts_spawn ts_tool trace --new --json ":$2" >"$TS_DIR/trace.$2.$i"
        traces+=("$TS_DIR/trace.$2.$i") tracing+=("$TS_PID")
    done
    ts_until 10 armed "$1"
}
told() { # all of them end, and each tells of another one
    local pid
    for pid in "${tracing[@]}"; do ts_until 20 ts_gone "$pid"; done
    "$PYTHON" "$NET/workers.py" traced 50000 "${traces[@]}"
}
tracers 1 7005
check_transfer "32 at once while the next one is traced" kernel run 7005 50000 50000 -n 32 -p 32
same "one of those that we open is, alone" "1 active 0 passive" "$(told)"
tracers 1 7006
check_transfer "32 at once, the kernel connects" run kernel 7006 50000 50000 -n 32 -p 32
same "one of those that we accept is, alone, from its SYN on" "0 active 1 passive" "$(told)"
tracers 6 7007
check_transfer "24 at once, six are traced" kernel run 7007 50000 50000 -n 24 -p 24
same "six of those that we open" "6 active 0 passive" "$(told)"
tracers 6 7008
check_transfer "24 at once, the kernel connects" run kernel 7008 50000 50000 -n 24 -p 24
same "six of those that we accept" "0 active 6 passive" "$(told)"
tracers 3 7009
kill "${tracing[@]}"
check "tracers that have gone leave nothing" ts_until 10 armed 0

start kernel there echo $PEER 7010
same "fixed ports, options and all, wherever the connection belongs" "8 8" \
    "$(here fixed $PEER 7010 $(seq 6001 6008))"
same "a port that one has is nobody else's" "8 8" "$(here ports)"

ts_tool set tcp_keepalive_time 1234 >/dev/null
same "a tunable is set for all" 1234 "$(here options)"
as() { setpriv --reuid=4001 --regid=4001 --clear-groups "$@"; }
if as true 2>/dev/null; then
    same "a user's sockets are counted together" "6 EMFILE" \
        "$(as "$BUILD/tapstack" --socket "$TS_SOCK" run -- "$PYTHON" -c "$(cat "$NET/workers.py")" sockets)"
    traces=("$TS_DIR/trace.owner")
    ts_spawn as "$BUILD/tapstack" --socket "$TS_SOCK" trace --new --json :7010 >"${traces[0]}"
    tracing=("$TS_PID")
    ts_until 10 armed 1
    here fixed $PEER 7010 $(seq 6201 6208) >/dev/null
    same "a user's trace waits for none of root's" "" "$(cat "${traces[0]}")"
    as "$BUILD/tapstack" --socket "$TS_SOCK" run -- "$PYTHON" -c "$(cat "$NET/workers.py")" fixed $PEER 7010 6211 >/dev/null
    same "but for the user's own" "1 active 0 passive" "$(told)"
fi

# A listener that does not accept, with connections at all workers; then it does.
start waiting here wait $US 7011 12
for i in $(seq 12); do
    ts_spawn "$PYTHON" -c "import socket, sys
c = socket.create_connection(('$US', 7011), 10)
c.sendall(b'hello'); c.shutdown(socket.SHUT_WR)
sys.exit(c.recv(9) != b'hello')"
    clients+=("$TS_PID")
done
listed() { ts_tool ss -l | awk '/:7011/ { n++; q = $2 } END { print n "x" q }'; }
all_wait() { [ "$(listed)" = 1x12 ]; }
ts_until 10 all_wait
same "a listener is listed once, with all that waits" 1x12 "$(listed)"
tell waiting
bad=0
for pid in "${clients[@]}"; do wait "$pid" || bad=$((bad + 1)); done
same "and all are served" 0 $bad

# Each worker finds SYNs before it can have seen that the program has gone.
start leaving here wait $US 7013 0
kill -STOP "$TS_DAEMON"
tell leaving
ts_until 10 ts_gone "$TS_PID"
same "a listener that is closed is closed at all workers" "16 refused" "$("$PYTHON" -c "
import errno, os, select, signal, socket
c = [socket.socket() for _ in range(16)]
for s in c:
    s.setblocking(False)
    s.connect_ex(('$US', 7013))
os.kill($TS_DAEMON, signal.SIGCONT)
for s in c:
    select.select([], [s], [], 10)
print(sum(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED for s in c), 'refused')")"

start one here echo $US 7012 reuse
one=$TS_PID
start two here echo $US 7012 reuse
two=$TS_PID
there fixed $US 7012 $(seq 6101 6132) >"$TS_DIR/group"
same "an SO_REUSEPORT group" "32 32" "$(cat "$TS_DIR/group")"
shares() { grep -c accepted "$TS_DIR/$1"; }
same "both of it have a share, together all" "1 1 32" \
    "$(($(shares one) > 0)) $(($(shares two) > 0)) $(($(shares one) + $(shares two)))"

ts_tool set "rto-min=$PEER 50ms" >/dev/null
start holder there hold $US 7012 40
start ours here hold $PEER 7010 40
ours=$TS_PID
same "ss lists what each has" 80 "$(ts_tool ss | awk '$1 == "ESTAB"' | wc -l)"
same "a destination's floor of the time-out is everywhere" 80 \
    "$(ts_tool ss -i | grep -o ' rto:[0-9]*' | awk -F: '$2 >= 50 && $2 < 200' | wc -l)"
kill -KILL "$one" "$two" "$ours"
tell holder
ts_until 10 said ended holder
same "a program that is killed ends its connections" "ended 40" "$(tail -n 1 "$TS_DIR/holder")"
gone() { [ "$(ts_stat usage_sockets)" = 0 ] && [ "$(ts_stat usage_orphans)" = 0 ] && [ "$(ts_descriptors "$TS_DAEMON")" = "$fds" ]; }
check "nothing is left, descriptors neither" ts_until 10 gone
ts_stop
ts_done
