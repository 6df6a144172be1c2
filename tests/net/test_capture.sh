#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the daemon writes with --capture, as tshark judges it: no malformed packet, no bad checksum,
# and a handshake with the options that it should have; with offload and without.
. "$(dirname "$0")/lib.sh"
ts_enter capture "$@"
command -v tshark >/dev/null || { echo "1..0 # SKIP no tshark"; exit 0; }
export HOME=$TS_DIR XDG_RUNTIME_DIR=$TS_DIR # tshark's own files

# All that the tests ask about, in one pass; columns as awk names them below.
dissect() {
    tshark -n -r "$1" -o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields -E separator=, \
        -e frame.number -e ip.src -e ip.len -e tcp.srcport -e tcp.dstport -e tcp.len -e tcp.flags \
        -e tcp.options.mss_val -e tcp.options.wscale.shift -e tcp.options.timestamp.tsval \
        -e ip.checksum.status -e tcp.checksum.status -e icmp.checksum.status -e _ws.malformed \
        -e tcp.analysis.retransmission -e icmp.type -e tcp.checksum -E occurrence=f
}

# ask CONDITION-AND-ACTION: awk over the dissection
ask() {
    awk -F, -v us=$US -v peer=$PEER 'function on(port) { return sport == port || dport == port }
        { n = $1; src = $2; len = $3; sport = $4; dport = $5; data = $6; syn = $7 ~ /[2367abef]$/
          rst = $7 ~ /[4567cdef]$/; mss = $8; scale = $9; ts = $10; ipsum = $11; tcpsum = $12
          icmpsum = $13; malformed = $14; again = $15; icmp = $16; tcp = $7 != ""
          # the kernel writes ffff for 0 (CSUM_MANGLED_0): the same to a receiver, not to tshark
          if (src == peer && $17 == "0xffff") tcpsum = 1 }
        '"$1" "$TS_DIR/dissected"
}

# none NAME CONDITION: of no packet
none() {
    same "$1" "" "$(ask "$2"' { print "packet " n }' | head -n 5)"
}

# one RUN PORTS OPTION...: at the ports from PORTS+1 on, another set for each daemon: where the peer
# remembers a tuple of the daemon before in TIME-WAIT, it answers the SYN with an ACK, and the SYN is
# rightly sent again (RFC 9293 §3.10.7.3).
one() {
    local run=$1 p=$2 file=$TS_DIR/capture.$1
    shift 2
    ts_start --capture "$file" "$@"
    # on a loaded machine two round trips of this link are over before the peer has run: a probe of
    # the tail is no loss
    ts_tool set net.ipv4.tcp_early_retrans 0 >/dev/null
    check_transfer "$run: 4 MiB to the kernel" kernel run $((p + 1)) 4M 0
    check_transfer "$run: 4 MiB from the kernel" kernel lib $((p + 2)) 0 4M
    check_transfer "$run: the kernel connects, both ways" run kernel $((p + 3)) 1M 1M
    check_transfer "$run: 50 short connections" kernel run $((p + 4)) 100 100 -n 50 -p 5
    "$PYTHON" "$NET/ping.py" $US >"$TS_DIR/ping" 2>&1
    same "$run: ping is answered" 0 $?
    ts_stop

    dissect "$file" >"$TS_DIR/dissected" 2>"$TS_DIR/tshark"
    same "$run: tshark reads it" 0 $?
    same "$run: each IP header tells its length, so that tcpdump can read it" 0 \
        "$(tcpdump -nr "$file" 'ip and ip[2:2] = 0' 2>/dev/null | wc -l)"
    none "$run: no malformed packet" 'malformed != ""'
    none "$run: no bad checksum" 'ipsum == 0 && ipsum != "" || tcpsum == 0 && tcpsum != "" ||
        icmpsum == 0 && icmpsum != ""'
    none "$run: each TCP checksum was looked at" 'tcp && (tcpsum != 1 || ipsum != 1)'
    check "$run: the payload is in it, to the kernel" test $((4 << 20)) -le \
        "$(ask 'src == us && on('$((p + 1))') { sum += data } END { print sum + 0 }')"
    check "$run: the payload is in it, from the kernel" test $((4 << 20)) -le \
        "$(ask 'src == peer && on('$((p + 2))') { sum += data } END { print sum + 0 }')"
    same "$run: our SYN has MSS, window scale and timestamps" "1460 7 1" \
        "$(ask 'src == us && dport == '$((p + 1))' && syn { print mss, scale, (ts > 0); exit }')"
    same "$run: so has our answer to the kernel's SYN" "1460 7 1" \
        "$(ask 'src == us && sport == '$((p + 3))' && syn { print mss, scale, (ts > 0); exit }')"
    none "$run: timestamps in every segment but resets" 'tcp && !rst && ts == ""'
    [ "$run" = offload ] || none "$run: no packet of ours is larger than the MTU" 'src == us && len > 1500'
    none "$run: no retransmission where nothing is lost" 'src == us && again != ""'
    same "$run: the ping is in it" "8 0" "$(ask 'icmp != "" { printf "%s%s", sep, icmp; sep = " " }')"
}

one offload 7000
one software 7100 --no-offload
ts_done
