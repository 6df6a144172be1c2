#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Shared rings: the program writes where its bytes are sent from and reads where they arrive. Each
# byte is compared; attached at once, in the middle of a transfer, by connecting and by accepting.
. "$(dirname "$0")/lib.sh"
ts_enter rings "$@"
ts_start

for way in copy zero; do
    check_transfer "$way: 256 MiB to the kernel" kernel $way 7001 256M 0
    check_transfer "$way: 256 MiB from the kernel" kernel $way 7002 0 256M
    check_transfer "$way: 64 MiB both ways" kernel $way 7003 64M 64M
    check_transfer "$way: accepted, 64 MiB both ways" $way kernel 7004 64M 64M
    TS_ATTACH=3M check_transfer "$way: attached in the middle of sending" kernel $way 7005 64M 0
    TS_ATTACH=3M check_transfer "$way: attached in the middle of receiving" kernel $way 7006 0 64M
    TS_ATTACH=3M check_transfer "$way: attached in the middle of both" kernel $way 7007 64M 64M
    check_transfer "$way: both ends, both ways" $way $way 7008 64M 64M
    check_transfer "$way: messages of 100 bytes" kernel $way 7009 1M 1M -w 100
    check_transfer "$way: 300 connections, 20 at once" kernel $way 7010 50K 50K -n 300 -p 20
done
same "no ring was found to be wrong" 0 "$(ts_stat ring_violations)"
check "rings were made" test "$(ts_stat rings_made)" -ge 600
ts_stop
ts_done
