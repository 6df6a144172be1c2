#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The configuration of a real daemon: the example file, faults, what is in force and where it came
# from, reloads by SIGHUP and `tapstack reload`, with and without privileges, and what they leave.
. "$(dirname "$0")/lib.sh"
ts_enter config "$@"

CONF=$TS_DIR/ts.conf
conf() { # conf LINE...: the file, with the usual addresses in front (lines 1 to 4)
    printf '%s\n' '[tapstack]' 'tap = ts0' "address = $US/24" "host-address = $PEER/24" "$@" >"$CONF"
}
# in_force NAME: its value; origin NAME: where it came from
in_force() { ts_tool config "$1" | awk -v n="$1" '$1 == n { print $3 }'; }
origin() { ts_tool config "$1" | awk -v n="$1" '$1 == n' | sed 's/.* ; //'; }
reloads() { grep -c "reload of .*: " "$TS_LOG"; }
hup() { # SIGHUP, and wait until the daemon says what came of it
    local before
    before=$(reloads)
    kill -HUP "$TS_DAEMON"
    ts_until 10 eval '[ "$(reloads)" -gt '"$before"' ]'
}

# ------------------------------------------------------------------------------ checking
check "the example file has no fault" "$BUILD/tapstackd" --check-config "$BUILD/tapstackd.conf"
same "it is what the daemon prints" "$("$BUILD/tapstackd" --dump-config | sha256sum)" \
    "$(sha256sum <"$BUILD/tapstackd.conf")"
conf 'mtu = 9' 'colour = red' 'gateway = 10.99.0.1' '[user nobody-at-all]' 'memory = 1' '[sysctl]' 'tcp_sack = 2'
"$BUILD/tapstackd" --check-config "$CONF" >"$TS_DIR/out" 2>"$TS_DIR/err"
same "a file with faults: exit status 1" 1 $?
same "each of them with its line" "5 6 7 8 9 11" \
    "$(sed -n "s|^$CONF:\([0-9]*\): .*|\1|p" "$TS_DIR/err" | paste -sd' ')"
same "and their number" "$CONF: 6 faults" "$(cat "$TS_DIR/out")"
"$BUILD/tapstackd" --check-config "$TS_DIR/none" >"$TS_DIR/out" 2>"$TS_DIR/err"
same "a file that is not there: status 1" 1 $?
same "is a fault too" "cannot read $TS_DIR/none: No such file or directory" "$(cat "$TS_DIR/err")"

# ------------------------------------------------------------------------------ in force
conf 'busy-poll = 0' 'max-sockets = 500' '[sysctl]' 'net.ipv4.tcp_retries2 = 8' 'tcp_rmem = 4096 65536 1000000' \
    '[user 4001]' 'connections = 7'
ts_start --config "$CONF" --mtu 1400
same "the file's value" 0 "$(in_force busy-poll)"
same "with its line" "$CONF:5" "$(origin busy-poll)"
same "the command line wins" "1400 command line" "$(in_force mtu) $(origin mtu)"
same "the rest are defaults" "yes default" "$(in_force offload) $(origin offload)"
same "a tunable of the core" "8 $CONF:8" "$(in_force tcp_retries2) $(origin tcp_retries2)"
same "a part of a vector" "1000000 $CONF:9" "$(in_force tcp_rmem_max) $(origin tcp_rmem_max)"
same "the core has it" "net.ipv4.tcp_retries2 = 8" "$(ts_tool get tcp_retries2)"
same "a section of the policy" "7 $CONF:11" "$(in_force connections) $(origin connections)"
check "what it prints is a file without faults" eval \
    'ts_tool config >"$TS_DIR/printed.conf" && "$BUILD/tapstackd" --check-config "$TS_DIR/printed.conf"'
same "as JSON" '8 file 8 True' "$(ts_tool config --json tcp_retries2 | "$PYTHON" -c "
import json, sys
o, = [o for o in json.load(sys.stdin) if o['name'] == 'tcp_retries2']
print(o['value'], o['from']['source'], o['from']['line'], o['live'])")"
check "a pattern that fits nothing is told" eval '! ts_tool config juggle 2>/dev/null'

# ------------------------------------------------------------------------------ set, reload
ts_tool set busy-poll=20 net.ipv4.tcp_syn_retries=3
same "set at run time" "20 tapstack set" "$(in_force busy-poll) $(origin busy-poll)"
check "what needs a restart cannot be set" eval \
    '! ts_tool set mtu=1300 2>"$TS_DIR/err" && grep -q "only a restart" "$TS_DIR/err"'
listening() { ts_tool ss -l | grep -q ':7001 '; }
# floor NAME: what a connection to a kernel's listener, held open, has as its time-out, in ms
floor() {
    ts_spawn "$PYTHON" -c "
import socket
s = socket.create_server(('$PEER', 7003))
print('listening', flush=True)
c, _ = s.accept()
c.recv(1)" >"$TS_DIR/floor"
    ts_until 10 ts_listening "$TS_DIR/floor"
    ts_run "$PYTHON" -c "
import socket, struct
c = socket.create_connection(('$PEER', 7003))
print(struct.unpack_from('8xI', c.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104))[0] // 1000)"
    wait "$TS_PID"
}
before=$(floor)
check "the usual floor of the time-out ($before ms)" [ "$before" -ge 200 ]
ts_spawn ts_tool listen 7001 </dev/null >/dev/null
ts_until 10 listening
conf '' 'busy-poll = 0' 'max-sockets = 400' 'mtu = 1200' 'socket-mode = 0600' 'except = :22' \
    "rto-min = $PEER/32 50ms" 'rto-min = 192.0.2.0/24 2ms' '[sysctl]' 'tcp_retries2 = 9' \
    '[user *]' 'memory = 1M'
