// SPDX-License-Identifier: MIT
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand"
	"net"
	"os"
	"os/exec"
	"syscall"
	"time"
)

var address, file, seen string

func want(ok bool, format string, args ...any) {
	if !ok {
		panic(fmt.Errorf(format, args...))
	}
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func ask(word string) *net.TCPConn {
	c, err := net.Dial("tcp", address)
	must(err)
	_, err = io.WriteString(c, word+"\n")
	must(err)
	return c.(*net.TCPConn)
}

func rest(c *net.TCPConn) string {
	data, err := io.ReadAll(c)
	must(err)
	must(c.Close())
	return string(data)
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func isTimeout(err error) bool {
	var ne net.Error
	return errors.As(err, &ne) && ne.Timeout() && errors.Is(err, os.ErrDeadlineExceeded)
}

func hole() string {
	return os.Getenv("HOLE") + ":9"
}

// 100 connections at once, each by two goroutines.
func many() {
	done := make(chan error, 100)
	for i := 0; i < 100; i++ {
		go func(size int) {
			defer func() {
				err, _ := recover().(error)
				done <- err
			}()
			sent := random(size)
			c := ask("echo")
			go func() {
				c.Write(sent)
				c.CloseWrite()
			}()
			want(rest(c) == string(sent), "other bytes")
		}(50000 + i)
	}
	for i := 0; i < 100; i++ {
		must(<-done)
	}
}

func closeWrite() {
	c := ask("sum")
	data := random(1000000)
	_, err := c.Write(data)
	must(err)
	must(c.CloseWrite())
	_, err = c.Write(data)
	want(errors.Is(err, syscall.EPIPE), "a write after CloseWrite: %v", err)
	digest, _ := sum(bytes.NewReader(data))
	want(rest(c) == digest, "other bytes")
}

func fileSum() string {
	f, err := os.Open(file)
	must(err)
	defer f.Close()
	digest, err := sum(f)
	must(err)
	return digest
}

// sendfile(2) from a file, splice(2) from a connection to another
func copying() {
	c := ask("sum")
	f, err := os.Open(file)
	must(err)
	_, err = io.Copy(c, f)
	must(err)
	must(c.CloseWrite())
	want(rest(c) == fileSum(), "other bytes sent")
	c = ask("sum")
	from := ask("file")
	_, err = io.Copy(c, from)
	must(err)
	must(c.CloseWrite())
	want(rest(c) == fileSum(), "other bytes passed on")
}

func deadlines() {
	c := ask("quiet")
	b := make([]byte, 1)
	must(c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)))
	_, err := c.Read(b)
	want(isTimeout(err), "a read: %v", err)
	must(c.SetWriteDeadline(time.Now().Add(50 * time.Millisecond)))
	for err = nil; err == nil; {
		_, err = c.Write(make([]byte, 1<<20))
	}
	want(isTimeout(err), "a write: %v", err)
	must(c.SetReadDeadline(time.Time{}))
	time.AfterFunc(50*time.Millisecond, func() { c.SetReadDeadline(time.Unix(1, 0)) })
	_, err = c.Read(b)
	want(isTimeout(err), "a read whose deadline was set while it waited: %v", err)
	c.Close()
	c = ask("echo") // after a deadline a connection is whole
	must(c.SetReadDeadline(time.Unix(1, 0)))
	_, err = c.Read(b)
	want(isTimeout(err), "a deadline that has passed: %v", err)
	must(c.SetDeadline(time.Time{}))
	io.WriteString(c, "x")
	must(c.CloseWrite())
	want(rest(c) == "x", "other bytes")
	l, err := net.Listen("tcp", ":0")
	must(err)
	must(l.(*net.TCPListener).SetDeadline(time.Now().Add(50 * time.Millisecond)))
	_, err = l.Accept()
	want(isTimeout(err), "an accept: %v", err)
	l.Close()
}

