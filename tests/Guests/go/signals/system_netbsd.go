package main

import "syscall"

const (
	// unusual is a signal that other systems do not have: SIGINFO.
	unusual = syscall.Signal(29)
	// continued is wait4's WCONTINUED, which the package does not have here.
	continued = 0x10
)
