// Package main exercises runtime: garbage collection under load, 1,000 goroutines, preemption of loops, growing stacks, finalizers.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type tree struct{ left, right *tree }

func grow(depth int) *tree {
	if depth == 0 {
		return &tree{}
	}
	return &tree{grow(depth - 1), grow(depth - 1)}
}

func (t *tree) count() int {
	if t == nil {
		return 0
	}
	return 1 + t.left.count() + t.right.count()
}

func main() {
	runtime.GOMAXPROCS(2)
	goroutines()
	collecting()
	preempted()
	deep()
	finalized()
	panics()
	memory()
	deadlock()
}

func goroutines() {
	results := make(chan int)
	for i := 0; i < 1000; i++ {
		go func(i int) {
			time.Sleep(time.Duration(i%7) * time.Millisecond)
			results <- i
		}(i)
	}
	sum := 0
	for i := 0; i < 1000; i++ {
		sum += <-results
	}
	fmt.Println(sum)
}

func collecting() {
	debug.SetGCPercent(20)
	long := grow(14)
	var group sync.WaitGroup
	var nodes int64
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 10; j++ {
				atomic.AddInt64(&nodes, int64(grow(9).count()))
			}
		}()
	}
	group.Wait()
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println(nodes, long.count(), stats.NumGC > 2, stats.Mallocs > 40000)
	debug.SetGCPercent(100)
	debug.FreeOSMemory()
}

// preempted stops a loop that calls nothing: only a signal to its thread can.
func preempted() {
	runtime.GOMAXPROCS(1)
	var stop, spins int64
	go func() {
		for {
			spins++
			if spins < 0 {
				break
			}
		}
	}()
	time.Sleep(5 * time.Millisecond)
	go func() { atomic.StoreInt64(&stop, 1) }()
	for atomic.LoadInt64(&stop) == 0 {
		runtime.Gosched()
	}
	runtime.GC()
	fmt.Println("preempted")
	runtime.GOMAXPROCS(2)
}

func deep() {
	var sum func(n int) int
	sum = func(n int) int {
		var pad [64]int
		pad[n%64] = n
		if n == 0 {
			return 0
		}
		return pad[n%64] + sum(n-1)
	}
	var group sync.WaitGroup
	for i := 0; i < 4; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if sum(5000) != 5000*5001/2 {
				fmt.Println("wrong sum")
			}
		}()
	}
	group.Wait()
	fmt.Println("deep")
}

func finalized() {
	done := make(chan bool, 1)
	func() {
		object := &[1000]int{1}
		runtime.SetFinalizer(object, func(*[1000]int) { done <- true })
	}()
	for i := 0; i < 50; i++ {
		runtime.GC()
		select {
		case <-done:
			fmt.Println("finalized")
			return
		case <-time.After(10 * time.Millisecond):
		}
	}
	fmt.Println("not finalized")
}

func panics() {
	defer func() {
		text := fmt.Sprint(recover())
		fmt.Println(text, strings.Contains(string(debug.Stack()), "main.panics"))
	}()
	var values map[string]int
	values["x"] = 1
}

func memory() {
	block := make([]byte, 64<<20)
	for i := 0; i < len(block); i += 1 << 20 {
		block[i] = 1
	}
	fmt.Println(len(block), runtime.NumGoroutine() > 0, runtime.NumCPU() > 0)
}

// deadlock ends the program with exit code 2 and a message on standard error.
func deadlock() {
	fmt.Fprintln(os.Stderr, "exits with 2")
	os.Exit(2)
}
