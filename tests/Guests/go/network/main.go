// Package main exercises net: TCP, UDP and UNIX sockets, deadlines, errors, file descriptors passed, interfaces.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	tcp("tcp4", "127.0.0.1:0")
	tcp("tcp6", "[::1]:0")
	tcp("tcp", ":0")
	half()
	udp()
	local()
	failures()
	deadlines()
	crowd()
	interfaces()
}

func tcp(network, address string) {
	listener, err := net.Listen(network, address)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	go func() {
		connection, _ := listener.Accept()
		defer connection.Close()
		scanner := bufio.NewScanner(connection)
		for scanner.Scan() {
			fmt.Fprintln(connection, strings.ToUpper(scanner.Text()))
		}
	}()
	host := "127.0.0.1"
	if network == "tcp6" {
		host = "::1"
	}
	connection, err := net.Dial(network, net.JoinHostPort(host, fmt.Sprint(port)))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer connection.Close()
	peer := connection.RemoteAddr().(*net.TCPAddr)
	fmt.Println(network, peer.IP, peer.Port == port, connection.LocalAddr().(*net.TCPAddr).IP)
	stream := connection.(*net.TCPConn)
	fmt.Println(stream.SetNoDelay(true), stream.SetKeepAlive(true), stream.SetKeepAlivePeriod(time.Minute), stream.SetLinger(0), stream.SetReadBuffer(1<<16))
	fmt.Fprintf(connection, "one\ntwo\n")
	reader := bufio.NewReader(connection)
	for i := 0; i < 2; i++ {
		line, err := reader.ReadString('\n')
		fmt.Printf("%q %v\n", line, err)
	}
}

func half() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go func() {
		connection, _ := listener.Accept()
		all, _ := io.ReadAll(connection)
		fmt.Fprint(connection, len(all))
		connection.Close()
	}()
	connection, _ := net.Dial("tcp", listener.Addr().String())
	written, err := connection.Write(make([]byte, 3<<20))
	fmt.Println(written, err, connection.(*net.TCPConn).CloseWrite())
	answer, err := io.ReadAll(connection)
	fmt.Println(string(answer), err)
}

func udp() {
	server, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		return
	}
	client, _ := net.Dial("udp4", server.LocalAddr().String())
	for _, text := range []string{"first", "", "third"} {
		n, err := client.Write([]byte(text))
		buffer := make([]byte, 100)
		got, from, err2 := server.ReadFrom(buffer)
		fmt.Println(n, err, got, err2, from.String() == client.LocalAddr().String(), string(buffer[:got]))
		server.WriteTo([]byte("re "+text), from)
		got, err = client.Read(buffer)
		fmt.Println(string(buffer[:got]), err)
	}
	server.Close()
	client.Write([]byte("lost"))
	time.Sleep(5 * time.Millisecond)
	_, err = client.Write([]byte("lost again"))
	fmt.Println(errors.Is(err, syscall.ECONNREFUSED))
}

func local() {
	for _, name := range []string{"socket", "@vivarium-abstract"} {
		listener, err := net.Listen("unix", name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		received := make(chan string, 1)
		go func() {
			connection, _ := listener.Accept()
			buffer, control := make([]byte, 10), make([]byte, 100)
			n, m, _, _, err := connection.(*net.UnixConn).ReadMsgUnix(buffer, control)
			messages, _ := syscall.ParseSocketControlMessage(control[:m])
			rights, _ := syscall.ParseUnixRights(&messages[0])
			file := os.NewFile(uintptr(rights[0]), "passed")
			received <- fmt.Sprint(n, err, len(rights))
			fmt.Fprintln(file, "written by the receiver")
			file.Close()
			connection.Close()
		}()
		connection, err := net.Dial("unix", name)
		if err != nil {
			fmt.Println(err)
			continue
		}
		r, w, _ := os.Pipe()
		n, m, err := connection.(*net.UnixConn).WriteMsgUnix([]byte("x"), syscall.UnixRights(int(w.Fd())), nil)
		fmt.Println(n, m == syscall.CmsgSpace(4), err)
		w.Close()
		text, err := io.ReadAll(r)
		fmt.Printf("%q %v\n", text, err)
		fmt.Println(<-received, connection.RemoteAddr(), listener.Addr())
		connection.Close()
		listener.Close()
	}
	_, err := os.Stat("socket")
	fmt.Println(err)
}

func failures() {
	_, err := net.Dial("tcp", "127.0.0.1:1")
	fmt.Println(err, errors.Is(err, syscall.ECONNREFUSED))
	_, err = net.Dial("unix", "missing")
	fmt.Println(err)
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	_, err = net.Listen("tcp", listener.Addr().String())
	fmt.Println(errors.Is(err, syscall.EADDRINUSE))
	_, err = net.Listen("tcp", "192.0.2.1:80")
	fmt.Println(errors.Is(err, syscall.EADDRNOTAVAIL))
	connection, _ := net.Dial("tcp", listener.Addr().String())
	other, _ := listener.Accept()
	other.(*net.TCPConn).SetLinger(0)
	other.Close()
	_, err = connection.Read(make([]byte, 1))
	fmt.Println(errors.Is(err, syscall.ECONNRESET))
	listener.Close()
	_, err = listener.Accept()
	fmt.Println(errors.Is(err, net.ErrClosed))
}

func deadlines() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	defer listener.Close()
	connection, _ := net.Dial("tcp", listener.Addr().String())
	connection.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
	_, err := connection.Read(make([]byte, 1))
	var failure net.Error
	fmt.Println(errors.As(err, &failure), failure.Timeout())
	connection.SetWriteDeadline(time.Now().Add(30 * time.Millisecond))
	for err = nil; err == nil; {
		_, err = connection.Write(make([]byte, 1<<20))
	}
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	listener.(*net.TCPListener).SetDeadline(time.Now().Add(-time.Second))
	_, err = listener.Accept()
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
}

func crowd() {
	listener, _ := net.Listen("tcp", "127.0.0.1:0")
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go func() { io.Copy(connection, connection); connection.Close() }() // splice
		}
	}()
	var group sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			connection, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				fmt.Println(err)
				return
			}
			text := strings.Repeat(fmt.Sprint(i%10), 5000)
			go func() { io.WriteString(connection, text); connection.(*net.TCPConn).CloseWrite() }()
			echo, err := io.ReadAll(connection)
			lock.Lock()
			if string(echo) == text && err == nil {
				total++
			}
			lock.Unlock()
		}(i)
	}
	group.Wait()
	listener.Close()
	fmt.Println(total)
}

func interfaces() {
	loopback, err := net.InterfaceByName("lo")
	if err != nil {
		fmt.Println(err)
		return
	}
	addresses, err := loopback.Addrs()
	var texts []string
	for _, a := range addresses {
		texts = append(texts, a.String())
	}
	sort.Strings(texts)
	fmt.Println(loopback.Index, loopback.MTU, loopback.Flags, texts, err)
	names, err := net.LookupHost("localhost")
	fmt.Println(len(names) > 0, err)
}
