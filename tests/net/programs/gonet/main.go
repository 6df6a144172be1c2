// SPDX-License-Identifier: MIT
//
// gonet: TCP by Go's package net alone, so that it is quick to build in every way.
//
//	gonet serve ADDRESS FILE        what a connection's first line asks for (serve.go)
//	gonet try ADDRESS FILE SEEN     every check of try.go against that; each says its name and
//	                                `ok`, or why not
//	gonet child                     sends "by the child" on descriptor 3
package main

import (
	"fmt"
	"os"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, "gonet:", err)
	os.Exit(1)
}

func main() {
	switch {
	case len(os.Args) == 4 && os.Args[1] == "serve":
		serve(os.Args[2], os.Args[3])
	case len(os.Args) == 5 && os.Args[1] == "try":
		try(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 2 && os.Args[1] == "child":
		child()
	default:
		fail(fmt.Errorf("serve ADDRESS FILE | try ADDRESS FILE SEEN | child"))
	}
}
