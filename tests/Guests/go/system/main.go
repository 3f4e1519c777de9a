// Package main exercises os: files, directories, links, environment, pipes, errors as Go tells them.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"time"
)

func check(err error) {
	if err != nil {
		fmt.Println("error:", err)
	}
}

func main() {
	dir, err := os.MkdirTemp(".", "system")
	check(err)
	defer os.RemoveAll(dir)
	check(os.Chdir(dir))
	files()
	names()
	walking()
	pipes()
	mappings()
	environment()
}

func files() {
	check(os.WriteFile("a", []byte(strings.Repeat("line\n", 1000)), 0o640))
	info, err := os.Stat("a")
	check(err)
	fmt.Println(info.Name(), info.Size(), info.Mode(), info.IsDir())
	f, err := os.OpenFile("a", os.O_RDWR|os.O_APPEND, 0)
	check(err)
	n, err := f.WriteString("end")
	fmt.Println(n, err)
	_, err = f.WriteAt([]byte("x"), 0)
	fmt.Println("append and WriteAt:", err)
	buffer := make([]byte, 8)
	n, err = f.ReadAt(buffer, 4999)
	fmt.Printf("%d %v %q\n", n, err, buffer[:n])
	offset, err := f.Seek(-3, io.SeekEnd)
	fmt.Println(offset, err)
	rest, err := io.ReadAll(f)
	fmt.Printf("%q %v\n", rest, err)
	check(f.Truncate(5))
	check(f.Sync())
	check(f.Close())
	fmt.Println("closed twice:", f.Close())
	when := time.Unix(1700000000, 123456789)
	check(os.Chtimes("a", when, when))
	check(os.Chmod("a", 0o600))
	info, err = os.Lstat("a")
	check(err)
	fmt.Println(info.Size(), info.Mode(), info.ModTime().UnixNano())
	_, err = os.Open("missing")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	_, err = os.OpenFile("a", os.O_CREATE|os.O_EXCL, 0o600)
	fmt.Println(err, errors.Is(err, fs.ErrExist))
	_, err = os.ReadFile(".")
	fmt.Println(err)
	source, _ := os.Open("a")
	target, _ := os.Create("copy")
	copied, err := io.Copy(target, source) // copy_file_range
	fmt.Println(copied, err)
}

func names() {
	check(os.Mkdir("d", 0o755))
	check(os.MkdirAll("d/e/f/g", 0o755))
	fmt.Println(os.Mkdir("d", 0o755))
	check(os.Rename("copy", "d/moved"))
	check(os.Link("a", "d/linked"))
	check(os.Symlink("../a", "d/symbolic"))
	target, err := os.Readlink("d/symbolic")
	fmt.Println(target, err)
	one, _ := os.Stat("a")
	two, _ := os.Stat("d/symbolic")
	fmt.Println(os.SameFile(one, two), one.Sys().(*syscall.Stat_t).Nlink)
	fmt.Println(os.Remove("d"))
	fmt.Println(os.Rename("missing", "x"))
	wd, err := os.Getwd()
	fmt.Println(strings.HasPrefix(filepath.Base(wd), "system"), err)
}

func walking() {
	for i := 0; i < 300; i++ {
		check(os.WriteFile(fmt.Sprintf("d/e/file%03d", i), nil, 0o644))
	}
	entries, err := os.ReadDir("d/e")
	fmt.Println(len(entries), entries[0].Name(), entries[len(entries)-1].Name(), err)
	var seen []string
	check(filepath.WalkDir("d", func(path string, entry fs.DirEntry, err error) error {
		if !strings.Contains(path, "file") {
			seen = append(seen, path+" "+entry.Type().String())
		}
		return err
	}))
	sort.Strings(seen)
	fmt.Println(strings.Join(seen, "\n"))
	matches, err := filepath.Glob("d/e/file29*")
	fmt.Println(len(matches), err)
	check(os.RemoveAll("d"))
	_, err = os.Stat("d")
	fmt.Println(err)
}

func pipes() {
	r, w, err := os.Pipe()
	check(err)
	go func() {
		for i := 0; i < 20000; i++ {
			fmt.Fprintln(w, "line", i)
		}
		w.Close()
	}()
	lines, length := 0, 0
	scanner := bufio.NewScanner(r)
	for scanner.Scan() {
		lines++
		length += len(scanner.Text())
	}
	fmt.Println(lines, length, scanner.Err())
	r, w, _ = os.Pipe()
	check(r.SetReadDeadline(time.Now().Add(20 * time.Millisecond)))
	_, err = r.Read(make([]byte, 1))
	fmt.Println(err, errors.Is(err, os.ErrDeadlineExceeded))
	r.Close()
	_, err = w.Write([]byte("x"))
	fmt.Println(err, errors.Is(err, syscall.EPIPE))
}

func mappings() {
	f, err := os.Create("mapped")
	check(err)
	check(f.Truncate(8192))
	view, err := syscall.Mmap(int(f.Fd()), 0, 8192, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	check(err)
	copy(view[4090:], "across the page")
	content, _ := os.ReadFile("mapped")
	fmt.Printf("%q\n", content[4090:4105])
	check(syscall.Munmap(view))
	fmt.Println(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	other, _ := os.Open("mapped")
	fmt.Println(syscall.Flock(int(other.Fd()), syscall.LOCK_EX|syscall.LOCK_NB))
}

func environment() {
	check(os.Setenv("VIVARIUM", "set"))
	fmt.Println(os.ExpandEnv("$VIVARIUM ${MISSING}."), os.Getpid() > 1, os.Getppid() > 0)
	value, found := os.LookupEnv("MISSING")
	fmt.Println(value, found)
	executable, err := os.Executable()
	fmt.Println(filepath.Base(executable), err)
	host, err := os.Hostname()
	fmt.Println(host != "", err, os.Getpagesize())
}
