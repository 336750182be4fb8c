package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() {
	rounds := flag.Int("rounds", 3, "rounds")
	length := flag.Duration("for", 400*time.Millisecond, "time of one measurement")
	connections := flag.String("connections", "1,32,256", "connections, a comma between")
	rows := flag.String("rows", "3,33,340", "rows of 20 numbers in a request: 0.4, 4 and 40 KB")
	only := flag.String("targets", "", "some of the targets, a comma between")
	flag.Parse()
	var err error
	switch flag.Arg(0) {
	case "":
		err = measure(*rounds, *length, numbers(*connections), numbers(*rows), *only)
	case "upstream":
		err = upstream()
	case "verify":
		err = verify(flag.Args()[1:])
	case "numbered-upstream":
		err = numberedUpstream()
	default:
		err = proxy(flag.Arg(0), flag.Arg(1))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func numbers(list string) (n []int) {
	for text := range strings.SplitSeq(list, ",") {
		i, err := strconv.Atoi(text)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(2)
		}
		n = append(n, i)
	}
	return n
}

// measured is one target under one load in one round.
type measured struct {
	result
	cpu           float64 // µs of the proxy for a request
	seen, dropped float64
}

// figures are those of every round, by connections, rows of a request, and target.
type figures map[place][]measured

type place struct {
	connections, rows int
	target            string
}

func measure(rounds int, length time.Duration, connections, rows []int, only string) error {
	debug.SetGCPercent(-1) // the load must not stop
	// An idle virtual processor that sleeps deeply takes longer to wake up than all proxies together.
	if f, err := os.OpenFile("/dev/cpu_dma_latency", os.O_WRONLY, 0); err == nil {
		f.Write(make([]byte, 4))
		defer f.Close()
	} else {
		fmt.Println("/dev/cpu_dma_latency cannot be held: latencies depend on how deeply processors sleep")
	}
	targets, stop, err := begin(only)
	defer stop()
	if err != nil {
		return err
	}
	all := figures{}
	for range rounds {
		for _, c := range connections {
			for _, r := range rows {
				for _, i := range rand.Perm(len(targets)) {
					m, err := targets[i].measure(c, request(r), length)
					if err != nil {
						return fmt.Errorf("%s: %w", targets[i].name, err)
					}
					at := place{c, r, targets[i].name}
					all[at] = append(all[at], m)
				}
				debug.FreeOSMemory()
			}
		}
	}
	for _, c := range connections {
		for _, r := range rows {
			fmt.Printf("\n%d connections, requests of %.1f KB\n\n", c, float64(len(request(r)))/1000)
			fmt.Println("| | p50 µs | added | p99 | req/s | CPU µs/req | observed | dropped |")
			fmt.Println("| --- | --- | --- | --- | --- | --- | --- | --- |")
			direct := median(all[place{c, r, "direct"}], p50)
			for _, t := range targets {
				print(t.name, all[place{c, r, t.name}], direct)
			}
		}
	}
	return nil
}

func p50(m measured) float64  { return m.p50 }
func p99(m measured) float64  { return m.p99 }
func perS(m measured) float64 { return m.perS }
func used(m measured) float64 { return m.cpu }

func print(name string, list []measured, direct float64) {
	half := median(list, p50)
	var seen, dropped float64
	for _, m := range list {
		seen, dropped = seen+m.seen, dropped+m.dropped
	}
	fmt.Printf("| %s | %.0f | %+.0f | %.0f | %.0f | %.1f | %.0f | %.0f |\n",
		name, half, half-direct, median(list, p99), median(list, perS), median(list, used), seen, dropped)
}

func median(list []measured, of func(measured) float64) float64 {
	if len(list) == 0 {
		return 0
	}
	var values []float64
	for _, m := range list {
		values = append(values, of(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// self starts another part of this program and returns the address that it says it listens on.
func self(arg ...string) (*exec.Cmd, string, error) {
	cmd := exec.Command("/proc/self/exe", arg...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, "", err
	}
	var addr string
	if _, err := fmt.Fscanln(out, &addr); err != nil {
		cmd.Process.Kill()
		return nil, "", fmt.Errorf("%v: no address: %w", arg, err)
	}
	return cmd, addr, nil
}
