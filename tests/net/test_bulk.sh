#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Much data, each way, between our TCP and the kernel's: every byte is compared where it arrives,
# and the SHA-256 of what arrived with that of what was to be sent.
. "$(dirname "$0")/lib.sh"
ts_enter bulk "$@"

wanted() {
    "$PEER_PROGRAM" -P 0 -g "$1" | sha256
}

# hashed NAME SERVER CLIENT PORT TO_SERVER TO_CLIENT SHA: with the hash of what the receiver got
hashed() {
    local name=$1 side=client sum got=$TS_DIR/sum pid
    [ "$5" = 0 ] || side=server
    rm -f "$TS_DIR/$side.$4.out" "$got"
    mkfifo "$TS_DIR/$side.$4.out"
    sha256 <"$TS_DIR/$side.$4.out" >"$got" &
    pid=$!
    TS_PIDS+=("$pid")
    if check_transfer "$name" "${@:2:5}" -P 0 -o; then
        wait "$pid"
        read -r sum <"$got"
        same "$name: SHA-256" "$7" "$sum"
    fi
    kill "$pid" 2>/dev/null
}

G=$(wanted 1G)
M=$(wanted 256M)

ts_start
hashed "1 GiB to the kernel, program under tapstack run" kernel run 7001 1G 0 "$G"
hashed "1 GiB from the kernel, program under tapstack run" kernel run 7002 0 1G "$G"
check_transfer "256 MiB to the kernel, program with libtapstack" kernel lib 7003 256M 0
check_transfer "256 MiB from the kernel, program with libtapstack" kernel lib 7004 0 256M
check_transfer "256 MiB each way at once, the kernel connects" run kernel 7005 256M 256M
check_transfer "64 MiB each way between two programs of ours" run lib 7006 64M 64M
ts_stop

ts_start --no-offload
hashed "256 MiB to the kernel, no offload" kernel run 7011 256M 0 "$M"
hashed "256 MiB from the kernel, no offload" kernel run 7012 0 256M "$M"
ts_stop
ts_done
