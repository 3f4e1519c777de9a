//go:build freebsd || netbsd

// Package main prints devices, their addresses and groups, and the routing table, changes the table and listens to what is told of that.
package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"syscall"
)

const (
	routeHeader = int(syscall.SizeofRtMsghdr)
	up, gateway = syscall.RTF_UP, syscall.RTF_GATEWAY
)

func main() {
	devices()
	table()
	listener := open()
	asker := open()
	ask(asker, syscall.RTM_GET, up|syscall.RTF_HOST, 4, nil, nil, "127.0.0.1")
	ask(asker, syscall.RTM_GET, up|syscall.RTF_HOST, 5, nil, nil, "203.0.113.1")
	ask(asker, syscall.RTM_ADD, up|gateway|syscall.RTF_STATIC, 6, net.IPv4(127, 0, 0, 1), net.IPv4Mask(255, 255, 128, 0), "203.0.0.0")
	ask(asker, syscall.RTM_ADD, up|syscall.RTF_STATIC, 7, net.IPv4(127, 0, 0, 1), net.IPv4Mask(255, 255, 128, 0), "203.0.0.0")
	ask(asker, syscall.RTM_ADD, up|syscall.RTF_STATIC, 8, net.IPv4(127, 0, 0, 1), net.IPv4Mask(255, 255, 128, 0), "203.0.0.0")
	table()
	ask(asker, syscall.RTM_GET, up, 9, nil, nil, "203.0.113.1")
	ask(asker, syscall.RTM_DELETE, up, 10, nil, net.IPv4Mask(255, 255, 128, 0), "203.0.0.0")
	ask(asker, syscall.RTM_DELETE, up, 11, nil, net.IPv4Mask(255, 255, 128, 0), "203.0.0.0")
	for i := 0; i < 8; i++ {
		fmt.Print("heard ")
		show(read(listener))
	}
}

func devices() {
	all, err := net.Interfaces()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for _, device := range all {
		addresses, err1 := device.Addrs()
		groups, err2 := device.MulticastAddrs()
		fmt.Println(device.Index, device.Name, device.MTU, device.Flags, addresses, err1, groups, err2)
	}
}

func table() {
	bytes, err := syscall.RouteRIB(syscall.NET_RT_DUMP, 0)
	if err != nil {
		fmt.Println(err)
	}
	show(bytes)
}

func show(bytes []byte) {
	messages, err := syscall.ParseRoutingMessage(bytes)
	if err != nil {
		fmt.Println(err)
	}
	for _, message := range messages {
		route, ok := message.(*syscall.RouteMessage)
		if !ok {
			fmt.Printf("%T\n", message)
			continue
		}
		fmt.Printf("type %d flags %#x device %d sequence %d error %v:", route.Header.Type, route.Header.Flags, route.Header.Index, route.Header.Seq, syscall.Errno(route.Header.Errno))
		addresses, err := syscall.ParseRoutingSockaddr(route)
		for place, address := range addresses {
			switch a := address.(type) {
			case *syscall.SockaddrInet4:
				fmt.Printf(" %d=%v", place, net.IP(a.Addr[:]))
			case *syscall.SockaddrInet6:
				fmt.Printf(" %d=%v", place, net.IP(a.Addr[:]))
			case *syscall.SockaddrDatalink:
				fmt.Printf(" %d=link#%d", place, a.Index)
			}
		}
		if err != nil {
			fmt.Print(" ", err)
		}
		fmt.Println()
	}
}

func open() int {
	fd, err := syscall.Socket(syscall.AF_ROUTE, syscall.SOCK_RAW, 0)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return fd
}

func read(fd int) []byte {
	buffer := make([]byte, 2048)
	n, err := syscall.Read(fd, buffer)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	return buffer[:n]
}

func ask(fd int, kind byte, flags uint32, sequence uint32, via net.IP, mask net.IPMask, destination string) {
	message := make([]byte, routeHeader)
	message[2], message[3] = syscall.RTM_VERSION, kind
	binary.LittleEndian.PutUint32(message[8:], flags)
	binary.LittleEndian.PutUint32(message[20:], sequence)
	addresses := uint32(syscall.RTA_DST)
	message = append(message, name(net.ParseIP(destination).To4())...)
	if via != nil {
		addresses |= syscall.RTA_GATEWAY
		message = append(message, name(via.To4())...)
	}
	if mask != nil {
		addresses |= syscall.RTA_NETMASK
		message = append(message, name(mask)...)
	}
	binary.LittleEndian.PutUint32(message[12:], addresses)
	binary.LittleEndian.PutUint16(message, uint16(len(message)))
	_, err := syscall.Write(fd, message)
	fmt.Println("asked", err)
	show(read(fd))
}

func name(address []byte) []byte {
	return append(append([]byte{16, syscall.AF_INET, 0, 0}, address...), make([]byte, 8)...)
}
