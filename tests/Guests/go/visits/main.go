// Package main is two programs that meet over HTTP, each in a world of its own: "serve ADDRESS" answers visitors until one says goodbye;
// "visit ADDRESS" comes five times over one connection. Each hands its trace on in the header of W3C Trace Context.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"time"
)

func main() {
	var err error
	if os.Args[1] == "serve" {
		err = serve(os.Args[2])
	} else {
		err = visit(os.Args[2])
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// The second field of a traceparent: the trace that both are part of.
func trace(parent string) string {
	if fields := strings.Split(parent, "-"); len(fields) == 4 {
		return fields[1]
	}
	return "none"
}

func serve(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	own := trace(os.Getenv("TRACEPARENT"))
	over := make(chan struct{})
	visits := 0
	http.HandleFunc("/visit", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		visits++
		w.Header().Set("X-Same-Trace", fmt.Sprint(trace(r.Header.Get("traceparent")) == own))
		fmt.Fprintf(w, "%s/%s answers %s, visit %d", runtime.GOOS, runtime.GOARCH, body, visits)
	})
	http.HandleFunc("/bye", func(w http.ResponseWriter, r *http.Request) { close(over) })
	server := &http.Server{}
	go server.Serve(listener)
	<-over
	fmt.Printf("%s/%s had %d visits in its trace %v\n", runtime.GOOS, runtime.GOARCH, visits, own != "none")
	time.Sleep(50 * time.Millisecond)
	return server.Close()
}

func visit(address string) error {
	for i := 0; ; i++ {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			break
		}
		if i == 200 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	for i := 0; i < 5; i++ {
		request, _ := http.NewRequest("POST", "http://"+address+"/visit", strings.NewReader(runtime.GOOS+"/"+runtime.GOARCH))
		request.Header.Set("traceparent", os.Getenv("TRACEPARENT"))
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		fmt.Printf("%s; same trace %s, %v\n", body, response.Header.Get("X-Same-Trace"), err)
		time.Sleep(20 * time.Millisecond)
	}
	_, err := http.Get("http://" + address + "/bye")
	return err
}