ts_tool reload >"$TS_DIR/out" 2>&1
same "tapstack reload" 0 $?
same "another value from another line" "400 $CONF:7 (reload)" "$(in_force max-sockets) $(origin max-sockets)"
same "a list of two lines" "rto-min = $PEER/32 50ms, 192.0.2.0/24 2ms ; $CONF:11 (reload)" \
    "$(ts_tool config rto-min | grep "^rto-min")"
after=$(floor)
check "a new connection has that floor ($after ms)" [ "$after" -ge 50 -a "$after" -lt 150 ]
same "what was set is gone" "0 $CONF:6 (reload)" "$(in_force busy-poll) $(origin busy-poll)"
same "also what is not in the file" "6 default (reload)" "$(in_force tcp_syn_retries) $(origin tcp_syn_retries)"
same "the core follows" "net.ipv4.tcp_retries2 = 9" "$(ts_tool get tcp_retries2)"
same "a line that has gone is the default" "6291456 default (reload)" "$(in_force tcp_rmem_max) $(origin tcp_rmem_max)"
same "the command line still wins" "1400 command line" "$(in_force mtu) $(origin mtu)"
same "what cannot change does not" 0666 "$(in_force socket-mode)"
check "it is told" grep -q "socket-mode = 0600 needs a restart" "$TS_DIR/out"
check "and shown" eval 'ts_tool config socket-mode | grep -q "; needs a restart: socket-mode = 0600 ; $CONF:9"'
check "the log has it" grep -q "warning: socket-mode = 0600 needs a restart" "$TS_LOG"
check "what is left to the kernel has changed" eval 'ts_tool config except | grep -q "except = :22"'
check "the policy table is another one" eval 'grep -q "\[user \*\] is new" "$TS_DIR/out" && grep -q "\[user 4001\] is gone" "$TS_DIR/out"'
check "a socket that was there is still there" listening
check_transfer "and the daemon works" kernel run 7002 1M 1M

# ------------------------------------------------------------------------------ faults
before=$(ts_tool config)
conf 'busy-poll = 77' 'mtu = 1' '[nonsense]'
check "a file with faults is refused" eval '! ts_tool reload >"$TS_DIR/out" 2>&1'
check "each fault is told with its line" eval \
    'grep -q "^$CONF:6: mtu must be" "$TS_DIR/out" && grep -q "^$CONF:7: unknown section" "$TS_DIR/out"'
same "and nothing has changed" "$before" "$(ts_tool config)"
rm "$CONF"
check "SIGHUP without a file" hup
check "is an error in the log" grep -q "cannot read $CONF: No such file" "$TS_LOG"
conf 'log-level = debug'
check "SIGHUP with another file" hup
same "has put it in force" "debug $CONF:5 (reload)" "$(in_force log-level) $(origin log-level)"
reader=$(pgrep -P "$TS_DAEMON")
ts_stop "the daemon ends in order, after reloads"
check "and so does the process that reads" ts_until 5 ts_gone "$reader"

# ------------------------------------------------------------------------------ without privileges
as() { setpriv --reuid="$1" --regid="$1" --clear-groups "${@:2}"; }
if [ "$(awk '{ print $3 }' /proc/self/uid_map)" -gt 65534 ] && as 4001 true 2>/dev/null; then
    chown nobody "$TS_DIR"
    conf '[user daemon]' 'memory = 2M'
    chown root:nogroup "$CONF" && chmod 640 "$CONF"
    ts_start --config "$CONF" --user nobody
    reader=$(pgrep -P "$TS_DAEMON")
    same "the process that reads is the same user" "$(id -u nobody) 0000000000000000" \
        "$(awk '/^Uid:/ { u = $3 } /^CapPrm:/ { print u, $2 }' "/proc/$reader/status")"
    same "and has nothing else open" "0 2" "$(cd "/proc/$reader/fd" && echo *)"
    conf '[sysctl]' 'tcp_retries2 = 5' '[group daemon]' 'memory = 4M'
    chown root:nogroup "$CONF" && chmod 640 "$CONF"
    ts_tool reload >"$TS_DIR/out" 2>&1
    same "--user: a reload" 0 $?
    same "--user: put it in force, names of users and groups included" "5 4M" "$(in_force tcp_retries2) $(in_force memory | tail -n 1)"
    check "another user may not" eval '! as 4001 "$BUILD/tapstack" --socket "$TS_SOCK" reload 2>"$TS_DIR/err" && grep -q "only root may" "$TS_DIR/err"'
    same "and does not see the policy" 0 \
        "$(as 4001 "$BUILD/tapstack" --socket "$TS_SOCK" config | grep -c '^\[group')"
    check "but everything else" eval 'as 4001 "$BUILD/tapstack" --socket "$TS_SOCK" config tcp_retries2 | grep -q "tcp_retries2 = 5"'
    chmod 600 "$CONF"
    ts_tool reload >"$TS_DIR/out" 2>&1
    same "--user: a file that it may not read: status 1" 1 $?
    check "is told" grep -q "cannot read $CONF: Permission denied" "$TS_DIR/out"
    ts_stop
else
    skip "--user" "only root can become another user"
fi
ts_done
