// Package main exercises os/signal: Notify, Ignore, Reset, contexts, faults turned into panics, a signal to a group.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

func main() {
	notified()
	ignored()
	contexts()
	faults()
	children()
	stopped()
	debug.SetTraceback("none")
	go func() {
		time.Sleep(10 * time.Millisecond)
		syscall.Kill(os.Getpid(), syscall.SIGTERM)
	}()
	time.Sleep(10 * time.Second)
	fmt.Println("not reached")
}

func notified() {
	c := make(chan os.Signal, 64)
	signal.Notify(c, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH, syscall.SIGURG)
	for _, s := range []syscall.Signal{syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGHUP, syscall.SIGWINCH} {
		syscall.Kill(os.Getpid(), s)
		fmt.Println(told(next(c)))
	}
	signal.Stop(c)
	signal.Notify(c)
	syscall.Kill(os.Getpid(), unusual)
	fmt.Println(told(next(c)))
	signal.Stop(c)
	signal.Reset()
}

// next is the next signal that was meant: SIGURG is also how the scheduler preempts, at any time.
func next(c <-chan os.Signal) os.Signal {
	for s := range c {
		if s != syscall.SIGURG {
			return s
		}
	}
	return nil
}

// told is a signal's name where systems have different texts.
func told(s os.Signal) string {
	switch s {
	case syscall.SIGWINCH:
		return "another window"
	case unusual:
		return "an unusual one"
	}
	return s.String()
}

func ignored() {
	signal.Ignore(syscall.SIGHUP)
	fmt.Println(signal.Ignored(syscall.SIGHUP), syscall.Kill(os.Getpid(), syscall.SIGHUP))
	out, err := exec.Command("sh", "-c", "kill -HUP $$; echo lived").Output()
	fmt.Printf("%q %v\n", out, err)
	signal.Reset(syscall.SIGHUP)
	_, err = exec.Command("sh", "-c", "kill -HUP $$; echo lived").Output()
	fmt.Println(err)
}

func contexts() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	go syscall.Kill(os.Getpid(), syscall.SIGINT)
	<-ctx.Done()
	fmt.Println(ctx.Err())
	stop()
}

type node struct {
	padding [100]int
	value   int
}

func faults() {
	try := func(name string, f func()) {
		defer func() {
			err := recover()
			fmt.Printf("%s: %v\n", name, err)
		}()
		f()
	}
	var none *node
	var slice []int
	zero := len(slice)
	for i := 0; i < 3; i++ {
		try("nil", func() { fmt.Println(none.value) })
		try("nil write", func() { none.value = 5 })
		try("division", func() { fmt.Println(5 / zero) })
		try("index", func() { fmt.Println(slice[zero+3]) })
	}
	var call func()
	try("nil function", func() { call() })
	debug.SetPanicOnFault(true)
	page, _ := syscall.Mmap(-1, 0, 4096, syscall.PROT_READ, syscall.MAP_PRIVATE|syscall.MAP_ANON)
	try("read-only page", func() { page[5] = 1 })
	debug.SetPanicOnFault(false)
}

func children() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGCHLD)
	command := exec.Command("true")
	fmt.Println(command.Start(), <-c, command.Wait())
	signal.Stop(c)
}

func stopped() {
	command := exec.Command("sleep", "100")
	command.Start()
	command.Process.Signal(syscall.SIGSTOP)
	var status syscall.WaitStatus
	pid, err := syscall.Wait4(command.Process.Pid, &status, syscall.WUNTRACED, nil)
	fmt.Println(pid == command.Process.Pid, err, status&0xff == 0x7f, syscall.Signal(status>>8) == syscall.SIGSTOP)
	command.Process.Signal(syscall.SIGCONT)
	pid, err = syscall.Wait4(command.Process.Pid, &status, continued, nil)
	fmt.Println(pid == command.Process.Pid, err)
	command.Process.Kill()
	fmt.Println(command.Wait())
}
