#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What bash completes: the completion files, asked as bash asks them. No daemon runs.
. "$(dirname "$0")/lib.sh"
ts_enter completion "$@"

PATH=$BUILD:$PATH
cd "$TS_DIR" || exit 1
touch file.conf

# completes WORD...: what may stand for the last word, on one line, sorted
completes() {
    bash -c 'shopt -s extglob
        . "$1" && shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=${#COMP_LINE}
        "_$1" "$1"
        printf "%s\n" "${COMPREPLY[@]}"' bash "$FILE" "$@" | sort | paste -sd' '
}
# has NAME WANTED... -- WORD...: the wanted ones are among them
has() {
    local name=$1 wanted=() w got
    shift
    while [ "$1" != -- ]; do wanted+=("$1") && shift; done
    shift
    got=" $(completes "$@") "
    for w in "${wanted[@]}"; do
        [[ $got == *" $w "* ]] || { not_ok "$name" "no $w in:$got"; return; }
    done
    ok "$name"
}

FILE=$BUILD/client/completion/tapstack
same "every command of the help" \
    "$(tapstack --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p' | sort | paste -sd' ')" \
    "$(completes tapstack '')"
same "a command by its beginning" "run" "$(completes tapstack ru)"
has "options before it" --socket --version -- tapstack -
same "a command behind an option with its argument" "stats" "$(completes tapstack --socket x stat)"
has "a command's own options" --only --except --seccomp -- tapstack run --
same "a file behind --socket" file.conf "$(completes tapstack --socket file.c)"
has "run: a program" bash -- tapstack run bas
same "run: the program's own files" file.conf "$(completes tapstack run --only :80 -- cat file.c)"
mapfile -t tunables < <(sed -n 's/^TCP_TUNABLE([^,]*, "\([^"]*\)".*/\1/p' "$ROOT/proto/tcp/tunables.def")
has "get: every tunable" "${tunables[@]}" -- tapstack get ''
same "get: a tunable by its beginning" tcp_congestion_control "$(completes tapstack get tcp_cong)"
same "set: with the sign" tcp_congestion_control= "$(completes tapstack set tcp_cong)"

FILE=$ROOT/daemon/completion/tapstackd
mapfile -t settings < <(sed -nE 's/^(OPTION|SWITCH)\(([a-z-]*),.*/--\2/p' "$ROOT/daemon/config.def")
has "every setting of the daemon" "${settings[@]}" -- tapstackd --
same "a file behind --config" file.conf "$(completes tapstackd --config file.c)"
same "the values of --offload" "no yes" "$(completes tapstackd --offload '')"
has "an interface behind --tap" lo -- tapstackd --tap ''
ts_done
