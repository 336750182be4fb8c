package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	b := &bench{out: os.Stdout}
	b.flags()
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "":
		err = b.run()
	case "upstream":
		err = serve(flag.Arg(1))
	case "proxy":
		err = proxy(flag.Arg(1), flag.Arg(2))
	case "cells":
		err = cells()
	case "verify":
		err = verify(flag.Args()[1:])
	case "numbered-upstream":
		err = numberedUpstream()
	default:
		err = fmt.Errorf("%q: no such part", flag.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
