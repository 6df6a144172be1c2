#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The socket-semantics suite (semantics/semantics.h): on kernel sockets in a namespace of its own
# behind a veth pair, and on ours; the outputs are compared. What differs must stand in
# docs/differences.md, and what stands there must differ (semantics/compare.py). With names of groups
# as arguments only those run, and the difference is shown.
. "$(dirname "$0")/lib.sh"
ts_enter semantics "$@"

SUITE=$BUILD/tests/net/semantics/semantics
KERNEL=10.78.0.2 KERNEL_PEER=10.78.0.1

ts_start
# The kernel's side: a process that keeps the namespace, and a veth pair to it.
ts_spawn unshare -n sleep 600
ns=$TS_PID
other_namespace() { [ "$(readlink "/proc/$ns/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }
ts_until 30 other_namespace || echo "Bail out! no second namespace"
ip link add tsv0 type veth peer name tsv1 netns "$ns"
ip addr add $KERNEL_PEER/24 dev tsv0
ip link set tsv0 up
nsenter -t "$ns" -n sh -c "ip link set lo up; ip addr add $KERNEL/24 dev tsv1; ip link set tsv1 up"
sysctl -qw net.ipv4.tcp_congestion_control=cubic 2>/dev/null

# peer NAME US PEER DEV: the other side of one run
peer() {
    DEV=$4 GONE=${3%.*}.3 ts_spawn "$SUITE" --serve "$TS_DIR/$1.peer" "$2" "$3" "${3%.*}.3"
    ts_until 30 test -S "$TS_DIR/$1.peer"
}
peer kernel $KERNEL $KERNEL_PEER tsv0
peer here $US $PEER ts0

# verdicts NAME PREFIX MODE: compare the output NAME with the kernel's
verdicts() {
    local verdict name why
    while IFS=$'\t' read -r verdict name why; do
        if [ "$verdict" = ok ]; then ok "$2$name"; else not_ok "$2$name" "$why"; fi
    done < <("$PYTHON" "$NET/semantics/compare.py" "$TS_DIR/kernel" "$TS_DIR/$1" "$ROOT/docs/differences.md" "$3")
}

nsenter -t "$ns" -n "$SUITE" "$TS_DIR/kernel.peer" $KERNEL $KERNEL_PEER ${KERNEL_PEER%.*}.3 "$@" \
    >"$TS_DIR/kernel" 2>"$TS_DIR/kernel.err" &
kernel=$!
ts_run "$SUITE" "$TS_DIR/here.peer" $US $PEER ${PEER%.*}.3 "$@" >"$TS_DIR/here" 2>"$TS_DIR/here.err"
wait $kernel
if [ $# = 0 ]; then verdicts here "" preload; else diff "$TS_DIR"/{kernel,here}; fi

# The static build, where `tapstack run` can supervise it.
if [ ! -x "$SUITE-static" ] || ! ts_tool run --help | grep -q -e --seccomp; then
    skip "the static build" "tapstack run has no --seccomp"
elif [ $# = 0 ]; then
    ts_tool run --seccomp -- "$SUITE-static" "$TS_DIR/here.peer" $US $PEER ${PEER%.*}.3 \
        >"$TS_DIR/seccomp" 2>"$TS_DIR/seccomp.err"
    verdicts seccomp "static: " seccomp
fi
ts_stop
[ -z "${SEMANTICS_OUT:-}" ] || cp "$TS_DIR"/{kernel,here,seccomp,daemon.log} "$SEMANTICS_OUT" 2>/dev/null
cat "$TS_DIR"/*.err | sed 's/^/# /'
ts_done
