#!/bin/bash
# SPDX-License-Identifier: MIT
# rsync's daemon, git's daemon and git over HTTP: whole trees both ways, then what has changed.
. "$(dirname "$0")/lib.sh"
. "$(dirname "$0")/programs.sh"
ts_enter sync "$@"
cd "$TS_DIR" || exit
export no_proxy='*' HOME=$TS_DIR GIT_CONFIG_NOSYSTEM=1
ts_start

# serve NAME WAY PORT COMMAND...: until it listens
serve() {
    local listens=ours_listens
    [ "$2" != kernel ] || listens=kernel_listens
    ts_spawn by "$2" "${@:4}" >>"$1.log" 2>&1
    ts_until 20 "$listens" "$3" || cat "$1.log"
}
# seen NAME ADDRESS: the connections that NAME.log tells of since the last time are that client's, and no other's
seen() {
    local new
    new=$(tail -n "+$(($(cat "$1.seen" 2>/dev/null || echo 0) + 1))" "$1.log" |
        sed -nE 's/^((.* connect|.*Connection) from (.*\()?)?(10\.77\.0\.[0-9]+).*/\4/p' | sort -u)
    wc -l <"$1.log" >"$1.seen"
    [ "$new" = "$2" ] || { echo "seen in $1.log: $new" && return 1; }
}

# ------------------------------------------------------------------------------ rsync
# A tree with what trees have: depth, many small files, large ones, links, modes, old times.
"$PYTHON" - tree <<'CODE'
import os, random, sys
r = random.Random(7)
for n in range(500):
    folder = os.path.join(sys.argv[1], *(str(r.randrange(5)) for _ in range(n % 4)))
    os.makedirs(folder, exist_ok=True)
    name = os.path.join(folder, f"file {n}")
    with open(name, "wb") as f:
        f.write(r.randbytes(r.choice((0, 1, 700, 9000, 70000))))
    os.chmod(name, r.choice((0o600, 0o644, 0o755)))
    os.utime(name, (1.6e9 + n, 1.6e9 + n))
    if n % 50 == 0:
        os.symlink(f"file {n}", name + " link")
        os.link(name, name + " again")
with open(os.path.join(sys.argv[1], "large"), "wb") as f:
    f.write(r.randbytes(8_000_000))
CODE
cat >rsyncd.conf <<END
use chroot = no
munge symlinks = no
reverse lookup = no
uid = $(id -u)
gid = $(id -g)
[files]
path = $TS_DIR/files
read only = no
END
rsyncd() { # rsyncd WAY ADDRESS PORT
    serve "rsync-$1" "$1" "$3" rsync --daemon --no-detach --config=rsyncd.conf --log-file="rsync-$1.log" \
        --address="$2" --port="$3"
}
rsyncd kernel $PEER 8730
rsyncd preload $US 8731
rsyncd seccomp $US 8732

# To the second: times that differ by less rsync leaves as they are.
listing() {
    (cd "$1" && find . -type d -printf '%p %m %T@\n' -o -printf '%p %m %s %n %l %T@\n' | sed 's/\.[0-9]*$//' | sort)
}
same_trees() {
    diff -r --no-dereference "$1" "$2" && diff <(listing "$1") <(listing "$2")
}
# Some bytes in the midst of the large file, one file less, one more.
change() {
    printf 'change %d' "$1" | dd of=tree/large bs=1 seek=$((3000000 + $1 * 1000)) conv=notrunc status=none
    touch -d "2026-01-01 +$1 minutes" tree/large
    rm "tree/file $(($1 * 4))"
    echo "$1" >"tree/new $1"
}
# little FILE: rsync found most of the tree to be there already
little() {
    local sent
    sent=$(sed -n 's/^Literal data: \([0-9,]*\) bytes/\1/p' "$1" | tr -d ,)
    echo "$sent bytes sent anew"
    [ "$sent" -lt 100000 ]
}
# rsyncs N DAEMON'S-WAY WAY ADDRESS PORT CLIENT'S-ADDRESS: to the server; what changed; back into another tree
rsyncs() {
    local there=rsync://$4:$5/files/
    rm -rf files back && mkdir files
    by "$3" rsync -aH tree/ "$there" && same_trees tree files && change "$1" &&
        by "$3" rsync -aHz --stats --delete tree/ "$there" >stats && same_trees tree files && little stats &&
        by "$3" rsync -aHz "$there" back/ && same_trees tree back && change "$(($1 + 1))" &&
        rsync -aH --delete tree/ files/ && by "$3" rsync -aH --stats --delete "$there" back/ >stats &&
        same_trees tree back && little stats && seen "rsync-$2" "$6"
}
TREES="15 MB in 500 files to the daemon and back, then what changed, trees compared"
if setpriv --clear-groups true 2>/dev/null; then
    works rsync preload client "$TREES" rsyncs 0 kernel preload $PEER 8730 $US
    works rsync seccomp client "$TREES" rsyncs 2 kernel seccomp $PEER 8730 $US
    works rsync preload server "$TREES" rsyncs 4 preload kernel $US 8731 $PEER
    works rsync seccomp server "$TREES" rsyncs 6 seccomp kernel $US 8732 $PEER
    works rsync preload both "$TREES" rsyncs 8 preload preload $US 8731 $US
