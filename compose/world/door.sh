#!/bin/sh
# The ports that docker-compose.yml shows to its machine: the client's SOCKS port and
# page, and the relay's page.
set -eu
pass() { socat "TCP-LISTEN:$1,fork,reuseaddr" "TCP:$2" & }
pass 9150 user:9150
pass 9180 user:9180
pass 9181 exit:9180
wait
