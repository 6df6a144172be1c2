#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the daemon says, and its exit status, when it cannot start; and how it stops.
. "$(dirname "$0")/lib.sh"
ts_enter startup "$@"

D=("$BUILD/tapstackd")
usual=(--tap ts1 --address 10.78.0.2/24 --host-address 10.78.0.1/24 --socket "$TS_DIR/other.sock")

# fails PATTERN COMMAND...: soon, with an exit status that is not 0, and a line like PATTERN
fails() {
    local pattern=$1 out status=0
    shift
    out=$(timeout 30 "$@" 2>&1 </dev/null) || status=$?
    printf '%s\nstatus %s\n' "$out" "$status"
    [ "$status" != 0 ] && [ "$status" != 124 ] && [ "$status" -lt 126 ] &&
        printf '%s\n' "$out" | grep -Eqi -e "$pattern"
}
clean() {
    [ ! -e "$TS_DIR/other.sock" ] && [ ! -e /sys/class/net/ts1 ]
}

# ------------------------------------------------------------------------------ wrong options
check "no option at all" fails "--tap NAME is missing" "${D[@]}"
check "no address" fails "address.* is missing" "${D[@]}" --tap ts1
check "an unknown option" fails "juggle" "${D[@]}" "${usual[@]}" --juggle
check "an option without its argument" fails "mtu|argument" "${D[@]}" "${usual[@]}" --mtu
check "an argument that is no option" fails "juggle" "${D[@]}" "${usual[@]}" juggle
check "an address without a prefix length" fails "prefix length is missing in 10.0.0.1" \
    "${D[@]}" --tap ts1 --address 10.0.0.1
check "a malformed address" fails "malformed address 10.0.0.256/24" \
    "${D[@]}" --tap ts1 --address 10.0.0.256/24
check "a broadcast address" fails "no host can have the address" \
    "${D[@]}" --tap ts1 --address 10.0.0.255/24
check "both ends with one address" fails "address in use" \
    "${D[@]}" "${usual[@]}" --host-address 10.78.0.2/24
check "a gateway elsewhere" fails "gateway is not in our network" \
    "${D[@]}" "${usual[@]}" --gateway 10.99.0.1
check "an MTU that is none" fails "mtu must be 576 to" "${D[@]}" "${usual[@]}" --mtu 100
check "a malformed MAC address" fails "malformed address 02:00" "${D[@]}" "${usual[@]}" --mac 02:00
check "an interface name that is none" fails "no name for an interface" \
    "${D[@]}" "${usual[@]}" --tap a/b
check "a user that does not exist" fails "no user nobody-at-all" \
    "${D[@]}" "${usual[@]}" --user nobody-at-all

# ------------------------------------------------------------------------------ configuration files
printf '[tapstack]\ntap = ts1\nmtu = big\n' >"$TS_DIR/value.conf"
printf '[tapstack]\n\njuggle = 3\n' >"$TS_DIR/name.conf"
printf '[tapstack]\ntap = ts1\nwhat is this\n' >"$TS_DIR/syntax.conf"
check "a wrong value in a file, with its line" fails "value.conf:3: mtu must be" \
    "${D[@]}" "${usual[@]}" --config "$TS_DIR/value.conf"
check "an unknown setting in a file, with its line" fails "name.conf:3: unknown setting juggle" \
    "${D[@]}" "${usual[@]}" --config "$TS_DIR/name.conf"
check "nonsense in a file, with its line" fails "syntax.conf:3: neither" \
    "${D[@]}" "${usual[@]}" --config "$TS_DIR/syntax.conf"
check "a file that is not there" fails "none.conf.*No such file" \
    "${D[@]}" "${usual[@]}" --config "$TS_DIR/none.conf"

# ------------------------------------------------------------------------------ the machine says no
if [ "$(awk '{ print $3 }' /proc/self/uid_map)" -gt 65534 ]; then
    chmod 777 "$TS_DIR"
    check "no permission for TAP interfaces" fails "/dev/net/tun|no permission" \
        setpriv --reuid nobody --regid nogroup --clear-groups "${D[@]}" "${usual[@]}"
