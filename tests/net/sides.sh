# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For tests that run the same program on our stack and on the kernel's; sourced after lib.sh. A
# server's port is PORT on the kernel, PORT + 100 by the shim, PORT + 200 supervised.

# on WHERE COMMAND...: WHERE: kernel, or the way onto our stack: preload, seccomp.
on() {
    case $1 in
    kernel) ${TS_EXEC:-} "${@:2}" ;;
    preload) ${TS_EXEC:-} "$BUILD/tapstack" run -- "${@:2}" ;;
    seccomp) ${TS_EXEC:-} "$BUILD/tapstack" run --seccomp -- "${@:2}" ;;
    esac
}

port_on() {
    case $1 in
    kernel) echo "$2" ;;
    preload) echo "$(($2 + 100))" ;;
    seccomp) echo "$(($2 + 200))" ;;
    esac
}

# serve WHERE PORT NAME COMMAND...: a server in the background, at the port that is named PORT in
# the command; what it says is in TS_DIR/NAME-WHERE. `serving` waits for all of them.
SERVING=()
serve() {
    local at=$1 port=$2 log=$TS_DIR/$3-$1 arguments=() argument
    shift 3
    for argument in "$@"; do arguments+=("${argument/#PORT/$(port_on "$at" "$port")}"); done
    ts_spawn on "$at" "${arguments[@]}" >"$log" 2>&1 </dev/null
    SERVING+=("$TS_PID:$log")
}

serving() {
    local server
    for server in "${SERVING[@]}"; do
        ts_until 60 said_or_ended "${server%%:*}" "${server#*:}"
        ts_listening "${server#*:}" || sed "s|^|# ${server##*/}: |" "${server#*:}"
    done
    SERVING=()
}

said_or_ended() {
    ts_listening "$2" || ts_gone "$1"
}

# by_side MODE SIDE PORT: who is where: CLIENT_AT, SERVER_AT; what the client calls: TO, TO_PORT; whom the server
# sees: SEEN
by_side() {
    CLIENT_AT=$1 SERVER_AT=$1 TO=$US SEEN=$US HOLE=$PEER
    case $2 in
    client) SERVER_AT=kernel TO=$PEER ;;
    server) CLIENT_AT=kernel SEEN=$PEER HOLE=$US ;;
    esac
    export HOLE
    TO_PORT=$(port_on "$SERVER_AT" "$3")
}

# A port where SYNs vanish: dig_hole once; HOLE is the address to call there, set by by_side.
HOLE_PORT=9
dig_hole() {
    nft -f - <<RULES
table ip hole {
    chain in { type filter hook input priority 0; ip daddr $PEER tcp dport $HOLE_PORT drop; }
    chain out { type filter hook output priority 0; ip daddr $US tcp dport $HOLE_PORT drop; }
}
RULES
}

# try_all COMMAND...: a client that tries everything, and says for each check its NAME and `ok`, or
# why not; it ends with 0 when it came to its end. `passed NAME` is then one of them.
try_all() {
    TRIED=0
    on "$CLIENT_AT" timeout 120 "$@" >"$TS_DIR/tried" 2>&1 || TRIED=$?
}
passed() {
    if [ "$TRIED" != 0 ] || ! grep -qx "$1 ok" "$TS_DIR/tried"; then
        echo "it ended with $TRIED, and said:"
        cat "$TS_DIR/tried"
        return 1
    fi
}

# all_sides: `try`, which is the script's, in each MODE with our stack at each SIDE; that is its end.
all_sides() {
    local pid
    for MODE in preload seccomp; do
        for SIDE in client server both; do try; done
    done
    for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
    ts_stop
    programs_done
}
