#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Shared rings: the program writes where its bytes are sent from and reads where they arrive. Each
# byte is compared; attached at once, in the middle of a transfer, by connecting and by accepting.
# `ringcalls` is what the header promises besides: polling, threads, processes, errors.
. "$(dirname "$0")/lib.sh"
ts_enter rings "$@"
ts_start

for way in copy zero; do
    check_transfer "$way: 256 MiB to the kernel" kernel $way 7001 256M 0
    check_transfer "$way: 256 MiB from the kernel" kernel $way 7002 0 256M
    check_transfer "$way: 64 MiB both ways" kernel $way 7003 64M 64M
    check_transfer "$way: accepted, 64 MiB both ways" $way kernel 7004 64M 64M
    TS_ATTACH=3M check_transfer "$way: attached in the middle of sending" kernel $way 7005 64M 0
    TS_ATTACH=3M check_transfer "$way: attached in the middle of receiving" kernel $way 7006 0 64M
    TS_ATTACH=3M check_transfer "$way: attached in the middle of both" kernel $way 7007 64M 64M
    check_transfer "$way: both ends, both ways" $way $way 7008 64M 64M
    check_transfer "$way: messages of 100 bytes" kernel $way 7009 1M 1M -w 100
    check_transfer "$way: 300 connections, 20 at once" kernel $way 7010 50K 50K -n 300 -p 20
done

# ------------------------------------------------------------------------------ what the header promises
RINGCALLS=$BUILD/tests/net/ringcalls

# promised MODE_AND_ARGUMENTS <<< "name, a tab, what must be said"
promised() {
    local name wanted got
    timeout 100 "${RUN[@]}" "$RINGCALLS" $US $PEER "$@" >"$TS_DIR/said" 2>"$TS_DIR/said.error" ||
        not_ok "ringcalls $* ends" "$(cat "$TS_DIR/said" "$TS_DIR/said.error")"
    while IFS=$'\t' read -r name wanted; do
        got=$(sed -n "s/^$name\t//p" "$TS_DIR/said" | sort -u)
        same "${RUN:+shim: }$name: $wanted" "$wanted" "$got"
    done
}

RUN=()
promised <<'EOF'
attach.fresh	ENOTCONN
attach.closed	EBADF
attach.foreign	ENOTSOCK
attach.shut	ENOTCONN
nonblocking.empty	EAGAIN
nonblocking.room	1
blocking.waits	1
blocking.byte	a
plain.write	EPIPE
epoll.level	all bytes, sleeps
epoll.edge	all bytes, sleeps
turns.poll	all bytes, sleeps
turns.blocking	all bytes, sleeps
threads.both ways	all bytes and the end
threads.short	all bytes and the end
mapped.both ways	all bytes and the end
fork.child uses the ring	0
fork.second attach	0
EOF
for _ in 1 2 3 4 5; do promised listen <<<"accept.several processes	0 failed"; done

ts_spawn "$RINGCALLS" $US $PEER echo 7100 >"$TS_DIR/echo"
ts_until 5 ts_listening "$TS_DIR/echo"
RUN=("$BUILD/tapstack" --socket "$TS_SOCK" run --)
promised shim 7100 <<'EOF'
shim.ours	1
shim.write	3
shim.read	3
shim.both ways by the ring	all bytes and the end
shim.a socket of the library	all bytes and the end
EOF
RUN=()

# ------------------------------------------------------------------------------ completions of MSG_ZEROCOPY
# The program says where it stands, and goes on when it is told; between "cut" and "mend" none of its
# frames arrives.
cut_off() {
    nft 'table netdev cut { chain from_us { type filter hook ingress device ts0 priority 0; drop; }; }'
}

