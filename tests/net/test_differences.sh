#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The rows of docs/differences.md that need a whole daemon, each on a kernel socket and on one of ours;
# the cases are in differences.py. The last case kills the daemon.
. "$(dirname "$0")/lib.sh"
ts_enter differences "$@"

ts_start
ts_spawn "$PYTHON" "$NET/differences.py" "$TS_DAEMON" >"$TS_DIR/differences"
ts_until 60 ts_gone "$TS_PID" || echo "# differences.py hangs"
while IFS=$'\t' read -r verdict name diagnosis; do
    if [ "$verdict" = ok ]; then ok "$name"; else not_ok "$name" "$diagnosis"; fi
    [ "$name" != "all cases ran" ] || complete=1
done <"$TS_DIR/differences"
[ -n "${complete:-}" ] || not_ok "all cases ran"
# The last case has killed it.
wait "$TS_DAEMON" 2>/dev/null
TS_DAEMON=""
ts_done
