// Times os/exec as bench_process times weft: /bin/true started and waited for.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

const (
	rounds = 5
	count  = 300
	atOnce = 20
)

func ownCPU() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func runOne() {
	if err := exec.Command("/bin/true").Run(); err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
		os.Exit(1)
	}
}

func serial() {
	for i := 0; i < count; i++ {
		runOne()
	}
}

func many() {
	var group sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := 0; i < count; i++ {
		slots <- struct{}{}
		group.Add(1)
		go func() {
			defer group.Done()
			runOne()
			<-slots
		}()
	}
	group.Wait()
}

func measure(name string, run func()) {
	least := time.Duration(1<<63 - 1)
	cpu := ownCPU()
	for round := 0; round < rounds; round++ {
		start := time.Now()
		run()
		if took := time.Since(start); took < least {
			least = took
		}
	}
	fmt.Printf("%-44s %9.1f us\n", name, float64(least.Nanoseconds())/count/1e3)
	fmt.Printf("%-44s %9.1f us\n", "  own CPU", float64((ownCPU()-cpu).Nanoseconds())/count/rounds/1e3)
}

func main() {
	measure("go os/exec: start and wait", serial)
	measure("go os/exec: 20 at once", many)
}