else
    check "no permission for TAP interfaces" fails "/dev/net/tun|no permission" \
        setpriv --bounding-set=-all --inh-caps=-all "${D[@]}" "${usual[@]}"
fi
check "no directory for the socket" fails "/nowhere/at/all.*No such file" \
    "${D[@]}" "${usual[@]}" --socket /nowhere/at/all/ts.sock
check "a path that is too long for a socket" fails "1 to 107 characters" \
    "${D[@]}" "${usual[@]}" --socket "/tmp/$(printf '%0120d' 0)"
check "a capture that cannot be written" fails "cannot write the capture /nowhere" \
    "${D[@]}" "${usual[@]}" --capture /nowhere/a.pcap
echo "precious" >"$TS_DIR/file"
check "a file where the socket should be" fails "no socket: not touched" \
    "${D[@]}" "${usual[@]}" --socket "$TS_DIR/file"
same "and the file is still there" precious "$(cat "$TS_DIR/file")"
ip link add br-ts type veth peer name br-ts2
check "an interface that is no TAP" fails "br-ts exists and is no TAP" \
    "${D[@]}" "${usual[@]}" --tap br-ts
ip addr add 10.78.0.2/24 dev br-ts
check "an address that this machine has" fails "address in use" "${D[@]}" "${usual[@]}"
ip link del br-ts
check "none of these left a socket or an interface" clean

# ------------------------------------------------------------------------------ beside another one
ts_start
check "a second daemon on the same socket" fails "another tapstackd \(pid $TS_DAEMON\) already serves" \
    "${D[@]}" "${usual[@]}" --socket "$TS_SOCK"
check "a second daemon on the same interface" fails "ts0 is in use by another program" \
    "${D[@]}" "${usual[@]}" --tap ts0
check_transfer "the first one does not mind" kernel run 7001 1M 1M
kill -KILL "$TS_DAEMON"
wait "$TS_DAEMON" 2>/dev/null
check "a killed daemon leaves its socket" test -S "$TS_SOCK"
ts_start
check "the next one replaces the stale socket" grep -q "removed the stale socket" "$TS_LOG"

# ------------------------------------------------------------------------------ stopping
# ended FILE: how the kernel's side of a connection ended
client() {
    "$PYTHON" -c "
import os, socket, sys
s = socket.create_connection((os.environ['US'], 7002), 5)
s.sendall(b'x')
print('up', flush=True)
s.settimeout(20)
try:
    while s.recv(65536):
        pass
    print('FIN', flush=True)
except ConnectionResetError:
    print('RST', flush=True)"
}
ours_listens() { ts_tool ss -l | grep -q ":$1 "; }
ts_spawn ts_tool listen 7002 </dev/zero >/dev/null
listener=$TS_PID
ts_until 30 ours_listens 7002
ts_spawn client >"$TS_DIR/client"
client=$TS_PID
ts_until 30 grep -q up "$TS_DIR/client"
ts_stop "SIGTERM with a connection in full transfer: status 0"
check "it took less than 6 s ($TS_STOPPED ms)" test "$TS_STOPPED" -lt 6000
check "the peer's connection ended as well" ts_until 30 ts_gone "$client"
same "and the peer saw a FIN" FIN "$(tail -n 1 "$TS_DIR/client")"
check "the program's connection ended" ts_until 30 ts_gone "$listener"
check "the socket is gone" test ! -e "$TS_SOCK"
check "the interface is gone" test ! -e /sys/class/net/ts0

ts_start
kill -INT "$TS_DAEMON"
check "SIGINT stops it too" ts_until 30 ts_gone "$TS_DAEMON"
wait "$TS_DAEMON"
same "with status 0" 0 $?
TS_DAEMON=""
ts_done
