#!/bin/bash
# SPDX-License-Identifier: MIT
# PostgreSQL, a process a connection, under a user of its own: pgbench, psql, COPY, a query that is cancelled.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
ts_enter postgres "$@"

PG=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
AS=(setpriv --reuid postgres --regid postgres --clear-groups) # it refuses to be root
if ! "${AS[@]}" true 2>/dev/null; then
    echo "1..0 # SKIP no other users here"
    exit 0
fi
export PGUSER=postgres PGDATABASE=postgres PGCONNECT_TIMEOUT=20 HOME=$TS_DIR

# One cluster is made, and copied for each server. Nothing here is to survive a crash.
cd "$TS_DIR" && install -d -o postgres -m 700 pg
check "initdb" "${AS[@]}" "$PG/initdb" -D pg/kernel -U postgres -A trust -E UTF8 --locale=C --no-sync
cat >>pg/kernel/postgresql.conf <<END
unix_socket_directories = ''
fsync = off
shared_buffers = 16MB
autovacuum = off
logging_collector = off
client_connection_check_interval = 100ms
END
echo "host all all 10.77.0.0/24 trust" >>pg/kernel/pg_hba.conf
for way in preload seccomp; do cp -a pg/kernel pg/$way; done
ts_start

# server WAY ADDRESS PORT: in the foreground; its process: TS_PID
server() {
    local what=("$PG/postgres" -D "pg/$1" -h "$2" -p "$3")
    if [ "$1" = preload ]; then # tapstack run is the user's own
        what=("${AS[@]}" "$BUILD/tapstack" run -- "${what[@]}")
        ts_spawn "${what[@]}" >"$1.log" 2>&1
    else # root's, of a program that gives its rights up
        ts_spawn by "$1" "${AS[@]}" "${what[@]}" >"$1.log" 2>&1
    fi
    ts_until 20 grep -q "ready to accept connections" "$1.log" || cat "$1.log"
}
server kernel $PEER 5432
server preload $US 5433
PRELOAD=$TS_PID
server seccomp $US 5434
SECCOMP=$TS_PID

# ------------------------------------------------------------------------------ the checks
# each takes the client's WAY, then the server's address and port

# psql_at WAY ADDRESS PORT ARGUMENT...
psql_at() {
    by "$1" psql -X -q -A -t -v ON_ERROR_STOP=1 -h "$2" -p "$3" "${@:4}"
}
ask() {
    psql_at kernel "$@"
}

# Whatever ran at once, each transaction moved one sum between three tables and wrote it down.
SUMS='SELECT (SELECT sum(abalance) FROM pgbench_accounts), (SELECT sum(tbalance) FROM pgbench_tellers),
    (SELECT sum(bbalance) FROM pgbench_branches), (SELECT sum(delta) FROM pgbench_history),
    (SELECT count(*) FROM pgbench_history), (SELECT count(*) FROM pgbench_accounts)'
balanced() {
    local a t b d n accounts
    IFS='|' read -r a t b d n accounts < <(ask "$1" "$2" -c "$SUMS")
    echo "sums $a $t $b $d, $n transactions, $accounts accounts"
    [ "$a" ] && [ "$a" = "$t" ] && [ "$a" = "$b" ] && [ "$a" = "$d" ] && [ "$n" = "$3" ] && [ "$accounts" = 100000 ]
}
bench() {
    by "$1" "$PG/pgbench" -i -I dtgp -q -h "$2" -p "$3" || return
    by "$1" "$PG/pgbench" -n -c 8 -j 2 -t 50 -h "$2" -p "$3" && balanced "$2" "$3" 400
}
# -C: a connection for each transaction, so a process of the server's for each
bench_connecting() {
    by "$1" "$PG/pgbench" -n -C -c 4 -j 2 -t 25 -M prepared -h "$2" -p "$3" && balanced "$2" "$3" 500
}

"$PYTHON" -c '
import random
r = random.Random(1)
for n in range(60000):
    print(n, r.randbytes(r.randrange(90)).hex(), sep="\t")' >sent
copy() {
    psql_at "$1" "$2" "$3" -c 'DROP TABLE IF EXISTS rows' -c 'CREATE TABLE rows (n int, hex text)' \
        -c '\copy rows FROM sent' -c "\\copy (SELECT * FROM rows ORDER BY n) TO got.$3" || return
    cmp sent "got.$3" && [ "$(ask "$2" "$3" -c "SELECT md5(string_agg(n || E'\t' || hex || E'\n', '' ORDER BY n)) \
        FROM rows")" = "$(md5sum <sent | cut -d' ' -f1)" ]
}

