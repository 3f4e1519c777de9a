#!/bin/sh
# Makes an authority and a certificate for each node, by which nodes know each other (peer.* in cluster.hocon).
# usage: deploy/certificates.sh FOLDER NAME[,NAME...]...
# Each argument is one node: the names others reach it under, the first of which names its files.
# The authority's key is left in FOLDER/authority.key: keep it away from the nodes.
set -eu
umask 077

[ $# -ge 2 ] || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
folder=$1
shift
mkdir -p "$folder"
cd "$folder"

if [ ! -e authority.key ]; then
    openssl req -x509 -newkey rsa:3072 -nodes -sha256 -days 3650 -subj "/CN=vivarium authority" \
        -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign" \
        -keyout authority.key -out authority.crt 2>/dev/null
fi

for names do
    name=${names%%,*}
    subject=$(printf '%s' "$names" | sed 's/[^,]*/DNS:&/g; s/DNS:\([0-9][0-9.]*\)\(,\|$\)/IP:\1\2/g')
    openssl req -newkey rsa:3072 -nodes -subj "/CN=$name" -keyout "$name.key" -out "$name.csr" 2>/dev/null
    printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nkeyUsage=critical,digitalSignature\n' "$subject" >"$name.ext"
    openssl x509 -req -in "$name.csr" -CA authority.crt -CAkey authority.key -CAcreateserial -days 825 -sha256 \
        -extfile "$name.ext" -out "$name.crt" 2>/dev/null
    rm "$name.csr" "$name.ext"
    echo "$folder/$name.crt: $subject"
done
