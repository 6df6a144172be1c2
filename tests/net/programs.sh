# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# For the tests with real programs (test_prog_*.sh); sourced after lib.sh. Each check is a row of
# docs/compatibility.md, which `make compatibility` writes from what these tests print; a script ends
# with programs_done, which holds what it printed against the table.

PROGRAMS_TABLE=$ROOT/docs/compatibility.md

# works PROGRAM MODE SIDE WHAT COMMAND...: a check. MODE: preload, seccomp; SIDE: which end is on our
# stack: client, server (the other end is the kernel's), both; WHAT was compared, in words.
works() {
    local row="$1 | $2 | $3 | $4"
    check "$row" "${@:5}" && printf '| %s |\n' "$row" >>"$TS_DIR/rows"
}

# by WAY COMMAND...: on the kernel's TCP (kernel), or on ours by the shim (preload) or the supervisor
# (seccomp). What is spawned becomes the program itself; anything else has a minute.
by() {
    local how=()
    case $1 in
    preload) how=("$BUILD/tapstack" --socket "$TS_SOCK" run --) ;;
    seccomp) how=("$BUILD/tapstack" --socket "$TS_SOCK" run --seccomp --) ;;
    esac
    ${TS_EXEC:-timeout 60} "${how[@]}" "${@:2}"
}

# ours_listens PORT: the daemon has a listener there / kernel_listens PORT: the kernel has
ours_listens() {
    ts_tool ss -l | grep -q "LISTEN .*:$1 "
}
kernel_listens() {
    ss -Hltn "sport = :$1" | grep -q LISTEN
}

# programs_rows: the part of the table that this script stands for
programs_rows() {
    awk -v script="$(basename "$0")" '/^## / { on = $2 == script } on && /^\| / && !/^\| (program|---)/' \
        "$PROGRAMS_TABLE"
}

rows_known() {
    ! grep -vxFf <(programs_rows) "$TS_DIR/rows"
}

# PROGRAMS_PARTLY: some could not be tried here, and it was said
programs_done() {
    if [ "${PROGRAMS_PARTLY:-}" ] && [ "${COMPATIBILITY:-}" != write ]; then
        check "docs/compatibility.md has these rows, and more" rows_known
    elif [ "${COMPATIBILITY:-}" != write ]; then
        same "docs/compatibility.md has these rows" "$(programs_rows)" "$(cat "$TS_DIR/rows")"
    fi
    ts_done
}