sleeps() {
    [ "$(ask "$1" "$2" -c "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(77)'
        AND state = 'active'" 2>/dev/null)" = 1 ]
}
# Ctrl-C: from its signal handler psql connects a second time and asks for the first to be cancelled.
cancel() {
    local status=0 pid
    ts_spawn psql_at "$1" "$2" "$3" -c 'SELECT pg_sleep(77)' 2>cancel.err
    pid=$TS_PID
    ts_until 10 sleeps "$2" "$3" || return
    kill -INT "$pid"
    ts_until 20 ts_gone "$pid" || return
    wait "$pid" || status=$?
    cat cancel.err
    [ "$status" != 0 ] && grep -q 'canceling statement due to user request' cancel.err && ! sleeps "$2" "$3"
}

# A backend that is at work looks by poll(POLLRDHUP) whether its client is still there.
killed() {
    local pid
    ts_spawn psql_at "$1" "$2" "$3" -c 'SELECT pg_sleep(77)'
    pid=$TS_PID
    ts_until 10 sleeps "$2" "$3" || return
    kill -KILL "$pid"
    ts_until 20 sleeps_not "$2" "$3"
}
sleeps_not() {
    ! sleeps "$1" "$2"
}

# What the server's socket says of itself when it is asked
TUNED="-c tcp_keepalives_idle=77 -c tcp_keepalives_interval=7 -c tcp_keepalives_count=3 -c tcp_user_timeout=5000"
tunes() {
    local said
    said=$(PGOPTIONS="$TUNED" psql_at "$1" "$2" "$3" -c 'SHOW tcp_keepalives_idle' -c 'SHOW tcp_keepalives_interval' \
        -c 'SHOW tcp_keepalives_count' -c 'SHOW tcp_user_timeout' | tr '\n' ' ')
    echo "$said"
    [ "$said" = "77 7 3 5000 " ]
}

# Who the server says its client and itself are
names() {
    local said
    said=$(psql_at "$1" "$2" "$3" -c 'SELECT host(inet_client_addr()), host(inet_server_addr()), inet_server_port()')
    echo "$said"
    [ "$said" = "$4|$2|$3" ]
}

# ------------------------------------------------------------------------------ the rows
# family MODE SIDE CLIENT'S-WAY SERVER'S-ADDRESS PORT ITS-CLIENT
family() {
    local row=("$1" "$2") at=("$3" "$4" "$5")
    works psql "${row[@]}" "inet_client_addr() and inet_server_addr() are the connection's" names "${at[@]}" "$6"
    works pgbench "${row[@]}" "-i, then -c 8: 400 transactions, the sums of all tables equal" bench "${at[@]}"
    works pgbench "${row[@]}" "-C -c 4: 100 more, each over a connection of its own, the sums equal" \
        bench_connecting "${at[@]}"
    works psql "${row[@]}" "COPY of 6 MB to the server and back, compared, and its md5 at the server" copy "${at[@]}"
    works psql "${row[@]}" "Ctrl-C cancels a query over a second connection" cancel "${at[@]}"
    works psql "${row[@]}" "killed in mid-query: the server notices" killed "${at[@]}"
    works psql "${row[@]}" "keepalive and user timeout, as the server's socket says" tunes "${at[@]}"
}
family preload client preload $PEER 5432 $US
family seccomp client seccomp $PEER 5432 $US
family preload server kernel $US 5433 $PEER
family seccomp server kernel $US 5434 $PEER
family preload both preload $US 5433 $US

# ------------------------------------------------------------------------------ its end
# SIGINT: clients are told and disconnected, the server's processes end in order
shutdown() {
    local pid
    ts_spawn psql_at kernel "$US" "$3" -c 'SELECT pg_sleep(77)' 2>down.err
    pid=$TS_PID
    ts_until 10 sleeps "$US" "$3" && kill -INT "$2" && ts_until 20 ts_gone "$2" && ts_until 10 ts_gone "$pid" || return
    cat down.err
    grep -q 'terminating connection due to administrator command' down.err && tail -n 1 "$1.log" |
        grep 'database system is shut down'
}
works postgres preload server "its fast shutdown tells a client why, and is in order" shutdown preload "$PRELOAD" 5433
works postgres seccomp server "its fast shutdown tells a client why, and is in order" shutdown seccomp "$SECCOMP" 5434
none_left() {
    ! ts_tool ss | grep ESTAB
}
check "no connection is left" ts_until 5 none_left

for pid in "${TS_PIDS[@]}"; do kill -INT "$pid" 2>/dev/null; done
ts_stop
programs_done
