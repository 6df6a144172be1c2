#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Unmodified programs on our side, against the same ones on the kernel's, and against each other.
# What arrives is compared with what was sent.
. "$(dirname "$0")/lib.sh"
ts_enter programs "$@"

W=$TS_DIR/www
mkdir "$W"
head -c 20000000 /dev/urandom >"$W/file"
head -c 3000000 /dev/urandom >"$TS_DIR/a"
head -c 3000000 /dev/urandom >"$TS_DIR/b"
export no_proxy='*'

# serve LOG COMMAND...: in the background, until it says that it listens
serve() {
    ts_spawn "${@:2}" >"$1" 2>&1
    ts_until 30 ts_listening "$1" || cat "$1"
}

# on_port PORT: the daemon has a listener there / the kernel has
ours_listens() {
    ts_tool ss -l | grep -q "LISTEN .*:$1 "
}
kernel_listens() {
    ss -Hltn "sport = :$1" | grep -q LISTEN
}

ts_start
serve "$TS_DIR/http" "$PYTHON" "$NET/httpd.py" 0.0.0.0 8000 "$W" cubic
serve "$TS_DIR/ours" ts_run "$PYTHON" "$NET/httpd.py" 0.0.0.0 8001 "$W"

# ---------------------------------------------------------------------- curl, wget, python3
same_file() {
    cmp "$1" "$2" && rm -f "$2"
}
fetch() {
    "$@" && same_file "$W/file" "$TS_DIR/got"
}
upload() {
    rm -f "$W/up"
    "$@" && same_file "$TS_DIR/a" "$W/up"
}
curl() {
    command curl -sS --fail --max-time 30 "$@"
}
our_curl() {
    ts_run curl -sS --fail --max-time 30 "$@"
}
check "curl fetches from the kernel" fetch our_curl -o "$TS_DIR/got" http://$PEER:8000/file
check "the server saw $US" grep -q "^$US GET /file 20000000 bytes" "$TS_DIR/http"
check "curl uploads to the kernel" upload our_curl -T "$TS_DIR/a" http://$PEER:8000/up
check "curl makes 20 transfers at once" our_curl -Z --parallel-max 20 -o /dev/null \
    "http://$PEER:8000/file?[1-20]"
check "wget fetches from the kernel" fetch ts_run wget -q -T 30 -O "$TS_DIR/got" \
    http://$PEER:8000/file
check "the kernel's curl fetches from http.server" fetch curl -o "$TS_DIR/got" http://$US:8001/file
check "the kernel's curl uploads to http.server" upload curl -T "$TS_DIR/a" http://$US:8001/up
check "the kernel's wget fetches from http.server" fetch wget -q -T 30 -O "$TS_DIR/got" \
    http://$US:8001/file
check "curl and http.server both on our side" fetch our_curl -o "$TS_DIR/got" http://$US:8001/file
check "and an upload" upload our_curl -T "$TS_DIR/a" http://$US:8001/up

http_client() {
    ts_run "$PYTHON" - "$TS_DIR/a" <<'CODE'
import http.client, os, sys
data = open(sys.argv[1], "rb").read()
c = http.client.HTTPConnection(os.environ["PEER"], 8000, timeout=20)
for _ in range(3):  # on one connection
    c.request("PUT", "/client", data)
    assert c.getresponse().read() == b""
    c.request("GET", "/client")
    assert c.getresponse().read() == data
CODE
}
check "http.client puts and gets on one connection" http_client

serve "$TS_DIR/echo" "$PYTHON" "$NET/echo.py" server 0.0.0.0 8002
serve "$TS_DIR/our-echo" ts_run "$PYTHON" "$NET/echo.py" server 0.0.0.0 8003
check "an asyncio client" ts_run "$PYTHON" "$NET/echo.py" client $PEER 8002
check "an asyncio server" "$PYTHON" "$NET/echo.py" client $US 8003
check "asyncio at both ends" ts_run "$PYTHON" "$NET/echo.py" client $US 8003

# ---------------------------------------------------------------------- nc and tapstack, both roles
# piped WAY LISTENS PORT SERVER @@ CLIENT: file a goes from the server to the client (WAY: down), b
# the other way (up), or both at once. (nc -l ends when its peer has shut down, although it has unsent
# input: with it, one way at a time.)
piped() {
    local way=$1 listens=$2 port=$3 server=() status=0 pid a=$TS_DIR/a b=$TS_DIR/b
    shift 3
    while [ "$1" != @@ ]; do
        server+=("$1")
        shift
    done
    shift
    [ "$way" != up ] || a=/dev/null
    [ "$way" != down ] || b=/dev/null
    "${server[@]}" <"$a" >"$TS_DIR/got-b" &
    pid=$!
    ts_until 30 "$listens" "$port" || echo "it does not listen"
    timeout 20 "$@" <"$b" >"$TS_DIR/got-a" || status=$?
    [ "$status" = 0 ] || kill "$pid"
    wait "$pid" || status=$?
    cmp "$a" "$TS_DIR/got-a" && cmp "$b" "$TS_DIR/got-b" && return "$status"
}
T=("$BUILD/tapstack" --socket "$TS_SOCK")
R=("${T[@]}" run --)
check "nc sends to nc" piped up kernel_listens 9001 nc -l 9001 @@ "${R[@]}" nc -N $PEER 9001
check "nc receives from nc" piped down kernel_listens 9002 nc -N -l 9002 @@ \
    "${R[@]}" nc $PEER 9002
check "nc listens and receives" piped up ours_listens 9003 "${R[@]}" nc -l 9003 @@ nc -N $US 9003
check "nc listens and sends" piped down ours_listens 9004 "${R[@]}" nc -N -l 9004 @@ nc $US 9004
check "nc at both ends, up" piped up ours_listens 9005 "${R[@]}" nc -l 9005 @@ \
    "${R[@]}" nc -N $US 9005
check "nc at both ends, down" piped down ours_listens 9006 "${R[@]}" nc -N -l 9006 @@ \
    "${R[@]}" nc $US 9006
check "tapstack connect to nc" piped up kernel_listens 9007 nc -l 9007 @@ \
    "${T[@]}" connect $PEER 9007
check "nc to tapstack listen" piped both ours_listens 9008 "${T[@]}" listen 9008 @@ \
    nc -N $US 9008
check "tapstack connect to tapstack listen" piped both ours_listens 9009 "${T[@]}" listen 9009 @@ \
    "${T[@]}" connect $US 9009
check "nc -z finds the open port" ts_run nc -z -w 3 $PEER 8000
refused() {
    ! ts_run nc -z -w 3 "$PEER" 9
}
check "nc -z finds the closed port" refused

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
ts_done
