package main

import "syscall"

// NetBSD has no such thing.
func endWithParent(attributes *syscall.SysProcAttr) {
}
