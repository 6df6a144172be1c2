#!/bin/bash
# SPDX-License-Identifier: MIT
# nginx, four workers: reuseport, sendfile, keep-alive, proxy_pass, reload, quit; wrk and ab at either end.
. "$(dirname "$0")/lib.sh"
. "$NET/programs.sh"
. "$NET/programs/nginx.sh"
ts_enter prog-nginx "$@"

W=$TS_DIR/www G=$TS_DIR/got
mkdir -m 777 "$W" "$G"
# Sizes around a segment, an offloaded frame and the pair's buffer; the name is in front.
FILES=()
for size in 1 1400 1460 9000 40000 65536 200000 700001; do
    FILES+=("f$size")
    { echo "f$size" && head -c $size /dev/urandom; } >"$W/f$size"
done
head -c 3000000 /dev/urandom >"$W/long"
(cd "$W" && sha256sum -- *) >"$TS_DIR/sums"
export no_proxy='*'

# ---------------------------------------------------------------------- what is tried
# load NAME CONNECTIONS URL COMMAND...: wrk with bodies.lua for a second, in the background; longer where a second is
# not enough for an answer to each connection, and none was wrong
load() {
    local seconds
    for seconds in 1 4 16; do
        timeout 60 "${@:4}" wrk -t 2 -c "$2" -d "$seconds" --timeout 30 -s "$NET/programs/bodies.lua" "$3" -- \
            "$W" "${FILES[@]}" >"$TS_DIR/wrk-$1" 2>&1
        if compared "$1" || ! grep -q 'wrong 0 errors 0' "$TS_DIR/wrk-$1"; then break; fi
    done >/dev/null &
    LOADS+=($!)
}
loaded() {
    wait "${LOADS[@]}"
    LOADS=()
}
# compared NAME: how it went; as many bodies as connections at least, all right
compared() {
    local said
    said=$(cat "$TS_DIR/wrk-$1")
    echo "$said"
    [[ $said =~ right\ ([0-9]+)\ wrong\ 0\ errors\ 0 ]] &&
        [[ $said =~ \ ([0-9]+)\ connections ]] && [ "${BASH_REMATCH[1]}" -le "$(grep -oP 'right \K\d+' <<<"$said")" ]
}
# counted REQUESTS CONCURRENCY NAME [AB_OPTION...]: all answered, each with the length of the file
counted() {
    local said length
    length=$(stat -c %s "$W/$3")
    said=$(timeout 60 "${AB[@]}" -q -s 20 -n "$1" -c "$2" "${@:4}" "$URL$3" 2>&1) || { echo "$said" && return 1; }
    echo "$said"
    grep -qx "Complete requests: *$1" <<<"$said" && grep -qx 'Failed requests: *0' <<<"$said" &&
        grep -qx "Document Length: *$length bytes" <<<"$said" && ! grep -qE '^(Non-2xx|Write err)' <<<"$said" &&
        { [ "${4:-}" != -k ] || grep -qx "Keep-Alive requests: *$1" <<<"$said"; }
}
# Each file five times, all at once; every body's sum.
summed() {
    local round file
    rm -rf "${G:?}"/*
    for round in 1 2 3 4 5; do
        mkdir "$G/$round"
        for file in "$W"/*; do
            printf 'url = %s%s\noutput = %s\n' "$URL" "${file##*/}" "$G/$round/${file##*/}"
        done
    done >"$TS_DIR/curlrc"
    curl -sS --fail -Z --parallel-max 45 -K "$TS_DIR/curlrc" || return 1
    for round in 1 2 3 4 5; do
        (cd "$G/$round" && sha256sum --quiet -c "$TS_DIR/sums") || return 1
    done
}
AB=(ab) LOADS=()

# each_worker: all four have answered
each_worker() {
    local n
    n=$(grep OK "$TS_DIR/ours-$1/access.log" | cut -d ' ' -f 6 | sort -u | wc -l)
    echo "$n workers"
    [ "$n" = 4 ]
}
sent_by_us() {
    grep -q "^$US .* 200 " "$TS_DIR/kernel/access.log" && grep -q '^127.0.0.1 .* 200 ' "$TS_DIR/kernel/access.log"
}

