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

# programs_rows: the part of the table that this script stands for
programs_rows() {
    awk -v script="$(basename "$0")" '/^## / { on = $2 == script } on && /^\| / && !/^\| (program|---)/' \
        "$PROGRAMS_TABLE"
}

programs_done() {
    if [ "${COMPATIBILITY:-}" != write ]; then
        same "docs/compatibility.md has these rows" "$(programs_rows)" "$(cat "$TS_DIR/rows")"
    fi
    ts_done
}
