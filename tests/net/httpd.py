#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""httpd.py ADDRESS PORT FOLDER [CONGESTION]: a small threaded HTTP/1.1 server.

GET sends a file of FOLDER, PUT stores one there, GET /hold answers when FOLDER/release exists (so
that a connection can be looked at before it ends). Logs each request with its client's address.
"""

import http.server
import os
import socket
import sys
import time

PIECE = 1 << 18


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def path_of(self):
        return os.path.join(self.server.folder, os.path.basename(self.path.partition("?")[0]))

    def note(self, count):
        print(f"{self.client_address[0]} {self.command} {self.path} {count} bytes", flush=True)

    def answer(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/hold":
            end = time.monotonic() + 10
            while not os.path.exists(self.path_of().replace("hold", "release")):
                if time.monotonic() > end:
                    break
                time.sleep(0.01)
            self.answer(200, b"released\n")
            return
        try:
            file = open(self.path_of(), "rb")  # pylint: disable=consider-using-with
        except OSError:
            self.answer(404)
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.connection.sendfile(file)
            self.note(size)

    def do_PUT(self):
        left = size = int(self.headers["Content-Length"])
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        buffer = memoryview(bytearray(PIECE))
        with open(self.path_of(), "wb") as file:
            while left:
                n = self.rfile.readinto1(buffer[:min(left, PIECE)])
                if not n:
                    self.close_connection = True
                    return
                file.write(buffer[:n])
                left -= n
        self.note(size)
        self.answer(201)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128
    folder = ""


def main():
    server = Server((sys.argv[1], int(sys.argv[2])), Handler)
    server.folder = sys.argv[3]
    if len(sys.argv) > 4:
        server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, sys.argv[4].encode())
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
