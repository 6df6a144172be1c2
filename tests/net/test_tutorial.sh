#!/bin/bash
# SPDX-License-Identifier: MIT
#
# docs/tutorial.md: its sh blocks, run in their order by one shell, and what the text says of them.
. "$(dirname "$0")/lib.sh"
ts_enter tutorial "$@"

# One shell for all blocks; out.N has what the Nth printed.
awk -v dir="$TS_DIR" '
    BEGIN { print "set -e\ntrap '\''kill $(jobs -p) 2>/dev/null || true'\'' EXIT" }
    /^```sh$/ { print "{"; inside = 1; next }
    /^```/ && inside { n++; print "} >" dir "/out." n " 2>&1"; inside = 0; next }
    inside { print; print >dir "/block." (n + 1) }' "$ROOT/docs/tutorial.md" >"$TS_DIR/script"
# Where else would its build/ be?
sed -i "s|^export PATH=.*|export PATH=$BUILD:\$PATH|" "$TS_DIR/script"

# shows COMMAND PATTERN: the block with this command printed that
shows() {
    local block
    block=$(grep -lF -e "$1" "$TS_DIR"/block.* | head -n 1)
    cat "${block/block/out}"
    grep -Eq -e "$2" "${block/block/out}"
}
drawn() { [ "$(grep -c . "$TS_DIR/tmp"/*/"$1")" -gt 0 ] && grep -q "</svg>" "$TS_DIR/tmp"/*/"$1"; }

if [ "$(awk '{ print $3 }' /proc/self/uid_map)" -le 65534 ]; then
    echo "1..0 # SKIP tcpdump wants to become another user"
    exit 0
fi
mkdir "$TS_DIR/tmp"
export no_proxy='*'
cd "$ROOT" || exit 1
status=0
TMPDIR=$TS_DIR/tmp timeout 40 bash "$TS_DIR/script" >"$TS_DIR/all" 2>&1 || status=$?
last=$(find "$TS_DIR" -name 'out.*' | sort -V | tail -n 1)
check "every command of the tutorial succeeds" sh -c "tail -n 20 '$TS_DIR/all' '$last'; [ $status = 0 ]"
same "every block was run" "$(find "$TS_DIR" -name 'block.*' | wc -l)" "$(find "$TS_DIR" -name 'out.*' | wc -l)"
check "the fetched file is right, and came from our address" shows "tapstack run -- curl -sS -o got" "^the same"
check "the server's log names 10.77.0.2" shows "tail -n 1 server.log" "^10\.77\.0\.2 .*GET /file"
check "ss -i shows the connection" shows "tapstack ss -i" "ESTAB.*10\.77\.0\.1:8000"
check "with TCP_INFO" shows "tapstack ss -i" "rtt:[0-9.]+.*bytes_received:[0-9]+"
check "explain says that our own program does not read" shows "tapstack explain" "Held back by: .*(program|reader)"
check "stats has counters" shows "tapstack stats 'tcp_in" "tcp_in +[1-9]"
check "the capture has the first SYN" shows "tcpdump -nr ts.pcap" "10\.77\.0\.2\.[0-9]+ > 10\.77\.0\.1\.8000: Flags \[S\]"
check "a live capture, too" shows "tcpdump -nr live.pcap" "Flags \[S\]"
check "the trace begins with the SYN" shows "tapstack trace" "15 +tcp_transmit_segment .*flags SYN"
check "and has the request" shows "tapstack trace" "1 +sendto +len [1-9]"
check "the picture of the upload" drawn upload.svg
check "and that of the capture" drawn live.svg
ts_done
