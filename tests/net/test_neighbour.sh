#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The peer's link address changes in mid-connection: its TAP gets another one, and the kernel
# announces that (arp_notify). What the connection says next must go there: the kernel takes no frame
# for the old one.
. "$(dirname "$0")/lib.sh"
ts_enter neighbour "$@"

THERE=02:00:00:00:07:77
ts_start --capture "$TS_DIR/frames.pcap"
sysctl -qw net.ipv4.conf.ts0.arp_notify=1
HERE=$(ip -o link show ts0 | sed 's/.*link\/ether \([^ ]*\) .*/\1/')

ts_spawn "$PYTHON" -c '
import socket
with socket.create_server(("'$PEER'", 7001)) as s:
    print("listening", flush=True)
    c, _ = s.accept()
    while b := c.recv(4096):
        c.sendall(b)' >"$TS_DIR/echo"
ts_until 10 ts_listening "$TS_DIR/echo"

# A word for each line of the pipe, and how long its echo took (ms).
mkfifo "$TS_DIR/words"
exec 3<>"$TS_DIR/words"
ts_spawn ts_run "$PYTHON" -c '
import socket, sys, time
c = socket.create_connection(("'$PEER'", 7001))
for word in open(sys.argv[1]):
    began = time.monotonic()
    c.sendall(word.encode())
    print(c.recv(4096).decode().strip(), int((time.monotonic() - began) * 1000), flush=True)' \
    "$TS_DIR/words" >"$TS_DIR/answers"

# say WORD: its echo must come.
say() {
    echo "$1" >&3
    ts_until 10 grep -q "^$1 " "$TS_DIR/answers"
}
# at_once WORD: … without a time-out, which is 200 ms at least.
at_once() {
    awk -v word="$1" '$1 == word { n++; if ($2 >= 150) exit 1 } END { exit !n }' "$TS_DIR/answers"
}
# frames MAC: how many of ours went there with data.
frames() {
    tcpdump -enr "$TS_DIR/frames.pcap" "ether dst $1 and tcp dst port 7001 and tcp[tcpflags] & tcp-push != 0" \
        2>/dev/null | wc -l
}

check "a word is echoed" say before
check "the peer's link address changes" ip link set ts0 address $THERE
check "the next word is echoed" say after
check "… without a time-out" at_once after
same "nothing was sent again" 0 "$(ts_stat tcp_out_retrans)"
check "and back" ip link set ts0 address "$HERE"
check "the third word is echoed" say again
ts_stop
same "two words went to the old address" 2 "$(frames "$HERE")"
same "one to the new one" 1 "$(frames $THERE)"
ts_done
