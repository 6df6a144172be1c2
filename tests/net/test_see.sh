#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What can be seen of a daemon at work: tapstack ss with filters, holders and rates, stats for
# Prometheus, captures, as tshark and capinfos read them, and who may have one.
. "$(dirname "$0")/lib.sh"
ts_enter see "$@"
export HOME=$TS_DIR XDG_RUNTIME_DIR=$TS_DIR # tshark's own files
chmod 755 "$TS_DIR"

as() { # as UID COMMAND...
    setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"
}
others=yes
as 4001 true 2>/dev/null || others="" # in a user namespace there is nobody else

cat >"$TS_DIR/conf" <<END
[tapstack]
socket-mode = 0666
END
[ -z "$others" ] || printf '[user 4002]\ncapture = yes\n' >>"$TS_DIR/conf"
ts_start --config "$TS_DIR/conf"

# begin FILE OPTION...: a capture in the background; TS_PID
begin() {
    ts_spawn ts_tool capture "${@:2}" 2>"$1.err" >"$1.out"
    ts_until 10 grep -q "listening on ts0" "$1.err"
}
# finish PID: it ends in order
finish() {
    kill -INT "$1" 2>/dev/null
    wait "$1"
}
connections() { # connections PORT N: by the peer, short ones
    transfer kernel run "$1" 100 100 -n "$2" -p 2 >"$TS_DIR/transfer" 2>&1 || cat "$TS_DIR/transfer"
}
fields() { # fields FILE FIELD... [-Y FILTER]
    local file=$1
    shift
    tshark -n -r "$file" -T fields "${@}" 2>/dev/null
}

# --------------------------------------------------------------------------------- captures
begin "$TS_DIR/all" -w "$TS_DIR/all.pcap" && all=$TS_PID
begin "$TS_DIR/web" -g tcp port 7001 and 'tcp[tcpflags] & tcp-syn != 0' && web=$TS_PID
begin "$TS_DIR/in" -Q in -s 60 -w "$TS_DIR/in.pcap" && in=$TS_PID
begin "$TS_DIR/rot" -C 4K -w "$TS_DIR/rot.pcap" && rot=$TS_PID
connections 7001 10
connections 7002 5
finish "$all"
same "a capture ends in order" 0 $?
for c in $web $in $rot; do finish "$c"; done
n=$(awk '/frames captured/ { print $1 }' "$TS_DIR/all.err")
same "capinfos counts what the summary says" "$n" \
    "$(capinfos -rMcT "$TS_DIR/all.pcap" | awk '{ print $NF }')"
same "nothing was dropped" 0 "$(awk '/dropped by the daemon/ { print $1 }' "$TS_DIR/all.err")"
check "the stamps are nanoseconds" grep -q "nanoseconds" <(capinfos -t "$TS_DIR/all.pcap"; capinfos "$TS_DIR/all.pcap")
check "and not rounded" awk '{ if ($1 !~ /000$/) fine++ } END { exit fine < NR / 2 }' \
    <(fields "$TS_DIR/all.pcap" -e frame.time_epoch)
same "15 connections were opened" 15 \
    "$(fields "$TS_DIR/all.pcap" -e frame.number -Y 'tcp.flags.syn == 1 && tcp.flags.ack == 0' | wc -l)"
same "no bad checksum, nothing malformed" "" "$(tshark -n -r "$TS_DIR/all.pcap" -o tcp.check_checksum:TRUE \
    -Y '_ws.malformed || tcp.checksum.status == 0 && tcp.checksum != 0xffff' 2>/dev/null)"
same "a filter on standard output: the SYNs of one port, both ways, 10 of each" "10 1,10 2" \
    "$(fields "$TS_DIR/web.out" -e frame.packet_flags_direction | sort | uniq -c |
        awk '{ sub(/^0x0*/, "", $2); printf "%s%d %d", sep, $1, $2; sep = "," }')"
check "pcapng names the interface" grep -q "Name = ts0" <(capinfos "$TS_DIR/web.out")
same "incoming only" "$PEER" \
    "$(fields "$TS_DIR/in.pcap" -e ip.src -Y ip | sort -u)"
same "no more than the snapshot length" 60 \
    "$(fields "$TS_DIR/in.pcap" -e frame.cap_len | sort -n | tail -n 1)"
