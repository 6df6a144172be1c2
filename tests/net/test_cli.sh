#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tapstack tool beside a daemon with connections: ss, stats, help texts, exit statuses, and what
# it says when there is no daemon.
. "$(dirname "$0")/lib.sh"
ts_enter cli "$@"

json() {
    "$PYTHON" -c "
import json, sys
d = json.load(sys.stdin)
$1"
}

for words in "" connect listen ss stats get set run; do
    # shellcheck disable=SC2086
    check "tapstack $words --help explains itself" says 0 "^Usage: tapstack" ts_tool $words --help
done
check "tapstack --version" says 0 "^tapstack [0-9]" "$BUILD/tapstack" --version
check "tapstackd --help explains itself" says 0 "--host-address" "$BUILD/tapstackd" --help
check "a wrong command is status 2" says 2 "no command" ts_tool juggle
check "a wrong option is status 2" says 2 "Try 'tapstack ss --help'" ts_tool ss --juggle
check "a port that is none is status 2" says 2 "no port" ts_tool listen 99999
for command in "ss" "stats" "connect $PEER 80" "listen 80"; do
    # shellcheck disable=SC2086
    check "no daemon: $command says so" says 1 "cannot reach the daemon at $TS_SOCK.*is tapstackd running" \
        ts_tool $command
done
check "no daemon: run says so, with status 125" says 125 "cannot reach the daemon at $TS_SOCK" \
    ts_run true

ts_start
check "run passes the exit status on" says 7 "" ts_run sh -c 'exit 7'
check "run: 127 for a program that is not there" says 127 "No such file" ts_run /no/such/program
check "run: 126 for one that cannot be executed" says 126 "" ts_run /etc/passwd

# input TEXT: that, and no end before there is $TS_DIR/end
input() {
    printf '%s' "$1"
    until [ -e "$TS_DIR/end" ]; do sleep 0.05; done
}
kernel_listens() { ss -Hltn "sport = :$1" | grep -q LISTEN; }
input "" | nc -N -l $PEER 9001 >"$TS_DIR/nc" &
TS_PIDS+=($!)
ts_until 30 kernel_listens 9001
input "some bytes
" | ts_tool connect $PEER 9001 >"$TS_DIR/got" &
connect=$!
TS_PIDS+=($!)
ts_spawn ts_tool listen 9002 </dev/null
ts_until 30 grep -q "some bytes" "$TS_DIR/nc"
shows() { ts_tool ss -l | grep -q ":9002 "; }
ts_until 30 shows

check "ss shows the connection" says 0 "^ESTAB +0 +0 +$US:[0-9]+ +$PEER:9001$" ts_tool ss
check "ss -l shows the listener" says 0 "^LISTEN +0 +[0-9]+ +.*:9002 " ts_tool ss -l
check "ss -a shows both" says 0 "9002" ts_tool ss -a
check "ss -i tells about the connection" says 0 "bytes_acked:11.*" ts_tool ss -i
check "ss -i tells why it did not send" says 0 "did not send because:" ts_tool ss -i
ts_tool ss -a --json >"$TS_DIR/ss.json"
check "ss --json is JSON and says the same" json "
c = [s for s in d if s['state'] == 'ESTAB']
assert len(c) == 1 and c[0]['peer'] == '$PEER:9001' and c[0]['bytes_acked'] == 11, c
assert any(s['state'] == 'LISTEN' and s['local'].endswith(':9002') for s in d), d
assert c[0]['pid'] > 0 and 'stops' in c[0]" <"$TS_DIR/ss.json"
check "get shows a tunable" says 0 "^net.ipv4.tcp_retries2 = 15$" ts_tool get net.ipv4.tcp_retries2
check "get without a name shows all" says 0 "^net.ipv4.tcp_fin_timeout = 60$" ts_tool get
check "get -v explains" says 0 "retransmissions before" ts_tool get -v tcp_retries2
check "set changes it" ts_tool set net.ipv4.tcp_retries2=8
check "and get shows it" says 0 "^net.ipv4.tcp_retries2 = 8$" ts_tool get tcp_retries2
check "set refuses what is out of range" says 1 "out of range" ts_tool set tcp_retries2=1000
check "set refuses what does not exist" says 1 "no such tunable" ts_tool set tcp_nothing=1
check "stats shows counters" says 0 "^tcp_active_opens +1$" ts_tool stats
check "stats -v explains them" says 0 "^tcp_active_opens +1 +[a-z]+" ts_tool stats -v
check "stats --all shows the zeros too" says 0 "^tcp_rto +0$" ts_tool stats --all
ts_tool stats --all --json >"$TS_DIR/stats.json"
check "stats --json is JSON" json "
assert d['tcp_active_opens'] == 1 and d['tcp_rto'] == 0 and len(d) > 100, d" <"$TS_DIR/stats.json"
check "a refused connect is status 1 and says why" says 1 "Connection refused" \
    ts_tool connect $PEER 9
check "a port in use is status 1 and says why" says 1 "Address already in use" ts_tool listen 9002

touch "$TS_DIR/end"
check "connect ends when both sides have" ts_until 30 ts_gone "$connect"
ts_stop
ts_done
