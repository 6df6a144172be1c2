#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the daemon writes with --capture, as tshark judges it: no malformed packet, no bad checksum,
# and a handshake with the options that it should have; with offload and without.
. "$(dirname "$0")/lib.sh"
ts_enter capture "$@"
command -v tshark >/dev/null || { echo "1..0 # SKIP no tshark"; exit 0; }
export HOME=$TS_DIR XDG_RUNTIME_DIR=$TS_DIR # tshark's own files

# fields FILE FILTER FIELD...
fields() {
    local each=() f
    for f in "${@:3}"; do each+=(-e "$f"); done
    tshark -n -r "$1" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE \
        -o tcp.desegment_tcp_streams:FALSE -Y "$2" -T fields -E separator=' ' "${each[@]}" \
        2>"$TS_DIR/tshark"
}

# one RUN OPTION...
one() {
    local run=$1 file=$TS_DIR/capture.$1 bad
    shift
    ts_start --capture "$file" "$@"
    check_transfer "$run: 4 MiB to the kernel" kernel run 7001 4M 0
    check_transfer "$run: 4 MiB from the kernel" kernel lib 7002 0 4M
    check_transfer "$run: the kernel connects, both ways" run kernel 7003 1M 1M
    check_transfer "$run: 50 short connections" kernel run 7004 100 100 -n 50 -p 5
    check "$run: ping is answered" timeout 5 bash -c "exec 2>&1; ping -n -c 2 -i 0.2 -W 1 $US || exit 0"
    ts_stop

    # All in one pass: what is wrong, and the payload each way.
    fields "$file" "ip or arp" frame.number ip.src tcp.len tcp.srcport _ws.malformed \
        ip.checksum.status tcp.checksum.status icmp.checksum.status >"$TS_DIR/all" 2>&1
    check "$run: tshark reads it" test -s "$TS_DIR/all"
    bad=$(fields "$file" "_ws.malformed or ip.checksum.status == 0 or tcp.checksum.status == 0 or
        icmp.checksum.status == 0 or ip.bogus_header_length or tcp.bogus_header_length or
        tcp.option.len.invalid" frame.number _ws.col.Info | head -n 5)
    same "$run: no malformed packet, no bad checksum" "" "$bad"
    same "$run: every checksum was looked at" 0 \
        "$(fields "$file" "tcp and not (tcp.checksum.status == 1 and ip.checksum.status == 1)" frame.number | wc -l)"
    sum() {
        fields "$file" "$1" tcp.len | awk '{ n += $1 } END { print n + 0 }'
    }
    check "$run: the payload is in it, to the kernel" test "$(sum "ip.src == $US && tcp.port == 7001")" -ge $((4 << 20))
    check "$run: the payload is in it, from the kernel" test "$(sum "ip.src == $PEER && tcp.port == 7002")" -ge $((4 << 20))
    same "$run: our SYN has MSS, window scale and timestamps" "1460 7 1" \
        "$(fields "$file" "ip.src == $US && tcp.dstport == 7001 && tcp.flags.syn == 1" \
            tcp.options.mss_val tcp.options.wscale.shift tcp.flags.syn |
            sed 's/True/1/' | awk 'NR == 1 { print $1, $2, $3 }')"
    check "$run: timestamps in every segment but resets" test 0 = "$(fields "$file" \
        "tcp && tcp.flags.reset == 0 && not tcp.options.timestamp.tsval" frame.number | wc -l)"
    same "$run: our SYN-ACK to the kernel's SYN as well" "1460" \
        "$(fields "$file" "ip.src == $US && tcp.srcport == 7003 && tcp.flags.syn == 1" tcp.options.mss_val | head -n 1)"
    same "$run: no segment is larger than the MTU allows" "" \
        "$([ "$run" = offload ] || fields "$file" "ip.src == $US && ip.len > 1500" frame.number | head -n 3)"
    same "$run: no retransmission where nothing is lost" "" \
        "$(fields "$file" "ip.src == $US && tcp.analysis.retransmission" frame.number | head -n 3)"
}

one offload
one software --no-offload
ts_done
