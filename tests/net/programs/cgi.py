#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cgi.py ADDRESS PORT PROGRAM [ARGUMENT]...: an HTTP/1.1 server whose every answer is PROGRAM's (RFC 3875).

Request bodies may be chunked; answers of unknown length are. Logs each request with its client's
address.
"""

import http.server
import os
import shutil
import subprocess
import sys

PIECE = 1 << 16


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def environment(self):
        path, _, query = self.path.partition("?")
        env = dict(os.environ, GATEWAY_INTERFACE="CGI/1.1", SERVER_PROTOCOL=self.request_version,
                   REQUEST_METHOD=self.command, PATH_INFO=path, QUERY_STRING=query,
                   REMOTE_ADDR=self.client_address[0], REMOTE_USER="tester",
                   CONTENT_TYPE=self.headers.get("Content-Type", ""))
        if "Content-Length" in self.headers:
            env["CONTENT_LENGTH"] = self.headers["Content-Length"]
        for name, value in self.headers.items():
            env["HTTP_" + name.upper().replace("-", "_")] = value
        return env

    def pieces(self):
        """The request's body."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass
            return
        left = int(self.headers.get("Content-Length", 0))
        while left:
            piece = self.rfile.read(min(left, PIECE))
            if not piece:
                raise ConnectionError("the body ends early")
            left -= len(piece)
            yield piece

    def answer(self, source):
        status, headers = 200, []
        while line := source.readline().strip():
            name, _, value = line.decode().partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for header in headers:
            self.send_header(*header)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while piece := source.read1(PIECE):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def handle_any(self):
        print(f"{self.client_address[0]} {self.command} {self.path}", flush=True)
        with subprocess.Popen(sys.argv[3:], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              env=self.environment()) as child:
            for piece in self.pieces():
                child.stdin.write(piece)
            child.stdin.close()
            self.answer(child.stdout)

    do_GET = do_POST = handle_any

    def log_message(self, *_):
        pass


def main():
    assert shutil.which(sys.argv[3])
    server = http.server.ThreadingHTTPServer((sys.argv[1], int(sys.argv[2])), Handler)
    print("listening", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