files=("$TS_DIR"/rot.pcap*)
check "rotated files are not larger than asked for" test -z "$(find "$TS_DIR" -name 'rot.pcap*' -size +4096c)"
same "and hold all of it together" "$n" \
    "$(for f in "${files[@]}"; do capinfos -rMcT "$f"; done | awk '{ sum += $NF } END { print sum }')"
begin "$TS_DIR/count" -c 3 -w "$TS_DIR/count.pcap" && count=$TS_PID
connections 7003 2
wait "$count"
same "a count ends it" "0 3" "$? $(capinfos -rMcT "$TS_DIR/count.pcap" | awk '{ print $NF }')"
ts_spawn ts_tool capture 2>"$TS_DIR/pipe.err" > >(head -c 24 >/dev/null) # who has had enough
pipe=$TS_PID
ts_until 10 grep -q listening "$TS_DIR/pipe.err"
wait "$pipe"
same "its reader's end ends it" 0 $?

# A reader that stands still: the daemon goes on, and tells how much it dropped.
begin "$TS_DIR/slow" -B 64 -w "$TS_DIR/slow.pcap" && slow=$TS_PID
kill -STOP "$slow"
check_transfer "a transfer goes on beside a capture that stands still" kernel run 7004 16M 16M
kill -CONT "$slow"
finish "$slow"
read -r captured received dropped < <(awk '/^[0-9]/ { printf "%s ", $1 }' "$TS_DIR/slow.err")
check "what it missed was counted" test "$dropped" -gt 0
same "and adds up" "$received" $((captured + dropped))
same "what it has is whole" "$captured" "$(capinfos -rMcT "$TS_DIR/slow.pcap" | awk '{ print $NF }')"

refuses() { # refuses STATUS PATTERN COMMAND...
    local status=0 out
    out=$("${@:3}" 2>&1 </dev/null) || status=$?
    echo "$out, status $status"
    [ "$status" = "$1" ] && grep -q -- "$2" <<<"$out"
}
check "a wrong filter is refused by the tool" refuses 2 "the filter: " ts_tool capture -w "$TS_DIR/x" juggle
check "rotation needs a file" refuses 2 "need a file" ts_tool capture -C 1
check "a file that cannot be written is said" refuses 1 "/nowhere/x" ts_tool capture -w /nowhere/x
if [ -n "$others" ]; then
    check "not everybody may capture" refuses 1 "may capture" as 4001 "$BUILD/tapstack" \
        --socket "$TS_SOCK" capture -w /dev/null
    as 4002 "$BUILD/tapstack" --socket "$TS_SOCK" capture -c 1 2>"$TS_DIR/named.err" >"$TS_DIR/named" &
    TS_PIDS+=($!) named=$!
    ts_until 10 grep -qs listening "$TS_DIR/named.err"
    connections 7005 1
    wait "$named"
    same "whom the configuration names may" 0 $?
    same "and gets his frame" 1 "$(capinfos -rMcT "$TS_DIR/named" | awk '{ print $NF }')"
fi

# --------------------------------------------------------------------------------- ss
ts_spawn ts_run "$PYTHON" -c "
import socket, time
s = socket.socket(socket.AF_INET6); s.bind(('::', 7100)); s.listen()
only = socket.socket(socket.AF_INET6); only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
only.bind(('::', 7101)); only.listen()
c = s.accept()[0]
while data := c.recv(1000): c.sendall(data)
time.sleep(100)" 2>/dev/null # at the end a reset
server=$TS_PID
listens() { [ "$(ts_tool ss -Hl | wc -l)" = 2 ]; }
ts_until 10 listens
same "a listener of both families is *, one of IPv6 [::]" "*:7100 *:* [::]:7101 [::]:*" \
    "$(ts_tool ss -Hl | sort -k4 | awk '{ printf "%s%s %s", sep, $4, $5; sep = " " }')"
(while :; do printf '%s' "$EPOCHREALTIME"; sleep 0.02; done) | nc $US 7100 >/dev/null &
TS_PIDS+=($!)
established() { [ "$(ts_tool ss -H 'state established sport = :7100' | wc -l)" = 1 ]; }
check "a filter finds the connection" ts_until 10 established
for filter in "dst $PEER and not sport = :22" "src 10.0.0.0/8:7100" "( sport = :1 or sport = :7100 ) user root" \
    "pid $server" "name python3*" "state connected exclude time-wait"; do
    same "ss $filter" "$US:7100" "$(ts_tool ss -H "$filter" | awk '$1 == "ESTAB" { print $4 }')"
