#!/bin/sh
# Joins the network of setup.sh as node "two" and pings the others through the tunnel.
# usage: visit.sh
nebula -config "$PWD/two.yaml" >two.log 2>&1 &
for address in 192.168.100.1 192.168.100.2; do
    tries=0
    until busybox ping -c 1 -W 1 "$address" >/dev/null 2>&1 || [ $((tries += 1)) -ge 60 ]; do sleep 1; done
    busybox ping -c 3 -s 1000 "$address" | sed -n 's/\(.*packets received.*\)/\1/p'
done
kill $!
wait
