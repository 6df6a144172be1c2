#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each daemon has a secret of its own (RFC 6528 §3, RFC 7323 §5.4): the same connection, opened twice, has timestamps that
# go on with the clock while one daemon lives, and unrelated ones after a restart; so have initial sequence numbers.
. "$(dirname "$0")/lib.sh"
ts_enter secret "$@"

# The sequence number and TSval of the SYN from port 5000 to the peer's port 9 (closed), as the wire has them.
cat >"$TS_DIR/syn.py" <<'END'
import os, socket, struct, subprocess, sys

wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
wire.bind(("ts0", 0))
wire.settimeout(10)
program = """
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(('0.0.0.0', 5000))
s.connect_ex(('%s', 9))""" % os.environ["PEER"]
subprocess.run([os.environ["BUILD"] + "/tapstack", "--socket", os.environ["TS_SOCK"], "run", "--",
                sys.executable, "-c", program], check=True)
while True:
    tcp = wire.recv(2048)[34:]
    if struct.unpack("!HH", tcp[:4]) == (5000, 9) and tcp[13] == 2:
        break
at = tcp.index(b"\x08\x0a", 20)
print(struct.unpack("!I", tcp[4:8])[0], struct.unpack("!I", tcp[at + 2:at + 6])[0])
END

# apart BEFORE NOW SPAN: how far NOW is ahead, modulo 2^32, is more than SPAN
apart() {
    [ $((($2 - $1) & 0xffffffff)) -gt "$3" ]
}
within() {
    ! apart "$@"
}

minute=60000           # of the clock in timestamps
minute_isn=937500000  # of the clock in initial sequence numbers, 64 ns a tick

ts_start --mac 02:00:00:00:00:77
read -r isn stamp < <("$PYTHON" "$TS_DIR/syn.py")
read -r isn2 stamp2 < <("$PYTHON" "$TS_DIR/syn.py")
check "one daemon: the timestamp goes on with the clock" within "$stamp" "$stamp2" $minute
check "one daemon: the sequence number goes on with the clock" within "$isn" "$isn2" $minute_isn
ts_stop "the first daemon ends"
ts_start --mac 02:00:00:00:00:77
read -r isn3 stamp3 < <("$PYTHON" "$TS_DIR/syn.py")
echo "# sequence numbers $isn $isn2 $isn3, timestamps $stamp $stamp2 $stamp3"
check "another daemon: unrelated timestamps" apart "$stamp2" "$stamp3" $minute
ts_stop "the second daemon ends"
ts_done
