# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# nginx for the tests with real programs; sourced after lib.sh.

# nginx_config NAME LISTEN ROOT [KEY=VALUE...]: $TS_DIR/NAME, with nginx.conf from nginx.conf.in
nginx_config() {
    local dir=$TS_DIR/$1 user=root pair sets=()
    # Workers of another user than root's, where there is another user.
    [ "$(id -u)" != 0 ] || [ -z "$TS_NS" ] || user="nobody nogroup"
    sets=("DIR=$dir" "LISTEN=$2" "ROOT=$3" "USER=$user" "${@:4}" WORKERS=2 CONNECTIONS=1024 RATE=1m
        LOOPBACK=127.0.0.1:1 NETWORK="$PEER:1") # of two of one name the first counts
    mkdir -m 777 "$dir"
    for pair in "${sets[@]}"; do
        printf 's|@%s@|%s|g\n' "${pair%%=*}" "${pair#*=}"
    done | sed -f - "$NET/programs/nginx.conf.in" >"$dir/nginx.conf"
}

# nginx_start NAME COMMAND...: the server of that configuration, run by COMMAND (ts_run, env ...),
# until it accepts; NGINX is its process id.
nginx_start() {
    local dir=$TS_DIR/$1
    ts_spawn "${@:2}" nginx -e "$dir/error.log" -c "$dir/nginx.conf"
    NGINX=$TS_PID
    ts_until 10 nginx_works "$dir" || sed 's/^/# nginx: /' "$dir/error.log"
}
nginx_works() {
    [ -s "$1/pid" ] && [ "$(pgrep -c -P "$NGINX")" -gt 0 ]
}

# nginx_workers: the process ids of the server's workers
nginx_workers() {
    pgrep -P "$NGINX" -f 'worker process'
}
