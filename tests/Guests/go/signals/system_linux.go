package main

import "syscall"

const (
	// realTime is one of the signals that queue and have no name.
	realTime = syscall.Signal(40)
	// continued is wait4's WCONTINUED.
	continued = syscall.WCONTINUED
)
