// Times golang.org/x/time/rate as bench_limit times weft's rate limiter.
package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

const (
	rounds  = 5
	count   = 1000000
	flood   = 40000
	perSec  = 20000
	workers = 1000
)

func row(name string, value string, unit string) {
	fmt.Printf("%-60s %9s %s\n", name, value, unit)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "rate:", err)
	os.Exit(1)
}

func best(name string, once func()) {
	least := time.Duration(1<<63 - 1)
	for round := 0; round < rounds; round++ {
		start := time.Now()
		for i := 0; i < count; i++ {
			once()
		}
		if took := time.Since(start); took < least {
			least = took
		}
	}
	row(name, fmt.Sprintf("%.1f", float64(least.Nanoseconds())/count), "ns")
}

func measureFlood() {
	ctx := context.Background()
	limiter := rate.NewLimiter(perSec, 1)
	left := int64(flood)
	var group sync.WaitGroup
	group.Add(workers)
	start := time.Now()
	for i := 0; i < workers; i++ {
		go func() {
			defer group.Done()
			for atomic.AddInt64(&left, -1) >= 0 {
				if err := limiter.Wait(ctx); err != nil {
					fail(err)
				}
			}
		}()
	}
	group.Wait()
	took := time.Since(start).Seconds()
	row("x/time/rate: 40,000 at 20,000 a second, 1,000 tasks", fmt.Sprintf("%.1f", took*1e3), "ms")
	row("  off the ideal by", fmt.Sprintf("%+.3f", (took*perSec/(flood-1)-1)*100), "%")
}

func main() {
	ctx := context.Background()
	plenty := rate.NewLimiter(4e9, 4e9)
	best("go: time.Now", func() { time.Now() })
	best("x/time/rate: Allow", func() {
		if !plenty.Allow() {
			fail(fmt.Errorf("the limiter of plenty refused"))
		}
	})
	best("x/time/rate: Wait", func() {
		if err := plenty.Wait(ctx); err != nil {
			fail(err)
		}
	})
	measureFlood()
}
