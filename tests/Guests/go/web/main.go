// Package main exercises net/http: a server, keep-alive clients at once, chunks, uploads, cancelled requests, TLS, files.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"time"
)

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "hello %s", r.URL.Query().Get("name")) })
	mux.HandleFunc("/chunks", chunks)
	mux.HandleFunc("/upload", func(w http.ResponseWriter, r *http.Request) { n, err := io.Copy(io.Discard, r.Body); fmt.Fprint(w, n, " ", err) })
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	os.WriteFile("served", []byte(strings.Repeat("content ", 50000)), 0o644)
	mux.Handle("/files/", http.StripPrefix("/files/", http.FileServer(http.Dir(".")))) // sendfile
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	server := &http.Server{Handler: mux}
	done := make(chan error)
	go func() { done <- server.Serve(listener) }()
	base := "http://" + listener.Addr().String()
	get(base + "/hello?name=world")
	get(base + "/chunks")
	get(base + "/nothing")
	get(base + "/files/served")
	response, err := http.Post(base+"/upload", "text/plain", strings.NewReader(strings.Repeat("x", 2<<20)))
	show(response, err)
	crowd(base)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	request, _ := http.NewRequestWithContext(ctx, "GET", base+"/slow", nil)
	_, err = http.DefaultClient.Do(request)
	fmt.Println(err != nil, ctx.Err())
	cancel()
	secure()
	ctx, cancel = context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	http.DefaultClient.CloseIdleConnections()
	fmt.Println(server.Shutdown(ctx), <-done)
	os.Remove("served")
}

func chunks(w http.ResponseWriter, r *http.Request) {
	for i := 0; i < 5; i++ {
		fmt.Fprintf(w, "chunk %d\n", i)
		w.(http.Flusher).Flush()
		time.Sleep(time.Millisecond)
	}
}

func get(url string) {
	response, err := http.Get(url)
	show(response, err)
}

func show(response *http.Response, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	body, err := io.ReadAll(response.Body)
	response.Body.Close()
	text := string(body)
	if len(text) > 100 {
		text = fmt.Sprint(text[:20], "... ", len(text))
	}
	fmt.Printf("%s %s %v %q %v\n", response.Status, response.Header.Get("Content-Type"), response.TransferEncoding, text, err)
}

func crowd(base string) {
	var group sync.WaitGroup
	var lock sync.Mutex
	right := 0
	for i := 0; i < 50; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			for j := 0; j < 4; j++ {
				response, err := http.Get(fmt.Sprintf("%s/hello?name=%d.%d", base, i, j))
				if err != nil {
					fmt.Println(err)
					return
				}
				body, _ := io.ReadAll(response.Body)
				response.Body.Close()
				lock.Lock()
				if string(body) == fmt.Sprintf("hello %d.%d", i, j) {
					right++
				}
				lock.Unlock()
			}
		}(i)
	}
	group.Wait()
	fmt.Println(right)
}

func secure() {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "over TLS ", r.TLS.Version != 0) }))
	defer server.Close()
	response, err := server.Client().Get(server.URL)
	show(response, err)
}
