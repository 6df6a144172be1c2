#!/bin/bash
# SPDX-License-Identifier: MIT
# curl and wget against nginx: large, parallel, partial, slow and aborted transfers, connections that are kept.
. "$(dirname "$0")/lib.sh"
. "$NET/programs.sh"
. "$NET/programs/nginx.sh"
ts_enter prog-curl "$@"

SIZE=20000000
W=$TS_DIR/www
mkdir -m 777 "$W"
head -c $SIZE /dev/urandom >"$W/file"
head -c $SIZE /dev/urandom >"$TS_DIR/up"
G=$TS_DIR/got
mkdir "$G"
export no_proxy='*'

ts_start
nginx_config kernel "$PEER:8000" "$W"
nginx_start kernel env
nginx_config ours "$US:8001 reuseport" "$W"
nginx_start ours ts_run

# How the client is run, its server's URL and log: `by MODE SIDE`.
by() {
    RUN=("$BUILD/tapstack" run)
    [ "$1" != seccomp ] || RUN+=(--seccomp)
    RUN+=(--)
    [ "$2" != server ] || RUN=()
    URL=http://$US:8001 LOG=$TS_DIR/ours/access.log
    [ "$2" != client ] || URL=http://$PEER:8000 LOG=$TS_DIR/kernel/access.log
}
curl() {
    ${TS_EXEC:-timeout 60} "${RUN[@]}" curl -sS --fail "$@"
}
wget() {
    ${TS_EXEC:-timeout 60} "${RUN[@]}" wget -q -T 30 -t 1 "$@"
}
mark() {
    MARK=$(wc -l <"$LOG")
}
# logged COUNT PATTERN: so many such lines came since the mark
logged() {
    [ "$(tail -n "+$((MARK + 1))" "$LOG" | grep -cE -- "$2")" = "$1" ]
}
same_file() {
    cmp "$1" "$2" && rm -f "$2"
}

