//go:build !netbsd

package main

import "syscall"

// endWithParent asks for SIGKILL when the parent ends.
func endWithParent(attributes *syscall.SysProcAttr) {
	attributes.Pdeathsig = syscall.SIGKILL
}
