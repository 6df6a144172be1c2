// SPDX-License-Identifier: MIT
//
// web: an HTTP server and client of Go's own library, built without C (CGO_ENABLED=0), so static.
//
//	web serve ADDRESS             files are patterns: GET /N has N bytes; PUT counts and checks them;
//	                              GET /stall/N stops after the half; GET /gone: how often it was given up then
//	web fetch URL BYTES TIMES PARALLEL
//	web keep URL BYTES TIMES      all of them on one connection
//	web cancel URL BYTES          a request is cancelled in its midst, and the server hears of it
//	web put URL BYTES
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8 + i>>16)
	}
	return b
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "web: "+format+"\n", args...)
	os.Exit(1)
}

var gone int32

func stall(w http.ResponseWriter, r *http.Request) {
	n, err := strconv.Atoi(strings.TrimPrefix(r.URL.Path, "/stall/"))
	if err != nil {
		http.Error(w, "not a number", 404)
		return
	}
	w.Header().Set("Content-Length", strconv.Itoa(n))
	w.Write(pattern(n)[:n/2])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
	atomic.AddInt32(&gone, 1)
}

func serve(address string) {
	l, err := net.Listen("tcp4", address)
	if err != nil {
		fail("%v", err)
	}
	fmt.Println("listening on", l.Addr())
	http.HandleFunc("/stall/", stall)
	http.HandleFunc("/gone", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, atomic.LoadInt32(&gone))
	})
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		n, err := strconv.Atoi(strings.Trim(r.URL.Path, "/"))
		if err != nil {
			http.Error(w, "not a number", 404)
			return
		}
		if r.Method == "PUT" {
			body, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(body, pattern(n)) {
				http.Error(w, "other bytes", 400)
			}
			return
		}
		w.Header().Set("Content-Length", strconv.Itoa(n))
		w.Header().Set("X-Client", r.RemoteAddr)
		w.Write(pattern(n))
	})
	err = (&http.Server{ReadHeaderTimeout: 30 * time.Second}).Serve(l)
	fmt.Fprintln(os.Stderr, "web:", err)
	os.Exit(3)
}

func fetch(c *http.Client, url string, n int) error {
	r, err := c.Get(fmt.Sprintf("%s/%d", url, n))
	if err != nil {
		return err
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	if !bytes.Equal(body, pattern(n)) {
		return fmt.Errorf("%d bytes of %d, or other ones", len(body), n)
	}
	return nil
}

func fetchAll(url string, n, times, parallel int) {
	var wait sync.WaitGroup
	c := &http.Client{Timeout: 30 * time.Second}
	work := make(chan int, times)
	for i := 0; i < times; i++ {
		work <- i
	}
	close(work)
	for i := 0; i < parallel; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for range work {
				if err := fetch(c, url, n); err != nil {
					fail("%v", err)
				}
			}
		}()
	}
	wait.Wait()
}

func keep(url string, n, times int) {
	connections := 0
	trace := &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if !got.Reused {
			connections++
		}
	}}
	for i := 0; i < times; i++ {
		ctx := httptrace.WithClientTrace(context.Background(), trace)
		rq, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/%d", url, n), nil)
		if err != nil {
			fail("%v", err)
		}
		r, err := http.DefaultClient.Do(rq)
		if err != nil {
			fail("%v", err)
		}
		if body, err := io.ReadAll(r.Body); err != nil || !bytes.Equal(body, pattern(n)) {
			fail("%d bytes of %d, or other ones: %v", len(body), n, err)
		}
		r.Body.Close()
	}
	if connections != 1 {
		fail("%d connections", connections)
	}
}

func timesGone(url string) int {
	r, err := http.Get(url + "/gone")
	if err != nil {
		fail("%v", err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		fail("%v", err)
	}
	return number(string(text))
}

func cancel(url string, n int) {
	before := timesGone(url)
	ctx, stop := context.WithCancel(context.Background())
	rq, err := http.NewRequestWithContext(ctx, "GET", fmt.Sprintf("%s/stall/%d", url, n), nil)
	if err != nil {
		fail("%v", err)
	}
	r, err := http.DefaultClient.Do(rq)
	if err != nil {
		fail("%v", err)
	}
	half := make([]byte, n/2)
	if _, err = io.ReadFull(r.Body, half); err != nil || !bytes.Equal(half, pattern(n)[:n/2]) {
		fail("other bytes: %v", err)
	}
	stop()
	if _, err = io.ReadAll(r.Body); !errors.Is(err, context.Canceled) {
		fail("cancelled, and then: %v", err)
	}
	for timesGone(url) == before { // the server hears of it
		time.Sleep(5 * time.Millisecond)
	}
}

func put(url string, n int) {
	rq, err := http.NewRequest("PUT", fmt.Sprintf("%s/%d", url, n), bytes.NewReader(pattern(n)))
	if err != nil {
		fail("%v", err)
	}
	r, err := http.DefaultClient.Do(rq)
	if err != nil {
		fail("%v", err)
	}
	if r.StatusCode != 200 {
		fail("%s", r.Status)
	}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fail("%v", err)
	}
	return n
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "serve":
		serve(os.Args[2])
	case len(os.Args) == 6 && os.Args[1] == "fetch":
		fetchAll(os.Args[2], number(os.Args[3]), number(os.Args[4]), number(os.Args[5]))
	case len(os.Args) == 5 && os.Args[1] == "keep":
		keep(os.Args[2], number(os.Args[3]), number(os.Args[4]))
	case len(os.Args) == 4 && os.Args[1] == "cancel":
		cancel(os.Args[2], number(os.Args[3]))
	case len(os.Args) == 4 && os.Args[1] == "put":
		put(os.Args[2], number(os.Args[3]))
	default:
		fail("serve ADDRESS | fetch URL BYTES TIMES PARALLEL | keep URL BYTES TIMES | cancel URL BYTES | put URL BYTES")
	}
}
