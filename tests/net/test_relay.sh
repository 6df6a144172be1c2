#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The emulated link of the comparison (make compare): a short round of it, the kernel's sender and
# ours in turn. Only that bytes arrive intact and that the link's books balance; no speed is judged.
. "$(dirname "$0")/lib.sh"
ts_enter relay "$@"
. "$NET/relay.sh"

if ! relay_topology >"$TS_DIR/topology" 2>&1; then
    echo "1..0 # SKIP no second network namespace, or no bridge: $(head -n 1 "$TS_DIR/topology")"
    exit 0
fi

# books WHO: what entered either arrived or was dropped, at no larger size than the MTU.
books() {
    tail -n 1 "$TS_DIR/relay" | "$PYTHON" -c '
import json, sys
j = json.load(sys.stdin)
under_way = j["under_way"]
for name in "forward", "backward":
    d = j[name]
    dropped = sum(v for k, v in d.items() if k.startswith("dropped_"))
    under_way -= d["frames"] + d["copies"] - dropped - d["delivered"] - d["refused"]
    assert d["payload"] == d["unique"] + d["retransmitted"], (name, d)
    assert d["bytes"] <= 1514 * d["frames"], (name, d)
    for never in "gaps", "strays", "refused", "dropped_oversize", "dropped_memory":
        assert d[never] == 0, (name, never, d)
assert under_way == 0, j
f = j["forward"]
assert f["unique"] >= 3 * (1 << 18), f
assert f["dropped_loss"] > 0 and f["copies"] > 0 and f["reordered"] > 0, f
assert f["retransmitted"] > 0, f
assert j["backward"]["unique"] == 3 * 64, j["backward"]'
}

three() {
    awk -v bytes="$1" '$1 == bytes && $2 > 0 { n++ } END { exit n != 3 }' "$TS_DIR/measured"
}

# here NAME COMMAND...: like check, but in this shell, which then knows what was started.
here() {
    if "${@:2}" >"$TS_DIR/here" 2>&1; then ok "$1"; else not_ok "$1" "$(cat "$TS_DIR/here")"; fi
}

LINK=rate=50M,delay=5ms,queue=50ms,loss=20,reorder=20:2ms,dup=10,jitter=1ms,seed=3
for who in kernel ours; do
    here "$who: the relay starts" relay_start $LINK rate=50M,delay=5ms
    [ $who = kernel ] || here "$who: the daemon joins the bridge" relay_daemon
    here "$who: three times 256 KiB over a bad link" relay_flow $who reno get -n 3 -b 262144
    check "$who: the receiver has each of them" three 262144
    [ $who = kernel ] || ts_stop
    here "$who: the relay ends in order" relay_stop
    check "$who: every frame is accounted for" books
done
ts_done
