#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tapstack explain and plot over a real daemon: who holds a connection back, under conditions that are
# made (a program that writes little, a peer that does not read, our own program that does not, a
# rate that was asked for, a lossy path), and pictures of the last one, live and from a capture.
. "$(dirname "$0")/lib.sh"
ts_enter explain "$@"
. "$NET/relay.sh"

# program NAME STACK CODE: Python in the background; it says so when it is ready.
program() {
    local run=()
    [ "$2" = kernel ] || run=(ts_run)
    ts_spawn "${run[@]}" "$PYTHON" -c "
import socket, sys, time
US, PEER, FAR = '$US', '$PEER', '$FAR'
$3" >"$TS_DIR/$1" 2>"$TS_DIR/$1.errors"
}
ready() { ts_until 10 grep -q ready "$TS_DIR/$1"; }
established() { ts_tool ss | grep -q "ESTAB.*:$1"; }
# verdict SECONDS PORT WANTED [CONDITION]: what held it back, and what must hold of its statement v
verdict() {
    ts_tool explain --for "$1" --json ":$2" >"$TS_DIR/verdict" || return 1
    "$PYTHON" -c "
import json
d = json.load(open('$TS_DIR/verdict'))
print(json.dumps(d, indent=1))
assert d['held_back_by'] in '$3'.split('|'), d['held_back_by']
v = d['statements'][0]
assert ${4:-True}
assert all(s['counters'] for s in d['statements'])
assert any(s['kind'] == 'path' and 'round trip' in s['says'] for s in d['statements'])"
}

ts_start
# One round for all of them: each has a port of its own.
program sink kernel "
ls = [socket.create_server((PEER, p)) for p in (9101, 9103)]
slow = socket.create_server((PEER, 9102))
print('ready', flush=True)
import threading
def drain(l):
    c, a = l.accept()
    while c.recv(1 << 20): pass
for l in ls: threading.Thread(target=drain, args=(l,), daemon=True).start()
c, a = slow.accept()
time.sleep(60)"
ready sink
program source kernel "
l = socket.create_server((PEER, 9104)); print('ready', flush=True)
c, a = l.accept()
while True: c.sendall(bytes(65536))"
ready source
program little ours "
s = socket.create_connection((PEER, 9101))
while True: s.send(bytes(500)); time.sleep(0.02)"
program much ours "
s = socket.create_connection((PEER, 9102))
while True: s.sendall(bytes(65536))"
program paced ours "
s = socket.create_connection((PEER, 9103))
s.setsockopt(socket.SOL_SOCKET, 47, 1000000)
while True: s.sendall(bytes(65536))"
program deaf ours "
s = socket.create_connection((PEER, 9104)); time.sleep(60)"
for port in 9101 9102 9103 9104; do ts_until 10 established $port; done
sleep 0.3 # the windows fill

check "a program that writes little" verdict 0.4 9101 program "v['share'] > 0.9 and v['helps']"
check "a peer that does not read" verdict 0.3 9102 rwnd "v['share'] > 0.9 and 'too slowly' in v['helps']"
check "a rate that was asked for" verdict 0.4 9103 pacing "v['share'] > 0.5 and '8.00 Mbit/s' in v['helps']"
check "our own program that does not read" verdict 0.3 9104 reader "v['share'] > 0.9"
check "over its whole life, in words" sh -c "'$BUILD/tapstack' explain :9102 | grep -Eq '^ *[0-9.]+ %  the peer.s receive window was full'"
check "no such connection is status 1" sh -c "'$BUILD/tapstack' explain :1; [ \$? = 1 ]"
# Whoever does not read would have the daemon wait for him.
kill "${TS_PIDS[@]}" 2>/dev/null
ts_stop

# A long path with losses, and its pictures.
picture() {
    "$PYTHON" -c "
import re, sys, xml.dom.minidom
text = open('$1').read()
xml.dom.minidom.parseString(text)
for word in sys.argv[1:]:
    assert word in text, word
path = max(re.findall(r' d=\"([^\"]*)\"', text), key=len)
assert len(path) > 200, path
print(len(text))
assert len(text) < 3000000" "${@:2}"
}
if relay_topology >"$TS_DIR/topology" 2>&1 && relay_start rate=20M,delay=15ms,queue=40ms,loss=5,seed=7 \
    rate=20M,delay=15ms && relay_daemon --capture "$TS_DIR/path.pcap"; then
    ts_spawn ts_tool plot --new --for 1.2 -o "$TS_DIR/live.svg" :9105 2>"$TS_DIR/plot.errors"
    plot=$TS_PID
    TS_EXEC="exec" far "$PYTHON" -c "
import socket
l = socket.create_server(('$FAR', 9105)); print('ready', flush=True)
c, a = l.accept()
while c.recv(1 << 20): pass" >"$TS_DIR/far" &
    TS_PIDS+=($!)
    ready far
    program long ours "
s = socket.create_connection((FAR, 9105))
while True: s.sendall(bytes(65536))"
    ts_until 10 established 9105
    check "a lossy path: the window or the repair, and why" verdict 1 9105 "cwnd|recovery" \
        "'losses' in v['says'] and any('sent again' in s['says'] for s in d['statements'])"
    check "a plot of it while it goes" ts_until 10 ts_gone "$plot"
    check "has all of its curves" picture "$TS_DIR/live.svg" "sent again" "SACK blocks" "congestion window" \
        "edge of the receiver" "round trip (ms)" "time (s)" "$NEAR_OURS:" "$FAR:9105"
    kill -USR1 "$TS_DAEMON"
    sleep 0.1
    check "a plot of its capture" ts_tool plot -o "$TS_DIR/capture.svg" "$TS_DIR/path.pcap"
    check "has the same, but what no capture knows" picture "$TS_DIR/capture.svg" "sent again" "SACK blocks" \
        "in flight" "edge of the receiver" "of each acknowledgement" "from a capture"
    check "a file that is none is said to be" sh -c "! '$BUILD/tapstack' plot -o '$TS_DIR/x.svg' '$TS_LOG' 2>&1 | grep -q ready && \
        '$BUILD/tapstack' plot -o '$TS_DIR/x.svg' '$TS_LOG' 2>&1 | grep -qi 'unknown file format\|truncated'"
    [ -z "${TS_KEEP:-}" ] || cp "$TS_DIR"/*.svg "$TS_KEEP"
    kill "$TS_PID"
    ts_stop "the daemon on the bridge is alive, and ends in order"
    relay_stop
else
    skip "a lossy path and its pictures" "no second network namespace, or no bridge"
    ts_stop
fi
ts_done