# download FILE: a transfer that takes a second or more, in the background; DOWNLOAD
download() {
    rm -f "$1"
    curl -sS --fail -o "$1" "http://$US:8001/slow/long" &
    DOWNLOAD=$!
    ts_until 10 test -s "$1"
}
# Connections are made all the time; none may fail, and the long transfer must go on.
reload() {
    local before load
    before=$(nginx_workers | paste -sd ' ')
    download "$G/long" || return 1
    URL=http://$US:8001/ counted 2000 16 f1400 >"$TS_DIR/ab" &
    load=$!
    sed -i 's/return 200 "/return 200 "anew /' "$TS_DIR/ours-$1/nginx.conf"
    for _ in 1 2 3; do
        kill -HUP "$NGINX"
        ts_until 10 new_workers "$before" || return 1
        before=$(nginx_workers | paste -sd ' ')
    done
    wait "$load" || { cat "$TS_DIR/ab" && return 1; }
    ts_until 10 says_anew || return 1
    wait "$DOWNLOAD" && cmp "$W/long" "$G/long" && ts_until 10 four_workers
}
new_workers() {
    [ "$(nginx_workers | grep -cvwE "${1// /|}")" = 4 ]
}
four_workers() {
    [ "$(pgrep -c -P "$NGINX")" = 4 ]
}
says_anew() {
    [[ $(curl -sS "http://$US:8001/say/x") == anew* ]]
}
quit() {
    local pid=$NGINX
    download "$G/long" || return 1
    kill -QUIT "$pid"
    ts_until 10 closed || return 1
    kill -0 "$DOWNLOAD" || return 1
    wait "$DOWNLOAD" && cmp "$W/long" "$G/long" && ts_until 10 ts_gone "$pid"
}
# Nobody listens any more.
closed() {
    local status=0
    curl -sS "http://$US:8001/say/x" >/dev/null 2>&1 || status=$?
    [ "$status" = 7 ]
}
none_left() {
    [ "$(ts_stat usage_sockets)" = 0 ] && [ "$(ts_stat usage_orphans)" = 0 ]
}

# ---------------------------------------------------------------------- nginx on our side
ts_start
nginx_config kernel "127.0.0.1:8000; listen $PEER:8000" "$W" LOOPBACK=127.0.0.1:1 NETWORK=127.0.0.1:1
nginx_start kernel env

# suite MODE SECONDS COMMAND...
suite() {
    nginx_config "ours-$1" "$US:8001 reuseport" "$W" WORKERS=4 RATE=2m LOOPBACK=127.0.0.1:8000 \
        NETWORK=$PEER:8000
    nginx_start "ours-$1" "${@:2}"
    load direct 100 "http://$US:8001/" env
    load loopback 40 "http://$US:8001/loopback/" env
    load network 40 "http://$US:8001/network/" env
    loaded
    URL=http://$US:8001/
    works nginx "$1" server "wrk, 100 connections, every body compared" compared direct
    works nginx "$1" server "each of four workers accepts (reuseport)" each_worker "$1"
    works nginx "$1" server "ab, 1,500 connections, lengths compared" counted 1500 50 f9000
    works nginx "$1" server "ab -k, 3,000 requests, lengths compared" counted 3000 50 f1460 -k
    works nginx "$1" server "45 files at once, sha256 of each" summed
    URL=http://$US:8001/loopback/
    works nginx "$1" server "proxy_pass to 127.0.0.1, kept connections: wrk, every body compared" compared loopback
    works nginx "$1" server "proxy_pass to 127.0.0.1: 45 files at once, sha256 of each" summed
    URL=http://$US:8001/each/
    works nginx "$1" server "proxy_pass to 127.0.0.1, a connection each: ab, lengths compared" counted 700 20 f9000 -k
    URL=http://$US:8001/network/
    works nginx "$1" both "proxy_pass to the kernel's $PEER: wrk, every body compared" compared network
    works nginx "$1" both "proxy_pass to the kernel's $PEER: 45 files at once, sha256 of each" summed
    works nginx "$1" server "three reloads (SIGHUP) under load: nothing fails, a long transfer goes on" reload "$1"
    works nginx "$1" server "SIGQUIT: a long transfer goes on, the listener is gone" quit
    wait "$NGINX"
    same "it ended with status 0" 0 $?
}
run_by() {
    ${TS_EXEC:-} "$BUILD/tapstack" run "$@"
}
suite preload run_by --
check "nothing is left in the daemon" ts_until 10 none_left
suite seccomp run_by --seccomp --
check "nothing is left in the daemon" ts_until 10 none_left
check "the upstream saw $US by the network, and the loopback" sent_by_us

# ---------------------------------------------------------------------- wrk and ab on our side
URL=http://$PEER:8000/
AB=("$BUILD/tapstack" run -- ab)
nginx_config both "$US:8001 reuseport" "$W" WORKERS=4
nginx_start both ts_run
load preload 100 "$URL" "$BUILD/tapstack" run --
load seccomp 100 "$URL" "$BUILD/tapstack" run --seccomp --
load both 100 "http://$US:8001/" "$BUILD/tapstack" run --
loaded
works wrk preload client "100 connections, every body compared" compared preload
works wrk seccomp client "100 connections, every body compared" compared seccomp
works wrk preload both "100 connections to nginx, every body compared" compared both
works ab preload client "1,500 connections, lengths compared" counted 1500 50 f9000
works ab preload client "-k, 3,000 requests, lengths compared" counted 3000 50 f1460 -k
URL=http://$US:8001/
works ab preload both "1,500 connections to nginx, lengths compared" counted 1500 50 f9000

for pid in "${TS_PIDS[@]}"; do kill -QUIT "$pid" 2>/dev/null; done
ts_stop
programs_done