# ---------------------------------------------------------------------- what is tried, of each
whole() {
    "$1" "$2" "$G/file" "$URL/file" && same_file "$W/file" "$G/file"
}
upload() {
    rm -f "$W/stored"
    curl -T "$TS_DIR/up" "$URL/stored" && same_file "$TS_DIR/up" "$W/stored"
}
parallel() {
    local i
    curl -Z --parallel-max 20 --parallel-immediate -o "$G/#1" "$URL/file?[1-20]" || return 1
    for i in {1..20}; do same_file "$W/file" "$G/$i" || return 1; done
}
# Seven pieces that do not begin at a round number, put together again.
ranges() {
    local from=0 to step=3000001
    rm -f "$G/pieces"
    for ((; from < SIZE; from += step)); do
        to=$((from + step - 1))
        curl -r "$from-$to" "$URL/file" >>"$G/pieces" || return 1
    done
    same_file "$W/file" "$G/pieces"
}
resumed() {
    head -c 7654321 "$W/file" >"$G/file"
    mark
    "$@" "$URL/file" && same_file "$W/file" "$G/file" && ts_until 5 logged 1 "/file 206 $((SIZE - 7654321)) .* OK"
}
# 50 requests, a PUT in the middle: the server sees one connection.
kept() {
    local url=("$URL/file" -o "$G/file")
    mark
    curl -o /dev/null "$URL/say/[1-24]" --next -sS -T "$TS_DIR/up" "$URL/stored" --next -sS \
        -o /dev/null "$URL/say/[26-49]" --next -sS "${url[@]}" || return 1
    same_file "$W/file" "$G/file" && same_file "$TS_DIR/up" "$W/stored" || return 1
    ts_until 5 logged 1 ' GET /file 200 .* 50 OK' && logged 50 " $(tail -n 1 "$LOG" | cut -d ' ' -f 7) [0-9]+ OK"
}
wget_kept() {
    mark
    wget -O "$G/file" "$URL/say/1" "$URL/file" "$URL/say/3" || return 1
    tail -c +2 "$G/file" | grep -aq "/say/3" || return 1
    ts_until 5 logged 1 ' GET /say/3 200 .* 3 OK' && logged 1 ' GET /file 200 .* 2 OK'
}
# limited COMMAND...: at 40 MB/s. A reader that is slow must not be overrun, nor starved.
limited() {
    local start=${EPOCHREALTIME/./} took
    "$@" "$URL/file" && same_file "$W/file" "$G/file" || return 1
    took=$(((${EPOCHREALTIME/./} - start) / 1000))
    [ "$took" -ge 250 ] || { echo "only $took ms" && return 1; }
}
# aborted COMMAND...: it is killed when it has a part of the file; the server notices, and that part was right
aborted() {
    local pid size
    rm -f "$G/file"
    mark
    TS_EXEC="exec" "$@" "$URL/slow/file" &
    pid=$!
    ts_until 10 test -s "$G/file" || return 1
    kill -KILL "$pid"
    wait "$pid"
    ts_until 10 logged 1 ' GET /slow/file 200 .* $' || return 1
    size=$(stat -c %s "$G/file")
    [ "$size" -lt "$SIZE" ] && cmp -n "$size" "$G/file" "$W/file"
}
# The reader goes away, the client says so, and the server hears of it.
broken_pipe() {
    mark
    curl "$URL/slow/file" 2>"$G/said" | head -c 100000 | cmp -n 100000 - "$W/file" || return 1
    grep -q 'curl: (23)' "$G/said" && ts_until 10 logged 1 ' GET /slow/file 200 .* $'
}
put_aborted() {
    local pid
    mark
    TS_EXEC="exec" curl --limit-rate 2M -T "$TS_DIR/up" "$URL/never" &
    pid=$!
    ts_until 10 body_arrives || return 1
    kill -KILL "$pid"
    wait "$pid"
    ts_until 10 logged 1 ' PUT /never 400 ' && [ ! -e "$W/never" ]
}
body_arrives() {
    [ -n "$(find "${LOG%/*}/body" -type f -size +0)" ]
}

# ---------------------------------------------------------------------- both, each way
suite() {
    by "$@"
    works curl "$@" "20 MB fetched" whole curl -o
    works curl "$@" "20 MB uploaded" upload
    works curl "$@" "20 transfers of 20 MB at once (-Z), each compared" parallel
    works curl "$@" "seven ranges, together the file" ranges
    works curl "$@" "a transfer continued (-C -): only the rest was sent" resumed curl -C - -o "$G/file"
    works curl "$@" "50 requests, one a PUT of 20 MB, on one connection" kept
    works curl "$@" "--limit-rate" limited curl --limit-rate 40M -o "$G/file"
    works curl "$@" "killed half-way: the server notices, and what came was right" aborted curl -N -o "$G/file"
    works curl "$@" "its reader goes away: error 23, and the server notices" broken_pipe
    works curl "$@" "killed in an upload: the server notices, and stores nothing" put_aborted
    works wget "$@" "20 MB fetched" whole wget -O
    works wget "$@" "a transfer continued (-c): only the rest was sent" resumed wget -c -O "$G/file"
    works wget "$@" "three requests on one connection" wget_kept
    works wget "$@" "--limit-rate" limited wget --limit-rate 40M -O "$G/file"
    works wget "$@" "killed half-way: the server notices, and what came was right" aborted wget -O "$G/file"
}
suite preload client
suite seccomp client
suite preload server
suite preload both

check "the kernel's server saw $US, and nobody else" bash -c "! grep -v '^$US ' '$TS_DIR/kernel/access.log'"
same "who our server saw" "$PEER $US" "$(cut -d ' ' -f 1 "$TS_DIR/ours/access.log" | sort -u | paste -sd ' ')"
check "that much was received by our stack" test "$(ts_stat tcp_in_bytes)" -gt $((40 * SIZE))
for pid in "${TS_PIDS[@]}"; do kill -QUIT "$pid" 2>/dev/null; done
ts_stop
programs_done
