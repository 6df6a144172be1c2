#!/bin/bash
# SPDX-License-Identifier: MIT
#
# ECN with the kernel as the peer: each side asks once, each sends once, and nftables marks one
# ECN-capable packet in fifty. Nothing is lost, so what slows the sender are the marks; CWR must
# answer ECE, or the receiver would say ECE for ever and the sender stand still.
. "$(dirname "$0")/lib.sh"
ts_enter ecn "$@"

mark() {
    nft delete table netdev marks 2>/dev/null
    nft -f - <<'RULES'
table netdev marks {
    chain from_us {
        type filter hook ingress device ts0 priority 0;
        ip ecn ect0 counter name ours
        ip ecn ect1 counter name strange
        ip ecn ect0 numgen random mod 50 < 1 ip ecn set ce counter name ours_marked
        tcp flags cwr / cwr,syn counter name our_cwr
        tcp flags ecn / ecn,syn counter name our_ece
    }
    chain to_us {
        type filter hook egress device ts0 priority 0;
        ip ecn ect0 numgen random mod 50 < 1 ip ecn set ce counter name theirs_marked
        tcp flags cwr / cwr,syn counter name their_cwr
    }
    counter ours { }
    counter strange { }
    counter ours_marked { }
    counter theirs_marked { }
    counter our_cwr { }
    counter our_ece { }
    counter their_cwr { }
}
RULES
}
counted() {
    nft list counter netdev marks "$1" | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

ts_start --no-offload
ip link set ts0 gso_max_segs 1
if ! check "nftables marks one ECN-capable packet in fifty" mark; then ts_done; fi
check "our side asks for ECN" ts_tool set tcp_ecn=1
sysctl -qw net.ipv4.tcp_ecn=2
check_transfer "32 MiB to the kernel, marked" kernel run 7001 32M 0 -t 60
check_transfer "32 MiB from the kernel, marked" kernel run 7002 0 32M -t 60
check "our data was ECN-capable, nothing ECT(1)" \
    test "$(counted ours)" -gt 10000 -a "$(counted strange)" = 0
check "marks were told of and answered" test "$(counted ours_marked)" -gt 100 \
    -a "$(counted our_cwr)" -gt 10 -a "$(ts_stat tcp_in_ece)" -gt 10
check "the kernel heard of its marks" test "$(counted theirs_marked)" -gt 100 \
    -a "$(counted our_ece)" -gt 100 -a "$(counted their_cwr)" -gt 10 -a "$(ts_stat tcp_in_ce)" -gt 100
check "nothing was retransmitted" test "$(ts_stat tcp_out_retrans)" -lt 20
sysctl -qw net.ipv4.tcp_ecn=1
check "our side only accepts it" ts_tool set tcp_ecn=2
before=$(counted ours)
check_transfer "8 MiB each way at once, the kernel asks" run kernel 7003 8M 8M -t 60
check "what it asked for was used" test "$(counted ours)" -gt $((before + 4000))
echo "# ours $(counted ours), marked $(counted ours_marked), CWR $(counted our_cwr), ECE $(counted our_ece)"
echo "# theirs marked $(counted theirs_marked), CWR $(counted their_cwr), ECE $(ts_stat tcp_in_ece)"
ts_stop

ts_start
check "the marks are set up anew" mark
check "offload: our side asks for ECN" ts_tool set tcp_ecn=1
check_transfer "256 MiB to the kernel, marked, with offload" kernel run 7011 256M 0 -t 60
check_transfer "256 MiB from the kernel, marked, with offload" kernel run 7012 0 256M -t 60
check "bursts were marked, and told of" test "$(counted ours_marked)" -gt 20 \
    -a "$(counted theirs_marked)" -gt 20 -a "$(ts_stat tcp_in_ece)" -gt 10 -a "$(ts_stat tcp_in_ce)" -gt 100
ts_stop
ts_done
