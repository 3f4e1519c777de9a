package main

import "syscall"

const (
	// realTime is one of the signals that queue and have no name.
	realTime = syscall.Signal(40)
	// continued is wait4's WCONTINUED, which the package does not have here.
	continued = 0x10
)
