// Package main exercises sync: mutexes, conditions, pools, once, maps and atomics under many goroutines and threads.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func main() {
	runtime.GOMAXPROCS(4)
	counting()
	conditions()
	readers()
	once()
	maps()
	pipeline()
	selecting()
	threads()
}

func counting() {
	var lock sync.Mutex
	var group sync.WaitGroup
	var atomics int64
	plain := 0
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			for j := 0; j < 200; j++ {
				lock.Lock()
				plain++
				lock.Unlock()
				atomic.AddInt64(&atomics, 1)
				if j%50 == 0 {
					runtime.Gosched()
				}
			}
		}()
	}
	group.Wait()
	fmt.Println(plain, atomics)
}

func conditions() {
	var lock sync.Mutex
	condition := sync.NewCond(&lock)
	turn, rounds := 0, 0
	var group sync.WaitGroup
	for i := 0; i < 5; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for n := 0; n < 100; n++ {
				lock.Lock()
				for turn != i {
					condition.Wait()
				}
				turn = (turn + 1) % 5
				rounds++
				condition.Broadcast()
				lock.Unlock()
			}
		}(i)
	}
	group.Wait()
	fmt.Println(turn, rounds)
}

func readers() {
	var lock sync.RWMutex
	var group sync.WaitGroup
	values := map[int]int{}
	for i := 0; i < 20; i++ {
		group.Add(2)
		go func(i int) { defer group.Done(); lock.Lock(); values[i] = i * i; lock.Unlock() }(i)
		go func() { defer group.Done(); lock.RLock(); _ = len(values); lock.RUnlock() }()
	}
	group.Wait()
	sum := 0
	for _, v := range values {
		sum += v
	}
	fmt.Println(len(values), sum)
}

func once() {
	var first sync.Once
	var calls int32
	var group sync.WaitGroup
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func() { defer group.Done(); first.Do(func() { atomic.AddInt32(&calls, 1); time.Sleep(time.Millisecond) }) }()
	}
	group.Wait()
	fmt.Println(calls)
}

func maps() {
	var shared sync.Map
	pool := sync.Pool{New: func() any { return new([512]byte) }}
	var group sync.WaitGroup
	for i := 0; i < 64; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			buffer := pool.Get().(*[512]byte)
			buffer[0] = byte(i)
			shared.Store(i, buffer[0])
			pool.Put(buffer)
		}(i)
	}
	group.Wait()
	count := 0
	shared.Range(func(_, _ any) bool { count++; return true })
	fmt.Println(count)
}

// pipeline is the sieve of Eratosthenes as a chain of goroutines.
func pipeline() {
	source := make(chan int)
	go func() {
		for i := 2; ; i++ {
			source <- i
		}
	}()
	for i := 0; i < 60; i++ {
		prime := <-source
		if i >= 55 {
			fmt.Print(prime, " ")
		}
		next := make(chan int)
		go func(in, out chan int, prime int) {
			for n := range in {
				if n%prime != 0 {
					out <- n
				}
			}
		}(source, next, prime)
		source = next
	}
	fmt.Println()
}

func selecting() {
	a, b, quit := make(chan int), make(chan int), make(chan bool)
	go func() {
		for i := 0; i < 500; i++ {
			a <- 1
		}
		quit <- true
	}()
	go func() {
		for i := 0; i < 500; i++ {
			b <- 2
		}
		quit <- true
	}()
	sum := 0
	for quits := 0; quits < 2; {
		select {
		case n := <-a:
			sum += n
		case n := <-b:
			sum += n
		case <-quit:
			quits++
		}
	}
	fmt.Println(sum)
}

// threads makes each goroutine a thread of its own.
func threads() {
	var group sync.WaitGroup
	var sum int64
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			runtime.LockOSThread()
			time.Sleep(time.Millisecond)
			atomic.AddInt64(&sum, int64(i))
		}(i)
	}
	group.Wait()
	fmt.Println(sum)
}
