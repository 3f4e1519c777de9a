//go:build freebsd

// Package main asks FreeBSD for facts that there are not, by name and by numbers.
package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

func main() {
	for i := 0; i < 2; i++ {
		_, err := syscall.Sysctl("kern.no.such.fact")
		fmt.Println(err == syscall.ENOENT)
	}
	numbers := [3]int32{6, 4242, 7}
	var size uintptr
	_, _, err := syscall.Syscall6(syscall.SYS___SYSCTL, uintptr(unsafe.Pointer(&numbers)), uintptr(len(numbers)), 0, uintptr(unsafe.Pointer(&size)), 0, 0)
	fmt.Println(err == syscall.ENOENT)
}
