// SPDX-License-Identifier: Apache-2.0

// The HTTP server of the tests, in Go.
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello %s\n", r.URL)
	})
	http.HandleFunc("/hash", func(w http.ResponseWriter, r *http.Request) {
		sum := sha256.New()
		io.Copy(sum, r.Body)
		fmt.Fprintf(w, "%x", sum.Sum(nil))
	})
	http.HandleFunc("/big", func(w http.ResponseWriter, r *http.Request) {
		w.Write(bytes.Repeat([]byte("nacre"), 400000))
	})
	http.HandleFunc("/later", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(10 * time.Millisecond)
		fmt.Fprintln(w, "later")
	})
	http.HandleFunc("/missing", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "none", http.StatusNotFound)
	})
	server := &http.Server{Addr: os.Args[1]}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	go func() {
		if err := server.ListenAndServe(); err != http.ErrServerClosed {
			fmt.Println(err)
			os.Exit(1)
		}
	}()
	fmt.Println("stopping:", <-stop)
	server.Shutdown(context.Background())
	os.Exit(5)
}