else # as root it insists on setgroups(2)
    skip "rsync's daemon" "no other users here"
    PROGRAMS_PARTLY=1
fi

# ------------------------------------------------------------------------------ git
git config --global user.name tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
git config --global gc.auto 0
git config --global core.fsync none
git config --global http.postBuffer 65536 # larger pushes are chunked
git config --global transfer.fsckObjects true
git config --global safe.directory '*'
mkdir srv && git init -q --bare srv/repo.git
git -C srv/repo.git config http.receivepack true
"$PYTHON" -c '
import random, sys
r, out = random.Random(3), sys.stdout.buffer
def data(b):
    out.write(b"data %d\n%b\n" % (len(b), b))
for n in range(150):
    out.write(b"commit refs/heads/main\ncommitter t <t@example.org> %d +0000\n" % (1600000000 + n))
    data(b"commit %d" % n)
    for _ in range(5):
        out.write(b"M 644 inline folder%d/file%d\n" % (r.randrange(20), r.randrange(50)))
        data(r.randbytes(r.randrange(4000)))
out.write(b"commit refs/heads/main\ncommitter t <t@example.org> 1600001000 +0000\n")
data(b"a large one")
out.write(b"M 644 inline large\n")
data(r.randbytes(5000000))
out.write(b"done\n")' | git -C srv/repo.git fast-import --quiet --done

http() { # http WAY ADDRESS PORT; its programs are started by a thread of Python
    GIT_PROJECT_ROOT=$TS_DIR/srv GIT_HTTP_EXPORT_ALL=1 serve "http-$1" "$1" "$3" \
        "$PYTHON" "$NET/programs/cgi.py" "$2" "$3" git http-backend
}
daemon() { # daemon WAY ADDRESS PORT; each connection is the standard input of a process
    serve "git-$1" "$1" "$3" git daemon --verbose --reuseaddr --export-all --enable=receive-pack --base-path=srv \
        --listen="$2" --port="$3" srv
}
http kernel $PEER 8080
http preload $US 8081
http seccomp $US 8082
daemon kernel $PEER 9418
daemon preload $US 9419
daemon seccomp $US 9420

# same_objects CLONE: which the server has
same_objects() {
    cmp <(git -C "$1" rev-list --objects --all | sort) <(git -C srv/repo.git rev-list --objects --all | sort)
}
# gits N LOG WAY URL CLIENT'S-ADDRESS: all is cloned, a branch pushed, and fetched by another clone
gits() {
    local at=$TS_DIR/clone-$1 other=$TS_DIR/other-$1
    by "$3" git clone -q "$4/repo.git" "$at" && same_objects "$at" &&
        git clone -q --bare srv/repo.git "$other" || return
    head -c 1000000 /dev/urandom >"$at/pushed" && git -C "$at" checkout -q -b "branch-$1" && git -C "$at" add pushed &&
        git -C "$at" commit -qm "pushed $1" && by "$3" git -C "$at" push -q origin "branch-$1" &&
        same_objects "$at" || return
    by "$3" git -C "$other" fetch -q "$4/repo.git" "branch-$1" &&
        cmp "$at/pushed" <(git -C "$other" cat-file blob FETCH_HEAD:pushed) &&
        git -C "$other" fsck --strict --no-progress --no-dangling && seen "$2" "$5"
}
GITS="clone, push of 1 MB, fetch; fsck, all objects compared"
works "git, git-daemon" preload client "$GITS" gits 1 git-kernel preload git://$PEER:9418 $US
works "git, git-daemon" seccomp client "$GITS" gits 2 git-kernel seccomp git://$PEER:9418 $US
works "git, git-daemon" preload server "$GITS" gits 3 git-preload kernel git://$US:9419 $PEER
works "git, git-daemon" seccomp server "$GITS" gits 4 git-seccomp kernel git://$US:9420 $PEER
works "git, git-daemon" preload both "$GITS" gits 5 git-preload preload git://$US:9419 $US
works "git, git-http-backend" preload client "$GITS" gits 6 http-kernel preload http://$PEER:8080 $US
works "git, git-http-backend" seccomp client "$GITS" gits 7 http-kernel seccomp http://$PEER:8080 $US
works "git, git-http-backend" preload server "$GITS" gits 8 http-preload kernel http://$US:8081 $PEER
works "git, git-http-backend" seccomp server "$GITS" gits 9 http-seccomp kernel http://$US:8082 $PEER
works "git, git-http-backend" preload both "$GITS" gits 10 http-preload preload http://$US:8081 $US
check "fsck of what all have pushed to" git -C srv/repo.git fsck --strict --no-progress --no-dangling

for pid in "${TS_PIDS[@]}"; do kill "$pid" 2>/dev/null; done
ts_stop
programs_done
