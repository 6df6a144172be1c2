#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Each recovery mechanism at work, as another eye sees it: the packet script of the mechanism is
# played, leaves a capture, and tshark's own analysis of that capture must name what happened.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
SCRIPTS=tests/scripts
number=0 failed=0

# played SCRIPT: plays it and names its capture
played() {
    local path=$SCRIPTS/$1.pkt

    [ -e "$path" ] || path=$SCRIPTS/conformance/$1.pkt
    "$BUILD/tests/pkt/pkt" --captures "$path" >"$BUILD/pkt/$1.tap" 2>&1 || return 1
    echo "$BUILD/pkt/$1.pcap"
}

# matches CAPTURE FILTER: how many packets
matches() {
    tshark -r "$1" -o tcp.check_checksum:TRUE -Y "$2" 2>/dev/null | wc -l
}

# shows NAME SCRIPT FILTER COUNT [FILTER COUNT]...
shows() {
    local name=$1 script=$2 capture wrong=
    shift 2
    number=$((number + 1))
    if capture=$(played "$script"); then
        while [ $# -gt 0 ]; do
            local got
            got=$(matches "$capture" "$1")
            [ "$got" = "$2" ] || wrong+="# $script: \"$1\" matches $got packets, not $2"$'\n'
            shift 2
        done
        # whatever else it shows, it is well formed
        [ "$(matches "$capture" '_ws.malformed || tcp.checksum.status == 0')" = 0 ] ||
            wrong+="# $script: malformed"$'\n'
    else
        wrong="# $script does not pass"$'\n'
    fi
    if [ -z "$wrong" ]; then
        echo "ok $number - $name"
    else
        echo "not ok $number - $name"
        printf %s "$wrong"
        failed=1
    fi
}

if ! command -v tshark >/dev/null; then
    echo "1..0 # SKIP no tshark"
    exit 0
fi
mkdir -p "$BUILD/pkt"

ours='tcp.srcport == 8080 && tcp.len > 0'
again="$ours && tcp.analysis.retransmission"

shows "limited transmit: the first two duplicates release new data" rfc3042_01_new_segment_on_1st_2nd \
    "$ours && !tcp.analysis.retransmission && tcp.seq > 10000 && frame.time_relative < 0.215" 2 \
    'tcp.analysis.duplicate_ack' 3
shows "fast retransmit: the third sends the hole again" rfc5681_19_fast_retransmit_3 \
    "tcp.srcport == 8080 && tcp.analysis.fast_retransmission" 1
shows "SACK: the first block is what came last" rfc2018_05_first_block_trigger \
    'tcp.srcport == 8080 && tcp.options.sack_le' 6 'tcp.options.sack.count == 3' 2
shows "D-SACK: each duplicate is reported once" rfc2883_01_dsack_first_block \
    'tcp.srcport == 8080 && tcp.options.sack.dsack_le' 3
shows "reneging: what was SACKed and given up goes again" rfc2018_12_reneging_survived "$again" 4
shows "RACK: lost once the reordering window has passed" rfc8985_14_loss_rule \
    "$again" 2 "$again && tcp.analysis.rto > 0.15 && tcp.analysis.rto < 0.18" 2
shows "RACK: the reordering timer finds it without another ACK" rfc8985_15_reorder_timer \
    "$again && tcp.seq == 1 && frame.time_relative > 0.236 && frame.time_relative < 0.238" 1
shows "RACK: a lost retransmission goes again without a time-out" rfc8985_16_lost_retransmission \
    "$again && tcp.seq == 1" 2 "$again" 2
shows "RACK: reordering that was seen costs no retransmission" rfc8985_08_reordering_seen \
    "$again && frame.time_relative < 1.3" 0
shows "time-out: the head alone goes again" rfc8985_17_rto_marks \
    "$again" 1 "$again && tcp.analysis.rto == 0.3" 1
shows "tail loss probe: new data, long before the time-out" rfc8985_21_probe_new_data \
    "$again" 0 "$ours && frame.time_relative > 0.301 && frame.time_relative < 0.303" 1
shows "tail loss probe: else the last segment" rfc8985_22_probe_retransmits_last \
    "$again && tcp.seq == 3001" 1 "$again && frame.time_relative < 0.4" 1
shows "F-RTO: a spurious time-out sends one segment again, then new data" mechanism-frto \
    "$again" 1 "$ours && tcp.seq > 10000" 2
shows "Eifel: reordering is undone" mechanism-eifel "$again" 1 \
    'tcp.srcport == 8080 && tcp.analysis.fast_retransmission' 0

echo "1..$number"
exit $failed
