#!/bin/sh
# Makes the certificates of the HTTP zoo anew. They last until 2099 (the expired one ended in 2021), so that no test
# depends on the day; the keys guard nothing.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat > "$work/ca.cnf" <<EOF
[ca]
default_ca = zoo
[zoo]
new_certs_dir = $work
database = $work/index.txt
rand_serial = yes
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
[guest]
basicConstraints = critical, CA:TRUE
subjectAltName = DNS:zoo.test, IP:127.0.0.1
EOF
: > "$work/index.txt"

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1.key.pem"; }

# name, subject alternative names, begin, end
issue() {
  key "$1"
  openssl req -new -key "$1.key.pem" -subj "/CN=vmpulse zoo $1" -out "$work/$1.csr"
  printf '[leaf]\nsubjectAltName = %s\nextendedKeyUsage = serverAuth\n' "$2" > "$work/$1.cnf"
  openssl ca -batch -notext -config "$work/ca.cnf" -cert ca.pem -keyfile "$work/ca.key.pem" -in "$work/$1.csr" \
    -startdate "$3" -enddate "$4" -extfile "$work/$1.cnf" -extensions leaf -out "$1.pem" 2> /dev/null
}

# directory and name, subject, extensions
self_sign() {
  key "$1"
  openssl req -new -key "$1.key.pem" -subj "/CN=$2" -out "$work/self.csr"
  openssl ca -batch -notext -selfsign -config "$work/ca.cnf" -keyfile "$1.key.pem" -in "$work/self.csr" \
    -startdate 20200101000000Z -enddate 20991231235959Z -extensions "$3" -out "$work/self.pem" 2> /dev/null
}

self_sign "$work/ca" 'vmpulse zoo CA' authority
cp "$work/self.pem" ca.pem

issue good 'DNS:zoo.test, IP:127.0.0.1' 20200101000000Z 20991231235959Z
issue wrong-name 'DNS:other.test' 20200101000000Z 20991231235959Z
issue expired 'DNS:zoo.test, IP:127.0.0.1' 20200101000000Z 20210101000000Z

# As most guests have it: in nobody's bundle.
self_sign self-signed 'vmpulse zoo self-signed' guest
cp "$work/self.pem" self-signed.pem
