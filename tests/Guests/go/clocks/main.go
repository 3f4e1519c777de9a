// Package main exercises time: timers, tickers, sleeping in order, contexts, monotonic readings, formatting, zones.
package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

func main() {
	start := time.Now()
	time.Sleep(20 * time.Millisecond)
	fmt.Println(time.Since(start) >= 20*time.Millisecond, time.Until(start) < 0)
	order()
	ticker := time.NewTicker(5 * time.Millisecond)
	var last time.Time
	for i := 0; i < 5; i++ {
		now := <-ticker.C
		fmt.Println(now.After(last))
		last = now
	}
	ticker.Reset(time.Hour)
	ticker.Stop()
	stopped := time.AfterFunc(time.Hour, func() { fmt.Println("never") })
	fmt.Println(stopped.Stop(), stopped.Stop())
	fired := make(chan bool)
	time.AfterFunc(time.Millisecond, func() { fired <- true })
	fmt.Println(<-fired)
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(10*time.Millisecond))
	defer cancel()
	select {
	case <-ctx.Done():
		fmt.Println(ctx.Err())
	case <-time.After(10 * time.Second):
		fmt.Println("too late")
	}
	moment := time.Date(2024, time.February, 29, 12, 34, 56, 789, time.UTC)
	fmt.Println(moment.Format(time.RFC3339Nano), moment.AddDate(1, 0, 0), moment.YearDay(), moment.Weekday())
	zone, err := time.LoadLocation("Europe/Berlin")
	fmt.Println(moment.In(zone), err)
	parsed, err := time.Parse(time.RFC1123Z, "Mon, 02 Jan 2006 15:04:05 -0700")
	fmt.Println(parsed.Unix(), err)
	_, err = time.ParseDuration("1h2x")
	fmt.Println(err)
	fmt.Println(monotone())
}

// order starts sleepers of different length and reports in which order they woke.
func order() {
	var group sync.WaitGroup
	woken := make(chan int, 10)
	for i := 4; i >= 0; i-- {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			time.Sleep(time.Duration(i*300) * time.Millisecond)
			woken <- i
		}(i)
	}
	group.Wait()
	close(woken)
	for i := range woken {
		fmt.Print(i, " ")
	}
	fmt.Println()
}

func monotone() bool {
	last := time.Now()
	for i := 0; i < 20000; i++ {
		now := time.Now()
		if now.Before(last) {
			return false
		}
		last = now
	}
	return true
}
