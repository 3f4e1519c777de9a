// Package main exercises os/exec: output, input, exit codes, signals, contexts, extra files, process groups.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	output, err := exec.Command("echo", "hello", "child").Output()
	fmt.Printf("%q %v\n", output, err)
	input()
	endings()
	contexts()
	files()
	many()
	_, err = exec.LookPath("no-such-program")
	fmt.Println(err)
	fmt.Println(exec.Command("/no/such/program").Run())
	fmt.Println(exec.Command("/etc/passwd").Run())
	if len(os.Args) == 1 {
		again()
		fmt.Println(syscall.Exec("/proc/self/exe", []string{"commands", "replaced"}, os.Environ()))
	}
	fmt.Println("replaced:", os.Args[1:])
	os.Exit(7)
}

func input() {
	command := exec.Command("tr", "a-z", "A-Z")
	command.Stdin = strings.NewReader(strings.Repeat("some text ", 20000))
	var upper bytes.Buffer
	command.Stdout = &upper
	fmt.Println(command.Run(), upper.Len(), upper.String()[:20])
	command = exec.Command("cat")
	in, _ := command.StdinPipe()
	out, _ := command.StdoutPipe()
	fmt.Println(command.Start())
	go func() { io.WriteString(in, "through pipes"); in.Close() }()
	all, err := io.ReadAll(out)
	fmt.Printf("%q %v %v\n", all, err, command.Wait())
	both, err := exec.Command("sh", "-c", "echo out; echo err >&2").CombinedOutput()
	fmt.Printf("%q %v\n", both, err)
}

func endings() {
	err := exec.Command("sh", "-c", "exit 3").Run()
	var exit *exec.ExitError
	fmt.Println(err, errors.As(err, &exit), exit.ExitCode(), exit.Success())
	err = exec.Command("sh", "-c", "kill -9 $$").Run()
	errors.As(err, &exit)
	status := exit.Sys().(syscall.WaitStatus)
	fmt.Println(err, exit.ExitCode(), status.Signaled(), status.Signal())
	command := exec.Command("sleep", "100")
	fmt.Println(command.Start(), command.Process.Signal(syscall.SIGTERM))
	err = command.Wait()
	fmt.Println(err, command.ProcessState, command.Process.Signal(syscall.SIGTERM))
	command = exec.Command("sh", "-c", "pwd; echo $A; ps >/dev/null 2>&1; exit 0")
	command.Dir = "/usr"
	command.Env = []string{"A=only"}
	out, err := command.Output()
	fmt.Printf("%q %v\n", out, err)
}

func contexts() {
	ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
	defer cancel()
	err := exec.CommandContext(ctx, "sleep", "100").Run()
	fmt.Println(err, ctx.Err())
}

func files() {
	r, w, _ := os.Pipe()
	command := exec.Command("sh", "-c", "echo to three >&3; echo out")
	command.ExtraFiles = []*os.File{w}
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	endWithParent(command.SysProcAttr)
	out, err := command.Output()
	w.Close()
	line, _ := io.ReadAll(r)
	fmt.Printf("%q %v %q\n", out, err, line)
	command = exec.Command("sh", "-c", "id -u; id -g")
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, Setsid: true}
	if os.Getuid() == 0 {
		out, err = command.Output()
		fmt.Printf("%q %v\n", out, err)
	}
}

func many() {
	var group sync.WaitGroup
	results := make([]string, 20)
	for i := range results {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			out, err := exec.Command("sh", "-c", fmt.Sprintf("echo %d; exit %d", i, i%3)).Output()
			results[i] = fmt.Sprint(strings.TrimSpace(string(out)), ":", err)
		}(i)
	}
	group.Wait()
	fmt.Println(strings.Join(results, ", "))
}

func again() {
	self, _ := os.Executable()
	command := exec.Command(self, "child")
	command.Stdout, command.Stderr = os.Stdout, os.Stderr
	fmt.Println(command.Run())
}
