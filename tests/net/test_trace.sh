#!/bin/bash
# SPDX-License-Identifier: MIT
#
# tapstack trace: a real transfer, each step of the send path and of the way in in order, reasons,
# names of connections, who may look, and that the ring is bounded.
. "$(dirname "$0")/lib.sh"
ts_enter trace "$@"

# traced PROGRAM: events of the file on standard input, in the list e
traced() {
    "$PYTHON" -c "
import json, sys
e = [json.loads(line) for line in sys.stdin]
def one(name, **want):
    for x in e:
        if x['event'] == name and all(x.get(k) == v for k, v in want.items()):
            return x
    raise AssertionError(f'no {name} {want}')
def follow(names, start=0):
    at = start
    for name in names:
        while at < len(e) and e[at]['event'] != name:
            at += 1
        assert at < len(e), f'{name} is missing, or out of order'
        at += 1
    return at
$1"
}
json_of() { ts_tool ss --json | "$PYTHON" -c "
import json, sys
print(next(c['$2'] for c in json.load(sys.stdin) if ':$1' in c['local'] + c['peer'] and c['state'] == 'ESTAB'))"; }
waits() { grep -q . "$TS_DIR/waits" 2>/dev/null; }
established() { ts_tool ss | grep -q "ESTAB.*:$1"; }

ts_start

# Waited for from the SYN on, from our side.
ts_spawn ts_tool trace --new --json :9001 >"$TS_DIR/out.json"
tracer=$TS_PID
sleep 0.2
check_transfer "a transfer that is traced arrives whole" kernel lib 9001 300000 200000
check "the trace ends with the connection" ts_until 10 ts_gone "$tracer"
check "an active open is traced from its SYN on" traced "
assert e[0]['event'] == 'begin' and e[1]['event'] == 'tcp_set_state' and e[1]['to'] == 'SYN-SENT', e[:2]
follow(['tcp_transmit_segment', 'ip_output', 'neigh_output', 'dev_queue_xmit', 'device_done', 'netdev_read', 'tcp_input'])
assert one('tcp_transmit_segment')['flags'] == 'SYN'
assert one('tcp_input')['flags'] == 'SYN|ACK'
assert e[-1]['event'] == 'end'" <"$TS_DIR/out.json"
check "the send path, step by step" traced "
path = ['sendto', 'tcp_sendmsg', 'tcp_send_mss', 'skb_entail', 'tcp_push', 'tcp_write_xmit',
        'tcp_transmit_segment', 'ip_output', 'neigh_output', 'dev_queue_xmit', 'device_done']
follow(path)
steps = [int(one(n)['step']) for n in path]
assert steps == sorted(steps) == [1, 3, 5, 8, 13, 14, 15, 16, 17, 18, 18], steps
sent = sum(x['len'] for x in e if x['event'] == 'tcp_transmit_segment' and x['why'] == 'first')
assert sum(x['len'] for x in e if x['event'] == 'sendto') == 300000
assert sent == 300000, sent
assert one('device_done', why='taken')['bytes'] > 0" <"$TS_DIR/out.json"
check "the way in, step by step" traced "
follow(['netdev_read', 'tcp_input', 'tcp_ack', 'tcp_data_queue', 'recvfrom'])
assert sum(x['len'] for x in e if x['event'] == 'tcp_data_queue' and x['why'] == 'in_order') >= 200000
assert sum(x['len'] for x in e if x['event'] == 'recvfrom') == 200000" <"$TS_DIR/out.json"
check "each stop has its reason, stamps are in order" traced "
stops = {x['why'] for x in e if x['event'] == 'tcp_write_xmit'}
assert 'goes' in stops and 'empty' in stops, stops
t = [x['us'] for x in e if x['event'] != 'netdev_read']
assert t == sorted(t)
assert all(0 <= b - a < 10e6 for a, b in zip(t, t[1:]))" <"$TS_DIR/out.json"

# One way only: else each ACK may ride on data, and nothing has to be decided.
ts_spawn ts_tool trace --new --json :9006 >"$TS_DIR/down.json"
tracer=$TS_PID
sleep 0.2
check_transfer "a download is traced" kernel lib 9006 0 200000
ts_until 10 ts_gone "$tracer"
check "when to acknowledge" traced "
follow(['tcp_data_queue', 'tcp_ack_decide', 'tcp_send_ack', 'ip_output'])" <"$TS_DIR/down.json"
check "the program has the bytes before the ACK leaves" traced "
first = follow(['tcp_data_queue'])
names = [x['event'] for x in e[first:]]
assert names.index('recvfrom') < names.index('tcp_send_ack'), names[:20]" <"$TS_DIR/down.json"

# From the other side, as text.
ts_spawn ts_tool trace --new :9002 >"$TS_DIR/in.txt"
tracer=$TS_PID
sleep 0.2
check_transfer "a passive open is traced too" lib kernel 9002 1000 5000
ts_until 10 ts_gone "$tracer"
check "from its SYN on, in words" says 0 "i2 +tcp_input +seq [0-9]+, len 0, packets 1, flags SYN," \
    head -2 "$TS_DIR/in.txt"
check "with the SYN-ACK" says 0 "15 +tcp_transmit_segment .*flags SYN\|ACK" cat "$TS_DIR/in.txt"

# By shared rings: the same path, but for its ends.
ts_spawn ts_tool trace --new --json :9005 >"$TS_DIR/ring.json"
tracer=$TS_PID
sleep 0.2
check_transfer "a connection with rings is traced" kernel copy 9005 100000 100000
ts_until 10 ts_gone "$tracer"
check "what it commits and is shown" traced "
follow(['ring_commit', 'tcp_sendmsg', 'tcp_write_xmit', 'tcp_transmit_segment', 'dev_queue_xmit'])
assert sum(x['len'] for x in e if x['event'] in ('ring_commit', 'sendto')) == 100000
assert sum(x['len'] for x in e if x['event'] in ('ring_show', 'recvfrom')) == 100000" <"$TS_DIR/ring.json"

# A live one, by each of its names; its peer does not read.
ts_spawn "$PYTHON" -c "
import socket, time
l = socket.create_server(('$PEER', 9003)); print('listening', flush=True)
c, a = l.accept(); time.sleep(60)" >"$TS_DIR/waits"
ts_until 10 waits
ts_spawn ts_run "$PYTHON" -c "
import socket, time
s = socket.create_connection(('$PEER', 9003))
while True:
    s.sendall(b'x' * 65536)"
ts_until 10 established 9003
peer=$(json_of 9003 peer) local=$(json_of 9003 local) pid=$(json_of 9003 pid)
full() { ts_tool ss --json | grep -q '"rwnd": [1-9]'; }
ts_until 10 full
fd=$(for f in /proc/"$pid"/fd/*; do [[ $(readlink "$f") != socket:* ]] || echo "${f##*/}"; done | sort -n | tail -40)
by_fd() {
    for f in $fd; do
        ts_tool trace --count 1 "$pid/$f" 2>/dev/null | grep -q "begin" && return 0
    done
    return 1
}
for name in ":9003" "$peer" "$local $peer" latest; do
    # shellcheck disable=SC2086
    check "CONN may be '${name//[0-9]*:/…:}'" says 0 "begin +iss" ts_tool trace --count 1 $name
done
check "CONN may be PID/FD" by_fd
check "the peer's window is the reason" says 0 "rwnd" ts_tool trace --for 0.8 --json :9003
check "no such connection is status 1" says 1 "no such connection" ts_tool trace :1
check "what names nothing is status 2" says 2 "^Usage" ts_tool trace nonsense
check "--new wants what can be waited for" says 2 "wants :PORT" ts_tool trace --new "$peer"
ts_spawn ts_tool trace :9003 >/dev/null
sleep 0.2
check "one at a time" says 1 "somebody traces it already" ts_tool trace :9003
kill "$TS_PID" && ts_until 5 ts_gone "$TS_PID"
check "who has gone makes room" says 0 "begin" ts_tool trace --count 1 :9003
if [ "$(id -u)" = 0 ] && chmod 666 "$TS_SOCK" 2>/dev/null; then
    check "another user's connection is not shown" says 1 "another user's connection" \
        setpriv --reuid 65534 --clear-groups "$BUILD/tapstack" --socket "$TS_SOCK" trace :9003
else
    skip "another user's connection is not shown" "needs root"
fi

# A small ring and a reader that sleeps: the newest events are kept, the loss is told.
ts_spawn ts_tool trace --ring 64 --new :9004 >"$TS_DIR/small" 2>"$TS_DIR/small.err"
tracer=$TS_PID
sleep 0.2
kill -STOP "$tracer"
check_transfer "a reader that sleeps holds nobody up" kernel lib 9004 2000000 0
kill -CONT "$tracer"
ts_until 10 ts_gone "$tracer"
check "what it missed is told, and the end is there" says 0 "end +sent" tail -1 "$TS_DIR/small"
check "how much, too" grep -Eq "[0-9]+ events were overwritten" "$TS_DIR/small.err"
# Whoever does not read would have the daemon wait for him.
kill "${TS_PIDS[@]}" 2>/dev/null
ts_stop
ts_done