done
for filter in "dst 10.78.0.0/16" "sport < :7100" "user nobody" "pid 1" "name curl" "state listening"; do
    same "ss $filter: not that one" "" "$(ts_tool ss -H "$filter" | awk '$1 == "ESTAB"')"
done
check "ss -p names the process and its descriptor" grep -Eq 'users:\(\("python3[^"]*",pid='"$server"',fd=[0-9]+\)\)' \
    <(ts_tool ss -p 'sport = :7100')
check "ss -e has the inode of that descriptor" test -n "$(find "/proc/$server/fd" -lname \
    "socket:\[$(ts_tool ss -He 'state established' | sed 's/.* ino:\([0-9]*\) .*/\1/')\]")"
if [ -n "$others" ]; then
    check "who may not look says who made it" grep -Eq 'made-by:\(\("python3[^"]*",pid='"$server"'\)\)' \
        <(as 4001 "$BUILD/tapstack" --socket "$TS_SOCK" ss -p)
fi
check "ss -i has TCP_INFO in ss's words" grep -Eq \
    ' ts sack cubic wscale:[0-9]+,[0-9]+ rto:[0-9.]+ rtt:[0-9.]+/[0-9.]+ .*mss:1448 pmtu:1500 rcvmss:[0-9]+ advmss:1448 cwnd:[0-9]+ bytes_sent:.* minrtt:' \
    <(ts_tool ss -i 'state established')
check "ss -m has memory" grep -Eq 'skmem:\(r[0-9]+,rb[1-9][0-9]*,w[0-9]+,tb[1-9][0-9]*\) extents:.* account:\(used[1-9]' \
    <(ts_tool ss -m 'state established')
timeout 1.1 "$BUILD/tapstack" --socket "$TS_SOCK" ss --watch=0.4 'sport = :7100' >"$TS_DIR/watch"
check "ss --watch draws frames with rates" awk '$1 == "ESTAB" { n++; if (n > 1 && $4 > 0 && $5 > 0) rates++ }
    END { exit !(n >= 2 && rates) }' "$TS_DIR/watch"
timeout 1.1 "$BUILD/tapstack" --socket "$TS_SOCK" ss --json --watch=0.4 'sport = :7100' >"$TS_DIR/watch.json"
check "with --json, an array in each line" "$PYTHON" -c "
import json, sys
frames = [json.loads(line) for line in sys.stdin]
assert len(frames) >= 2 and all(len(f) == 1 for f in frames), frames
c = frames[-1][0]
assert c['receive_rate'] > 0 and c['users'][0]['pid'] == $server and c['memory']['rcvbuf'] > 0, c
assert c['congestion'] == 'cubic' and c['inode'] > 0 and c['mss'] == 1448, c" <"$TS_DIR/watch.json"

# --------------------------------------------------------------------------------- stats
ts_tool stats --prometheus >"$TS_DIR/prom"
check "Prometheus's text is well formed" eval '"$PYTHON" "$NET/prometheus.py" <"$TS_DIR/prom" >"$TS_DIR/samples"'
same "every counter is in it" "$(ts_tool stats --all | wc -l)" "$(wc -l <"$TS_DIR/samples")"
check "reasons are labels" grep -Eq '^tapstack_tcp_stop_total\{reason="cwnd"\} [0-9]+$' "$TS_DIR/samples"
check "a value is that of stats" grep -q "^tapstack_capture_rings_total $(ts_stat capture_rings)\$" "$TS_DIR/samples"
same "a pattern chooses" "capture_rings" "$(ts_tool stats 'capture_r*' | awk '{ print $1 }')"
timeout 1.1 "$BUILD/tapstack" --socket "$TS_SOCK" stats --watch=0.4 tcp_in >"$TS_DIR/watch"
check "stats --watch has rates" awk '$1 == "tcp_in" && $3 > 0 { found = 1 } END { exit !found }' "$TS_DIR/watch"

# the ninth: none of those before is left, as eight are the most
begin "$TS_DIR/last" -w "$TS_DIR/last.pcap" && last=$TS_PID
ts_stop
wait "$last"
same "the daemon's end is the capture's, with status 1" 1 $?
check "and said" grep -q "the daemon: it has ended" "$TS_DIR/last.err"
check "its file is whole" capinfos "$TS_DIR/last.pcap"
ts_done
