// Package regtest runs real Core Lightning nodes on a private chain of bitcoind's, for
// tests. Nothing else imports it.
//
//	if left := regtest.Missing(); left != "" {
//		fmt.Fprintln(os.Stderr, left) // in TestMain, once
//	}
//	…
//	net := regtest.Start(t, regtest.Options{})
//	payer, payee := cln.NewClient(net.Payer.RPC), cln.NewClient(net.Payee.RPC)
//
// The payer has a channel to the payee and money in it, and keeps its address to
// itself (fetchinvoice-noconnect), as one that pays relays should. Both listen on
// loopback alone, and so does bitcoind, which has no peers. It takes lightningd,
// lightning-cli's siblings included, bitcoind and bitcoin-cli on the PATH. Start takes
// some ten seconds.
//
// bitcoind needs no wallet: blocks are mined to addresses of the nodes. lightningd
// runs as a developer's, since it would otherwise look for blocks every 30 s.
package regtest