zerocopy() {
    local line
    coproc Z { exec timeout 40 "$RINGCALLS" $US $PEER zerocopy; }
    while read -r line <&"${Z[0]}"; do
        case $line in
        cut*) cut_off && echo >&"${Z[1]}" ;;
        mend*) nft delete table netdev cut && echo >&"${Z[1]}" ;;
        *) echo "$line" ;;
        esac
    done
}

zerocopy >"$TS_DIR/zerocopy"
while IFS=$'\t' read -r name wanted; do
    same "$name: $wanted" "$wanted" "$(sed -n "s/^$name\t//p" "$TS_DIR/zerocopy")"
done <<'EOF'
zerocopy.polled	1
zerocopy.cut off	0
zerocopy.mended	1
zerocopy.many	in order, once, acknowledged
zerocopy.nothing more	0
EOF

# ------------------------------------------------------------------------------ killed
moved() {
    [ $(($(ts_stat streams_taken_bytes) + $(ts_stat streams_pushed_bytes))) -gt "$1" ]
}

# killed WAY UP DOWN PORT: what the kernel's end says when ours is killed in the middle.
killed() {
    local way=$1 up=$2 down=$3 port=$4 server
    local from=$(($(ts_stat streams_taken_bytes) + $(ts_stat streams_pushed_bytes)))
    ts_spawn ts_peer kernel -a "$port" -s "$down" -r "$up" 2>"$TS_DIR/server.$port"
    server=$TS_PID
    ts_until 5 ts_listening "$TS_DIR/server.$port"
    ts_spawn ts_peer "$way" -c "$PEER:$port" -s "$up" -r "$down" 2>"$TS_DIR/client.$port"
    ts_until 20 moved $((from + 20000000)) || cat "$TS_DIR/client.$port"
    kill -KILL "$TS_PID"
    wait "$TS_PID" 2>/dev/null
    ts_until 20 ts_gone "$server" || echo "the peer hears nothing"
    sed -n 's/.*too early.*/the end/p; s/.*Connection reset.*/reset/p; s/.*Broken pipe.*/reset/p' "$TS_DIR/server.$port"
}

for way in copy zero; do
    [ $way = copy ] && port=7200 || port=7210
    same "$way: killed while it sends: the same as plain" "$(killed lib 40G 0 "$port")" \
        "$(killed $way 40G 0 $((port + 1)))"
    same "$way: killed while it receives: reset" reset "$(killed $way 0 40G $((port + 2)))"
    killed $way 40G 40G $((port + 3)) >"$TS_DIR/both"
    check "$way: killed while it does both: the peer hears of it" grep -qE "^(the end|reset)$" "$TS_DIR/both"
done

same "no ring was found to be wrong" 0 "$(ts_stat ring_violations)"
check "rings were made" test "$(ts_stat rings_made)" -ge 600

# ------------------------------------------------------------------------------ the daemon is killed
"$RINGCALLS" $US $PEER die >"$TS_DIR/died" 2>&1 &
pid=$!
ts_until 10 grep -q waiting "$TS_DIR/died"
kill -KILL "$TS_DAEMON"
wait "$TS_DAEMON" 2>/dev/null
TS_DAEMON=""
wait "$pid"
same "a daemon that is killed: who waits gets ECONNRESET" ECONNRESET "$(sed -n 's/^died.receive\t//p' "$TS_DIR/died")"
same "and who sends" ECONNRESET "$(sed -n 's/^died.send\t//p' "$TS_DIR/died")"

# ------------------------------------------------------------------------------ checksums by ourselves
ts_start --no-offload
for way in copy zero; do
    check_transfer "$way, no offload: 32 MiB both ways" kernel $way 7301 32M 32M
    TS_ATTACH=3M check_transfer "$way, no offload: attached in the middle of both" kernel $way 7302 16M 16M
    check_transfer "$way, no offload: both ends" $way $way 7303 16M 16M
done
promised listen <<<"accept.several processes	0 failed"
same "no ring was found to be wrong" 0 "$(ts_stat ring_violations)"
ts_stop
ts_done
