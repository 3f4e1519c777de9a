#!/bin/sh
# Makes a Nebula network in the working directory: an authority, a lighthouse and two nodes.
# usage: setup.sh LIGHTHOUSE_ADDRESS
set -e
nebula-cert ca -name authority
make_node()
{
    name=$1 address=$2 is_lighthouse=$3 lighthouses=$4
    nebula-cert sign -name "$name" -ip "$address/24"
    cat >"$name.yaml" <<END
pki: { ca: $PWD/ca.crt, cert: $PWD/$name.crt, key: $PWD/$name.key }
static_host_map: { "192.168.100.1": ["$lighthouse:4242"] }
lighthouse: { am_lighthouse: $is_lighthouse, interval: 5, hosts: [$lighthouses] }
listen: { host: 0.0.0.0, port: 4242 }
punchy: { punch: true }
tun: { dev: nebula1, mtu: 1300 }
logging: { level: info, format: text }
firewall:
  outbound: [{ port: any, proto: any, host: any }]
  inbound: [{ port: any, proto: any, host: any }]
END
}
lighthouse=$1
make_node lighthouse 192.168.100.1 true ""
make_node one 192.168.100.2 false '"192.168.100.1"'
make_node two 192.168.100.3 false '"192.168.100.1"'
