#!/bin/bash
# SPDX-License-Identifier: MIT
# iperf3, both roles: one stream, eight, both directions; both reports read and compared.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
ts_enter iperf "$@"
cd "$TS_DIR" || exit
ts_start

# measure SERVER'S-WAY CLIENT'S-WAY PORT STREAMS BYTES OPTION...: one test, with a server that is for one. BYTES is what
# must have arrived: what is under way at the end is not counted.
measure() {
    local server=$PEER client=$PEER listens=kernel_listens pid
    [ "$1" = kernel ] || server=$US listens=ours_listens
    [ "$2" = kernel ] || client=$US
    ts_spawn by "$1" iperf3 -s -1 -p "$3" -B "$server" -J >server.json
    pid=$TS_PID
    if ! ts_until 20 "$listens" "$3" || ! by "$2" iperf3 -c "$server" -p "$3" -J "${@:6}" >client.json; then
        kill "$pid"
        grep -h error client.json server.json
        return 1
    fi
    ts_until 10 ts_gone "$pid" && wait "$pid" &&
        "$PYTHON" "$NET/programs/iperf.py" client.json server.json "$client" "$server" "$4" "$5"
}

# measures MODE SIDE SERVER'S-WAY CLIENT'S-WAY
PORT=5200
measures() {
    row() { # row WHAT ARGUMENT-OF-MEASURE...
        PORT=$((PORT + 1))
        works iperf3 "$MODE" "$SIDE" "$1" measure "$SERVER" "$CLIENT" $PORT "${@:2}"
    }
    local MODE=$1 SIDE=$2 SERVER=$3 CLIENT=$4
    row "200 MiB" 1 100000000 -n 200M
    row "-R, 200 MiB" 1 100000000 -n 200M -R
    row "-P 8, 200 MiB" 8 100000000 -n 200M -P 8
    row "-P 8 -R, 200 MiB" 8 100000000 -n 200M -P 8 -R
    row "--bidir, a second" 2 1000000 -t 1 --bidir
}
measures preload client kernel preload
measures seccomp client kernel seccomp
measures preload server preload kernel
measures seccomp server seccomp kernel
measures preload both preload preload

# It closes its listener after each test and makes another: a client may come in between.
again() {
    local n
    for n in 1 2 3; do
        ts_until 20 timeout 20 iperf3 -c "$US" -p 5300 -n 20M || return
    done
    cat stays
    [ "$(grep -c 'Accepted connection' stays)" -ge 3 ]
}
ts_spawn by preload iperf3 -s -p 5300 --forceflush >stays 2>&1
works iperf3 preload server "one server, three tests one after the other" again

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
programs_done
