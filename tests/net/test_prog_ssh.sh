#!/bin/bash
# SPDX-License-Identifier: MIT
# OpenSSH, a process without rights for each connection: scp and sftp of 256 MiB with new keys meanwhile, forwarding.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
ts_enter ssh "$@"

if ! setpriv --reuid nobody --regid nogroup --clear-groups true 2>/dev/null; then
    echo "1..0 # SKIP no other users here"
    exit 0
fi
cd "$TS_DIR" || exit
mkdir www
head -c 268435456 /dev/urandom >www/big
head -c 67108864 www/big >www/64
head -c 5000000 www/big >www/file
mv www/big www/256
declare -A SUM
SUM[256]=$(sha256 <www/256) SUM[64]=$(sha256 <www/64)

ssh-keygen -q -t ed25519 -N '' -f host
ssh-keygen -q -t ed25519 -N '' -f user
printf '* %s\n' "$(cut -d' ' -f1,2 host.pub)" >known
cat >server.conf <<END
HostKey $TS_DIR/host
AuthorizedKeysFile $TS_DIR/user.pub
StrictModes no
PidFile none
PermitRootLogin prohibit-password
GatewayPorts clientspecified
Subsystem sftp internal-sftp
END
cat >client.conf <<END
Host *
User root
IdentityFile $TS_DIR/user
IdentitiesOnly yes
UserKnownHostsFile $TS_DIR/known
GlobalKnownHostsFile /dev/null
StrictHostKeyChecking yes
BatchMode yes
ConnectTimeout 20
Ciphers aes128-gcm@openssh.com
KexAlgorithms curve25519-sha256
END

# The server wants a directory in /run, and that root's account is not locked: both in mounts of its own.
sed 's/^root:[^:]*/root:*/' /etc/shadow >shadow && chmod 600 shadow
# shellcheck disable=SC2016
OWN_MOUNTS=(unshare -m sh -c 'mount -t tmpfs -o mode=755 tmpfs /run && mkdir /run/sshd &&
    mount --bind shadow /etc/shadow && exec "$@"' sh)
# server WAY ADDRESS PORT
server() {
    ts_spawn by "$1" "${OWN_MOUNTS[@]}" /usr/sbin/sshd -D -e -f server.conf -o "ListenAddress=$2:$3" 2>"$1.log"
    ts_until 20 ts_listening "$1.log" || cat "$1.log"
}
ts_start
server kernel $PEER 2200
server preload $US 2201
server seccomp $US 2202
ts_spawn "$PYTHON" "$NET/httpd.py" $PEER 8000 www cubic >>http.log 2>&1
ts_until 10 ts_listening http.log || cat http.log

# ------------------------------------------------------------------------------ the checks
# each takes the client's WAY, then the server's address and port
ssh_at() { # ssh_at WAY ADDRESS PORT ARGUMENT...
    by "$1" ssh -F client.conf -p "$3" "$2" "${@:4}"
}

# What the server has in its environment
connection() {
    local said
    # shellcheck disable=SC2016 # it is for the shell over there
    said=$(ssh_at "${@:1:3}" 'echo $SSH_CONNECTION')
    echo "$said"
    [[ $said == "$4 "*" $2 $3" ]]
}
# A command's input, output and status
pipes() {
    local status=0
    ssh_at "$@" 'cat; exit 7' <www/file >got || status=$?
    echo "status $status"
    cmp www/file got && [ "$status" = 7 ]
}

# copy PROGRAM up|down MIB WAY ADDRESS PORT: the sum compared. For every 32nd of it the client asks for new keys, while
# data are under way.
copy() {
    local n there=$5:$TS_DIR/
    local how=("$1" -F client.conf -P "$6" -v -o "RekeyLimit=$(($3 * 32))K")
    case $1-$2 in
    scp-up) by "$4" "${how[@]}" "www/$3" "${there}got" 2>err ;;
    scp-down) by "$4" "${how[@]}" "${there}www/$3" got 2>err ;;
    sftp-up) by "$4" "${how[@]}" -b - "$5" <<<"put www/$3 $TS_DIR/got" 2>err ;;
    sftp-down) by "$4" "${how[@]}" -b - "$5" <<<"get $TS_DIR/www/$3 got" 2>err ;;
    esac || { cat err && return 1; }
    n=$(grep -c 'SSH2_MSG_NEWKEYS sent' err)
    echo "$n times new keys"
    [ "$n" -ge 16 ] && [ "$(sha256 <got)" = "${SUM[$3]}" ] && rm got
}

