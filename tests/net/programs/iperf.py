#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""iperf.py CLIENT.json SERVER.json CLIENT-ADDRESS SERVER-ADDRESS STREAMS BYTES

Both ends of one iperf3 test: they had these addresses and so many streams, every stream carried
something, they agree on what was sent or received, and in no direction was it less than BYTES.
"""

import json
import sys


def load(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    assert "error" not in report, report["error"]
    return report


def addresses(report):
    return [(c["local_host"], c["remote_host"]) for c in report["start"]["connected"]]


def main():
    client, server = load(sys.argv[1]), load(sys.argv[2])
    pair, streams, least = (sys.argv[3], sys.argv[4]), int(sys.argv[5]), int(sys.argv[6])
    assert addresses(client) == [pair] * streams, addresses(client)
    assert addresses(server) == [pair[::-1]] * streams, addresses(server)
    reverse = bool(client["start"]["test_start"]["reverse"])
    ways = [""] if "sum_sent_bidir_reverse" not in client["end"] else ["", "_bidir_reverse"]
    for way in ways:
        sent, received = (client["end"][f"sum_{what}{way}"]["bytes"] for what in ("sent", "received"))
        # the server sent what goes in reverse, and received what does not
        theirs = server["end"]["sum_sent" + way if reverse or way else "sum_received"]["bytes"]
        print(f"sent {sent}, received {received}; the server says {theirs}")
        assert sent >= received >= least
        assert theirs == (sent if reverse or way else received)
    each = [s["receiver"]["bytes"] for s in client["end"]["streams"]]
    assert len(each) == streams and min(each) > 0, each


if __name__ == "__main__":
    main()
