// SPDX-License-Identifier: Apache-2.0

// Goroutines, channels, timers, files and the garbage collector under pressure.
package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sort"
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
	if t.left == nil {
		return 1
	}
	return 1 + t.left.count() + t.right.count()
}

func garbage() {
	var wg sync.WaitGroup
	found := make([]int, 8)
	for i := range found {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			for k := 0; k < 10; k++ {
				found[i] += grow(13).count()
			}
		}(i)
	}
	wg.Wait()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	debug.FreeOSMemory()
	fmt.Println("trees", found, stats.NumGC > 0)
}

func channels() {
	jobs, results := make(chan int), make(chan int, 10)
	var wg sync.WaitGroup
	for i := 0; i < 50; i++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				results <- j * j
			}
		}()
	}
	go func() {
		for i := 0; i < 20000; i++ {
			jobs <- i
		}
		close(jobs)
		wg.Wait()
		close(results)
	}()
	sum := 0
	for r := range results {
		sum += r
	}
	fmt.Println("channels", sum)
}

func timers() {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	var ticks int64
	ticker := time.NewTicker(time.Millisecond)
	for done := false; !done; {
		select {
		case <-ticker.C:
			atomic.AddInt64(&ticks, 1)
		case <-ctx.Done():
			done = true
		}
	}
	start := time.Now()
	time.Sleep(5 * time.Millisecond)
	fmt.Println("timers", ticks > 0, ctx.Err(), time.Since(start) >= 5*time.Millisecond)
}

// A goroutine that never yields is preempted by a signal of the runtime's.
func preempted() {
	var stop int32
	go func() {
		for atomic.LoadInt32(&stop) == 0 {
		}
	}()
	for i := 0; i < 3; i++ {
		runtime.GC()
	}
	atomic.StoreInt32(&stop, 1)
	fmt.Println("preempted")
}

func recovered() (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	var t *tree
	return fmt.Sprint(t.left)
}

func files() error {
	dir, err := os.MkdirTemp("", "nacre-go-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var wg sync.WaitGroup
	for i := 0; i < 20; i++ {
		wg.Add(1)
		go func(i int) {
			defer wg.Done()
			f, err := os.Create(filepath.Join(dir, fmt.Sprintf("f%02d", i)))
			if err != nil {
				panic(err)
			}
			w := bufio.NewWriter(f)
			for k := 0; k < 1000; k++ {
				fmt.Fprintln(w, i, k)
			}
			w.Flush()
			f.Sync()
			f.Close()
		}(i)
	}
	wg.Wait()
	names, err := filepath.Glob(filepath.Join(dir, "f*"))
	if err != nil {
		return err
	}
	sort.Strings(names)
	sum := sha256.New()
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		sum.Write(data)
	}
	_, missing := os.Stat(filepath.Join(dir, "missing"))
	fmt.Printf("files %d %x %v\n", len(names), sum.Sum(nil), os.IsNotExist(missing))
	return nil
}

func main() {
	fmt.Println("hello", runtime.GOMAXPROCS(0))
	garbage()
	channels()
	timers()
	preempted()
	fmt.Println(recovered())
	if err := files(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(3)
}
