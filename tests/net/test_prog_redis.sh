#!/bin/bash
# SPDX-License-Identifier: MIT
# redis (benchmark, large values, pub/sub, replication) and memcached.
. "$(dirname "$0")/lib.sh"
. "$NET/programs.sh"
ts_enter prog-redis "$@"

N=50000
head -c 20000000 /dev/urandom >"$TS_DIR/big"
BIG=$(sha256 <"$TS_DIR/big")

run_by() {
    ${TS_EXEC:-} "$BUILD/tapstack" run "$@"
}
# redis NAME ADDRESS PORT COMMAND...: a server, until it answers
redis() {
    ts_spawn "${@:4}" redis-server --bind "$2" --port "$3" --save '' --protected-mode no --dir "$TS_DIR" \
        --repl-diskless-sync-delay 0 --enable-debug-command yes --daemonize no >"$TS_DIR/$1.log" 2>&1
    ts_until 10 grep -q 'Ready to accept' "$TS_DIR/$1.log" || cat "$TS_DIR/$1.log"
}

# by CLIENT SERVER: how the client is run (env: kernel), and the server's address and port
by() {
    RUN=(timeout 60)
    [ "$1" = kernel ] || RUN+=("$BUILD/tapstack" run)
    [ "$1" != seccomp ] || RUN+=(--seccomp)
    [ "$1" = kernel ] || RUN+=(--)
    AT=(-h "${2%:*}" -p "${2#*:}")
}
cli() {
    "${RUN[@]}" redis-cli "${AT[@]}" "$@"
}

# ---------------------------------------------------------------------- what is tried
# Increments and pushes are counted in the data: none may be lost, none made twice.
benchmark() {
    cli flushall || return 1
    "${RUN[@]}" redis-benchmark "${AT[@]}" -P 16 -c 50 -n "$N" -q -t set,get,incr,lpush \
        >"$TS_DIR/bench" 2>&1 || return 1
    tr '\r' '\n' <"$TS_DIR/bench" | grep 'requests per second'
    [ "$(tr '\r' '\n' <"$TS_DIR/bench" | grep -c 'requests per second')" = 4 ] || return 1
    [ "$(cli get counter:__rand_int__) $(cli llen mylist)" = "$N $N" ]
}
big() {
    cli -x set big <"$TS_DIR/big" && [ "$(cli --raw get big | head -c -1 | sha256)" = "$BIG" ]
}
values() {
    "${RUN[@]}" "$PYTHON" "$NET/programs/values.py" "$1" "${AT[1]}" "${AT[3]}"
}
# A thousand messages reach two subscribers, in order; the last one ends them.
pubsub() {
    local i pids=()
    for i in 1 2; do
        "${RUN[@]}" redis-cli "${AT[@]}" --raw subscribe news </dev/null >"$TS_DIR/news$i" &
        pids+=($!)
    done
    ts_until 10 subscribed 2 || return 1
    seq -f 'publish news message-%g' 1000 | cli >"$TS_DIR/published" || return 1
    for i in 1 2; do ts_until 10 grep -qx message-1000 "$TS_DIR/news$i"; done
    cli client kill type pubsub >/dev/null
    kill "${pids[@]}"
    wait "${pids[@]}"
    seq -f message-%g 1000 >"$TS_DIR/wanted"
    for i in 1 2; do grep message- "$TS_DIR/news$i" | cmp - "$TS_DIR/wanted" || return 1; done
    [ "$(sort "$TS_DIR/published" | uniq -c | tr -s ' ')" = " 1000 2" ]
}
subscribed() {
    [ "$(cli --raw pubsub numsub news | tail -n 1)" = "$1" ]
}
# replicated MASTER REPLICA: all that is there, and what comes later, until both say the same
replicated() {
    local master=(-h "${1%:*}" -p "${1#*:}") replica=(-h "${2%:*}" -p "${2#*:}")
    redis-cli "${replica[@]}" replicaof "${1%:*}" "${1#*:}" || return 1
    ts_until 20 linked "${replica[@]}" || return 1
    redis-benchmark "${master[@]}" -P 16 -c 5 -n 20000 -q -r 5000 -t set,lpush >/dev/null 2>&1
    [ "$(redis-cli "${master[@]}" <<<$'incr last\nwait 1 20000' | tail -n 1)" -ge 1 ] || return 1
    same_digest && redis-cli "${replica[@]}" replicaof no one
}
linked() {
    redis-cli "$@" info replication | grep -q 'master_link_status:up'
}
same_digest() {
    local a b
    a=$(redis-cli "${master[@]}" debug digest)
    b=$(redis-cli "${replica[@]}" debug digest)
    echo "$a $b $(redis-cli "${replica[@]}" dbsize)"
    [ "$a" = "$b" ] && [ "${#a}" = 40 ] && [[ $a =~ [1-9a-f] ]]
}

# suite PROGRAM_MODE SIDE CLIENT SERVER
suite() {
    by "$3" "$4"
    works redis "$1" "$2" "redis-benchmark -P 16, 50 connections: counted in the data" benchmark
    works redis "$1" "$2" "a value of 20 MB, by redis-cli" big
    works redis "$1" "$2" "8,000 values by eight connections, each compared" values redis
    works redis "$1" "$2" "pub/sub: 1,000 messages to two subscribers, in order" pubsub
}

ts_start
K=$PEER:6379 P=$US:6380 S=$US:6381
redis kernel $PEER 6379 env
redis preload $US 6380 run_by --
redis seccomp $US 6381 run_by --seccomp --
suite preload server kernel $P
suite seccomp server kernel $S
suite preload client preload $K
suite seccomp client seccomp $K
suite preload both preload $P
works redis preload server "the kernel's replicates from ours: equal digests" replicated $P $K
works redis preload client "ours replicates from the kernel's: equal digests" replicated $K $P
works redis seccomp both "ours replicates from ours: equal digests" replicated $P $S
seen() {
    grep -q "Replica $US:" "$TS_DIR/kernel.log" && grep -q "Replica $PEER:" "$TS_DIR/preload.log"
}
check "the masters saw $US and $PEER" seen

# ---------------------------------------------------------------------- memcached
# memcached ADDRESS PORT COMMAND...
memcached() {
    local user=(-u root)
    [ "$(id -u)" != 0 ] || [ -z "$TS_NS" ] || user=(-u nobody)
    ts_spawn "${@:3}" memcached -l "$1" -p "$2" -U 0 -t 4 -m 512 -I 2m "${user[@]}"
    ts_until 10 nc -z "$1" "$2"
}
memcached $PEER 11211 env
memcached $US 11212 run_by --
memcached $US 11213 run_by --seccomp --
# of MODE SIDE CLIENT SERVER
of() {
    by "$3" "$4"
    works memcached "$1" "$2" "8,000 values by eight connections, each compared" values memcached
}
of preload server kernel $US:11212
of seccomp server kernel $US:11213
of preload client preload $PEER:11211
of seccomp client seccomp $PEER:11211
of preload both preload $US:11212

for pid in "${TS_PIDS[@]}"; do
    kill "$pid"
    ts_until 5 ts_gone "$pid"
done
ts_stop
programs_done
