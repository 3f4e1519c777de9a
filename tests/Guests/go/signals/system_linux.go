package main

import "syscall"

const (
	// unusual is a signal that other systems do not have: a real-time one.
	unusual = syscall.Signal(40)
	// continued is wait4's WCONTINUED.
	continued = syscall.WCONTINUED
)
