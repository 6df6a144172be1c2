// SPDX-License-Identifier: MIT
package main

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"os"
)

type server struct {
	address, file string
	listener      net.Listener
}

// One byte at a time: what follows the line is not ours.
func readLine(c net.Conn) string {
	var line []byte
	b := make([]byte, 1)
	for {
		if _, err := io.ReadFull(c, b); err != nil || b[0] == '\n' {
			return string(line)
		}
		line = append(line, b[0])
	}
}

func sum(r io.Reader) (string, error) {
	h := sha256.New()
	_, err := io.Copy(h, r)
	return fmt.Sprintf("%x", h.Sum(nil)), err
}

func (s *server) talk(c *net.TCPConn) {
	defer c.Close()
	switch readLine(c) {
	case "echo": // by splice(2)
		io.Copy(c, c)
	case "sum":
		digest, _ := sum(c)
		io.WriteString(c, digest)
	case "file": // by sendfile(2)
		f, err := os.Open(s.file)
		if err == nil {
			io.Copy(c, f)
			f.Close()
		}
	case "peer":
		io.WriteString(c, c.RemoteAddr().(*net.TCPAddr).IP.String())
	case "quiet":
		readLine(c)
	case "reset":
		readLine(c)
		c.SetLinger(0)
	case "close": // nobody listens until the next line
		s.listener.Close()
		io.WriteString(c, "closed\n")
		readLine(c)
		s.listen()
		io.WriteString(c, "open\n")
		io.Copy(c, c)
	}
}

func (s *server) listen() {
	l, err := net.Listen("tcp", s.address)
	if err != nil {
		fail(err)
	}
	s.listener = l
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.talk(c.(*net.TCPConn))
		}
	}()
}

func serve(address, file string) {
	(&server{address: address, file: file}).listen()
	fmt.Println("listening")
	select {}
}
