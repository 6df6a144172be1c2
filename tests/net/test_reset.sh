#!/bin/bash
# SPDX-License-Identifier: MIT
#
# How connections end, as a plain program on our side and a kernel peer see it; the cases are in
# endings.py. The last case kills the daemon.
. "$(dirname "$0")/lib.sh"
ts_enter reset "$@"

ts_start
ts_spawn "$PYTHON" "$NET/endings.py" "$TS_DAEMON" >"$TS_DIR/endings"
ts_until 60 ts_gone "$TS_PID" || echo "# endings.py hangs"
while IFS=$'\t' read -r verdict name diagnosis; do
    if [ "$verdict" = ok ]; then ok "$name"; else not_ok "$name" "$diagnosis"; fi
    [ "$name" != "all cases ran" ] || complete=1
done <"$TS_DIR/endings"
[ -n "${complete:-}" ] || not_ok "all cases ran"
# The last case has killed it.
wait "$TS_DAEMON" 2>/dev/null
TS_DAEMON=""

ts_start
ts_stop "a new daemon replaces the killed one's socket"
ts_done
