#!/bin/sh
# Gives the payer's node money and a channel to the payee's, then mines a block now
# and then, so that both go on believing that they are in step with the chain.
set -eu
bitcoin() { bitcoin-cli -regtest -datadir=/bitcoin -rpcconnect=bitcoind "$@"; }
payer() { lightning-cli --network=regtest --lightning-dir=/payer "$@"; }
payee() { lightning-cli --network=regtest --lightning-dir=/payee "$@"; }
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",]*\).*/\1/p" | head -n 1; }
mine() { bitcoin generatetoaddress "$1" "$address" >/dev/null; }

rm -f /tmp/open
bitcoin -named createwallet wallet_name=world load_on_startup=true >/dev/null 2>&1 || true # there from before
address=$(bitcoin getnewaddress)
if ! payer listpeerchannels | grep -q CHANNELD_NORMAL; then
	mine 101
	bitcoin sendtoaddress "$(payer newaddr | field bech32)" 1 >/dev/null
	mine 1
	until payer listfunds | grep -q '"status": "confirmed"'; do sleep 1; done
	id=$(payee getinfo | field id)
	payer connect "$id" payee-node 9735 >/dev/null
	payer fundchannel "$id" 10000000 >/dev/null
	mine 6
	until payer listpeerchannels | grep -q CHANNELD_NORMAL; do sleep 1; done
fi
touch /tmp/open
echo "the channel is open"
while sleep 60; do mine 1; done
