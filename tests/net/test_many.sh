#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 200 connections at once, each with data both ways at the same time, every byte compared; the
# offset of a connection's stream comes from its port, so mixed up connections would show.
. "$(dirname "$0")/lib.sh"
ts_enter many "$@"

ts_start
check_transfer "200 at once, our program connects" kernel run 7001 1M 1M -n 200 -p 200 -w 16K
check_transfer "200 at once, the kernel connects" run kernel 7002 1M 1M -n 200 -p 200 -w 16K
check_transfer "200 at once, libtapstack on both ends" lib lib 7003 256K 256K -n 200 -p 200 -w 16K

both() {
    local a b status=0
    transfer kernel run 7004 512K 512K -n 100 -p 100 &
    a=$!
    transfer lib kernel 7005 512K 512K -n 100 -p 100 &
    b=$!
    wait "$a" || status=1
    wait "$b" || status=1
    return "$status"
}
check "100 active and 100 passive at once" both

none_left() {
    [ "$(ts_stat usage_sockets)" = 0 ] && [ "$(ts_stat usage_orphans)" = 0 ]
}
check "none of them is left behind" ts_until 30 none_left
ts_stop

# Less memory than they could use: windows close, but no byte is lost and no connection ends.
ts_start --memory 256M
for i in 1 2 3; do
    check_transfer "200 at once in 256 MiB, run $i" run kernel $((7010 + i)) 1M 1M -n 200 -p 200 -w 16K
done
ts_stop
ts_done
