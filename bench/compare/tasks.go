// tasks.go: Go's rows of compare/runtime.py: "tasks ROUNDS", or "tasks serve".
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

func row(key string, rounds int, n int, unit float64, fn func(n int)) {
	best := time.Duration(0)
	for i := 0; i < rounds; i++ {
		start := time.Now()
		fn(n)
		if took := time.Since(start); i == 0 || took < best {
			best = took
		}
	}
	fmt.Printf("%s %.1f\n", key, float64(best.Nanoseconds())/float64(n)/unit)
}

func both(a, b func()) {
	var wait sync.WaitGroup
	wait.Add(2)
	go func() { a(); wait.Done() }()
	go func() { b(); wait.Done() }()
	wait.Wait()
}

func yields(n int) {
	half := func() {
		for i := 0; i < n/2; i++ {
			runtime.Gosched()
		}
	}
	both(half, half)
}

func spawns(n int) {
	var wait sync.WaitGroup
	for i := 0; i < n; i += 1000 {
		wait.Add(1000)
		for k := 0; k < 1000; k++ {
			go wait.Done()
		}
		wait.Wait()
	}
}

func messages(n int) {
	through(make(chan int, 64), n)
}

func rendezvous(n int) {
	through(make(chan int), n)
}

func through(line chan int, n int) {
	both(func() {
		for i := 0; i < n; i++ {
			line <- i
		}
	}, func() {
		for i := 0; i < n; i++ {
			<-line
		}
	})
}

func scopes(n int) {
	for i := 0; i < n; i++ {
		_, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		cancel()
	}
}

func skynet(result chan int, number, size int) {
	if size == 1 {
		result <- number
		return
	}
	children := make(chan int, 10)
	for i := 0; i < 10; i++ {
		go skynet(children, number+i*size/10, size/10)
	}
	sum := 0
	for i := 0; i < 10; i++ {
		sum += <-children
	}
	result <- sum
}

func tree(n int) {
	result := make(chan int)
	go skynet(result, 0, n)
	<-result
}

func statusKib() float64 {
	text, _ := os.ReadFile("/proc/self/status")
	kib := 0.0
	for _, line := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(line, "VmRSS:") || strings.HasPrefix(line, "VmPTE:") {
			value, _ := strconv.ParseFloat(strings.Fields(line)[1], 64)
			kib += value
		}
	}
	return kib
}

func sleepers(n int) {
	before := statusKib()
	start := time.Now()
	for i := 0; i < n; i++ {
		go time.Sleep(time.Hour)
	}
	runtime.Gosched()
	took := time.Since(start)
	fmt.Printf("sleeper_us %.2f\nsleeper_bytes %.0f\n", float64(took.Nanoseconds())/float64(n)/1e3,
		(statusKib()-before)*1024/float64(n))
}

func serve(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			data := make([]byte, 4096)
			for {
				n, err := conn.Read(data)
				if err != nil {
					break
				}
				conn.Write(data[:n])
			}
			conn.Close()
		}()
	}
}

func echoes(n int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go serve(listener)
	var wait sync.WaitGroup
	for c := 0; c < 50; c++ {
		wait.Add(1)
		go func() {
			conn, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				panic(err)
			}
			data := make([]byte, 64)
			for i := 0; i < n/50; i++ {
				conn.Write(data)
				io.ReadFull(conn, data)
			}
			conn.Close()
			wait.Done()
		}()
	}
	wait.Wait()
	listener.Close()
}

func main() {
	if os.Args[1] == "serve" {
		listener, _ := net.Listen("tcp", "127.0.0.1:0")
		fmt.Println(listener.Addr().(*net.TCPAddr).Port)
		serve(listener)
		return
	}
	rounds, _ := strconv.Atoi(os.Args[1])
	runtime.GOMAXPROCS(1) // a loop has one thread too
	row("yield_ns", rounds, 1000000, 1, yields)
	row("spawn_ns", rounds, 1000000, 1, spawns)
	row("message_ns", rounds, 1000000, 1, messages)
	row("rendezvous_ns", rounds, 1000000, 1, rendezvous)
	row("scope_ns", rounds, 500000, 1, scopes)
	row("skynet_ns", rounds, 1000000, 1, tree)
	row("echo_us", rounds, 100000, 1e3, echoes)
	sleepers(200000)
}