# end PID: ssh looks for signals and then polls; one that comes in between is not noticed.
end() {
    ts_gone "$1" || { kill "$1" && false; }
}
# forward WAY ADDRESS PORT OPTION URL SEEN CURL_OPTION...: eight fetched at once; who came for them was SEEN
forward() {
    local pid status=0 n ready='Entering interactive session'
    [[ $4 != -R* ]] || ready='remote forward success'
    : >http.log
    ts_spawn ssh_at "${@:1:3}" -N -v -o ExitOnForwardFailure=yes "$4" 2>err
    pid=$TS_PID
    ts_until 20 grep -q "$ready" err && timeout 60 curl -sS --fail --no-keepalive -Z -o 'got#1' "${@:7}" "$5?[1-8]" ||
        status=$?
    ts_until 20 end "$pid" || status=1
    [ "$status" = 0 ] || { cat err && return 1; }
    for n in 1 2 3 4 5 6 7 8; do cmp www/file "got$n" || return; done
    cat http.log
    [ "$(grep -c "^$6 GET /file.* 5000000 bytes" http.log)" = 8 ]
}

# ------------------------------------------------------------------------------ the rows
KEYS="new keys 16 times or more, sha256"
works ssh preload client "SSH_CONNECTION at the server" connection preload $PEER 2200 $US
works ssh preload client "5 MB through cat, compared, the command's status" pipes preload $PEER 2200
works scp preload client "256 MiB to the server, $KEYS" copy scp up 256 preload $PEER 2200
works sftp preload client "64 MiB from the server, $KEYS" copy sftp down 64 preload $PEER 2200
works ssh seccomp client "SSH_CONNECTION at the server" connection seccomp $PEER 2200 $US
works scp seccomp client "64 MiB from the server, $KEYS" copy scp down 64 seccomp $PEER 2200

works sshd preload server "SSH_CONNECTION" connection kernel $US 2201 $PEER
works sshd preload server "5 MB through cat, compared, the command's status" pipes kernel $US 2201
works sshd preload server "64 MiB by scp to the server, $KEYS" copy scp up 64 kernel $US 2201
works sshd preload server "256 MiB by sftp from the server, $KEYS" copy sftp down 256 kernel $US 2201
works sshd seccomp server "SSH_CONNECTION" connection kernel $US 2202 $PEER
works sshd seccomp server "64 MiB by sftp to the server, $KEYS" copy sftp up 64 kernel $US 2202
works "ssh, sshd" preload both "SSH_CONNECTION" connection preload $US 2201 $US
works "scp, sshd" preload both "64 MiB from the server, $KEYS" copy scp down 64 preload $US 2201

EIGHT="eight transfers at once, compared"
WEB=$PEER:8000
works ssh preload client "-L listens: $EIGHT" forward preload $PEER 2200 -L$US:8100:$WEB http://$US:8100/file $PEER
works ssh seccomp client "-D listens (SOCKS): $EIGHT" forward seccomp $PEER 2200 -D$US:8101 http://$WEB/file $PEER \
    --socks5 $US:8101
works ssh preload client "-R connects: $EIGHT" forward preload $PEER 2200 -R$PEER:8102:$WEB http://$PEER:8102/file $US
works sshd preload server "-L connects: $EIGHT" forward kernel $US 2201 -L$PEER:8103:$WEB http://$PEER:8103/file $US
works sshd seccomp server "-R listens: $EIGHT" forward kernel $US 2202 -R$US:8104:$WEB http://$US:8104/file $PEER

none_left() {
    ! ts_tool ss | grep ESTAB
}
check "no connection is left" ts_until 5 none_left
for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
programs_done