func dialing() {
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err := (&net.Dialer{}).DialContext(ctx, "tcp", hole())
	want(err != nil && ctx.Err() == context.Canceled, "a cancelled dial: %v", err)
	_, err = net.DialTimeout("tcp", hole(), 50*time.Millisecond)
	want(err != nil && err.(net.Error).Timeout(), "a dial that times out: %v", err)
	host, _, _ := net.SplitHostPort(address)
	_, err = net.Dial("tcp", host+":10")
	want(errors.Is(err, syscall.ECONNREFUSED), "a refused dial: %v", err)
}

// What waits ends with net.ErrClosed.
func closing() {
	c := ask("quiet")
	time.AfterFunc(50*time.Millisecond, func() { c.Close() })
	_, err := c.Read(make([]byte, 1))
	want(errors.Is(err, net.ErrClosed), "a read: %v", err)
	l, err := net.Listen("tcp", ":0")
	must(err)
	time.AfterFunc(50*time.Millisecond, func() { l.Close() })
	_, err = l.Accept()
	want(errors.Is(err, net.ErrClosed), "an accept: %v", err)
}

func reset() {
	c := ask("reset")
	io.WriteString(c, "now\n")
	_, err := c.Read(make([]byte, 1))
	want(errors.Is(err, syscall.ECONNRESET), "%v", err)
	c.Close()
}

func listener() {
	c := ask("close")
	want(readLine(c) == "closed", "it does not say that it closed")
	_, err := net.Dial("tcp", address)
	want(errors.Is(err, syscall.ECONNREFUSED), "somebody listens: %v", err)
	io.WriteString(c, "again\n")
	want(readLine(c) == "open", "it does not listen again")
	other := ask("echo")
	other.CloseWrite()
	want(rest(other) == "", "bytes from nowhere")
	io.WriteString(c, "alive")
	must(c.CloseWrite())
	want(rest(c) == "alive", "it is dead")
}

func options() {
	c := ask("echo")
	must(c.SetNoDelay(false))
	must(c.SetKeepAlive(true))
	must(c.SetKeepAlivePeriod(70 * time.Second))
	must(c.SetReadBuffer(200000))
	must(c.SetLinger(5))
	raw, err := c.SyscallConn()
	must(err)
	raw.Control(func(fd uintptr) {
		for _, o := range [][3]int{{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE, 1},
			{syscall.SOL_SOCKET, syscall.SO_RCVBUF, 400000}, {syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 0},
			{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE, 70}, {syscall.SOL_SOCKET, syscall.SO_TYPE, syscall.SOCK_STREAM}} {
			v, err := syscall.GetsockoptInt(int(fd), o[0], o[1])
			want(err == nil && v == o[2], "option %d: %d, not %d (%v)", o[1], v, o[2], err)
		}
	})
	must(c.CloseWrite())
	rest(c)
}

// A duplicate of the connection (File) in a child that is executed with it, and a connection again of it.
func passing() {
	c := ask("sum")
	f, err := c.File()
	must(err)
	again, err := net.FileConn(f)
	must(err)
	_, err = again.Write([]byte("by us, "))
	must(err)
	again.Close()
	self, err := os.Executable()
	must(err)
	cmd := exec.Command(self, "child")
	cmd.ExtraFiles = []*os.File{f}
	cmd.Stderr = os.Stdout
	must(cmd.Run())
	f.Close()
	must(c.CloseWrite())
	digest, _ := sum(bytes.NewReader([]byte("by us, by the child")))
	want(rest(c) == digest, "other bytes")
}

func child() {
	c, err := net.FileConn(os.NewFile(3, "connection"))
	if err == nil {
		_, err = c.Write([]byte("by the child"))
	}
	if err != nil {
		fail(err)
	}
}

func peer() {
	who := rest(ask("peer"))
	want(who == seen, "%s, not %s", who, seen)
}

func check(name string, f func()) {
	defer func() {
		if err := recover(); err != nil {
			fmt.Println(name, err)
		} else {
			fmt.Println(name, "ok")
		}
	}()
	f()
}

func try(to, name, client string) {
	address, file, seen = to, name, client
	check("peer", peer)
	check("many", many)
	check("closeWrite", closeWrite)
	check("copying", copying)
	check("deadlines", deadlines)
	check("dialing", dialing)
	check("closing", closing)
	check("reset", reset)
	check("listener", listener)
	check("options", options)
	check("passing", passing)
}
