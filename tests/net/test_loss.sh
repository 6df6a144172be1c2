#!/bin/bash
# SPDX-License-Identifier: MIT
#
# 1 % random loss both ways on the TAP. Offload is off and the kernel's TCP makes single segments
# (gso_max_segs 1), so that segments get lost, not bursts of 45. What the kernel sends is not dropped
# but forwarded to an interface that nobody reads: a drop would tell its TCP.
. "$(dirname "$0")/lib.sh"
ts_enter loss "$@"

ts_start --no-offload
ip link set ts0 gso_max_segs 1
ip tuntap add dev sink0 mode tap
ip link set sink0 up
lose() {
    nft -f - <<'RULES'
table netdev loss {
    chain from_us {
        type filter hook ingress device ts0 priority 0;
        numgen random mod 100 < 1 counter drop
    }
    chain to_us {
        type filter hook egress device ts0 priority 0;
        numgen random mod 100 < 1 counter fwd to sink0
    }
}
RULES
}
lost() {
    nft list chain netdev loss "$1" | sed -n 's/.*counter packets \([0-9]*\) .*/\1/p'
}
if ! check "nftables loses one packet in a hundred" lose; then ts_done; fi

check_transfer "64 MiB to the kernel at 1 % loss" kernel run 7001 64M 0 -t 60
check_transfer "64 MiB from the kernel at 1 % loss" kernel run 7002 0 64M -t 60
check_transfer "8 MiB each way at once at 1 % loss, the kernel connects" run kernel 7003 8M 8M -t 60
check_transfer "40 short connections at 1 % loss" kernel run 7004 10K 10K -n 40 -p 10 -t 60

# 64 MiB are 46,000 segments; the other way goes an ACK for every second one, or for more.
echo "# lost: $(lost from_us) of ours, $(lost to_us) of the kernel's"
check "packets were lost both ways" test "$(lost from_us)" -gt 200 -a "$(lost to_us)" -gt 200
check "retransmissions are counted" test "$(ts_stat tcp_out_retrans)" -gt 200
ts_stop
ts_done
