# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Two stacks in turn over the same emulated link; sourced after lib.sh. Here (the script's namespace)
# a bridge br0 has the relay's TAP, the kernel's address and, when it is its turn, tapstackd's TAP as
# ports. In the namespace $TS_NS-far behind the relay's other TAP the kernel's TCP is the peer of both.
#
#   kernel 10.78.0.1 ─ br0 ┬ rel0 ═ relay ═ rel0 ─ 10.78.0.3 kernel
#   ours   10.78.0.2 ─ ts0 ┘

NEAR_KERNEL=10.78.0.1
NEAR_OURS=10.78.0.2
FAR=10.78.0.3
FAR_NS=$TS_NS-far
FLOW=$BUILD/tests/net/flow
RELAY_PID=""
export NEAR_KERNEL NEAR_OURS FAR

relay_clean() {
    ts_clean
    ip netns del "$FAR_NS" 2>/dev/null
}

# A fixed address, or the bridge takes over one of its ports'. No IPv6: nothing but the test's frames.
relay_topology() {
    trap relay_clean EXIT
    ip netns add "$FAR_NS" &&
        sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
        ip link add br0 address 02:78:00:00:00:01 type bridge stp_state 0 mcast_snooping 0 &&
        ip tuntap add dev rel0 mode tap && ip link set rel0 master br0 up &&
        ip addr add $NEAR_KERNEL/24 dev br0 && ip link set br0 up &&
        far sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1 &&
        ip -n "$FAR_NS" tuntap add dev rel0 mode tap && ip -n "$FAR_NS" addr add $FAR/24 dev rel0 &&
        ip -n "$FAR_NS" link set rel0 up && ip -n "$FAR_NS" link set lo up
}

far() {
    ${TS_EXEC:-} nsenter --net="/run/netns/$FAR_NS" "$@"
}

# relay_start FORWARD BACKWARD [OPTION...]: forward is from here to there.
relay_start() {
    ts_spawn "$BUILD/tests/net/relay" -f "$1" -b "$2" "${@:3}" rel0 "$FAR_NS:rel0" >"$TS_DIR/relay"
    RELAY_PID=$TS_PID
    ts_until 30 grep -q ready "$TS_DIR/relay"
}

# Its counters are then the last line of $TS_DIR/relay. Before, whoever does not know that his connection
# is over is told so: he would go on over the next relay.
relay_stop() {
    ss -Kt >/dev/null 2>&1
    far ss -Kt >/dev/null 2>&1
    sleep 0.4
    kill -TERM "$RELAY_PID" && wait "$RELAY_PID"
}

# The daemon as one more host on the bridge.
relay_daemon() {
    "$BUILD/tapstackd" --tap ts0 --address $NEAR_OURS/24 --socket "$TS_SOCK" "$@" 2>>"$TS_LOG" </dev/null &
    TS_DAEMON=$!
    ts_until 30 ts_ready && ! ts_gone "$TS_DAEMON" && ip link set ts0 master br0 up
}

relay_daemon_stop() {
    kill -TERM "$TS_DAEMON" && wait "$TS_DAEMON"
    TS_DAEMON=""
}

# near ours|kernel COMMAND...: with one of the two stacks that are compared.
near() {
    if [ "$1" = ours ]; then ts_run "${@:2}"; else ${TS_EXEC:-} "${@:2}"; fi
}

near_address() {
    if [ "$1" = ours ]; then echo $NEAR_OURS; else echo $NEAR_KERNEL; fi
}

# relay_flow WHO CONGESTION get|put WORK...: WHO serves here, the kernel there asks (WORK: -b, -m, -n of
# flow). What the receiver measured is then in $TS_DIR/measured.
relay_flow() {
    local who=$1 cc=$2 way=$3 pid status=0
    ts_spawn near "$who" "$FLOW" -C "$cc" serve 5001 >"$TS_DIR/serve" 2>"$TS_DIR/serve.errors"
    pid=$TS_PID
    ts_until 30 ts_listening "$TS_DIR/serve" &&
        timeout 100 nsenter --net="/run/netns/$FAR_NS" "$FLOW" -C "$cc" "${@:4}" "$way" \
            "$(near_address "$who")" 5001 >"$TS_DIR/ask" 2>"$TS_DIR/ask.errors" || status=$?
    [ "$way" = get ] || ts_until 2 grep -q '^[0-9f]' "$TS_DIR/serve"
    kill -TERM "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    cat "$TS_DIR/serve" "$TS_DIR/ask" | grep '^[0-9f]' >"$TS_DIR/measured"
    if [ $status != 0 ] || grep -q failed "$TS_DIR/measured" || ! [ -s "$TS_DIR/measured" ]; then
        cat "$TS_DIR/serve.errors" "$TS_DIR/ask.errors"
        return 1
    fi
}
