// Package plugin is tops as a plugin of Core Lightning: lightningd starts the
// program, sets LIGHTNINGD_PLUGIN in its environment, and speaks JSON-RPC over its
// standard input and output.
//
//	lightning-cli plugin start /usr/bin/tops            # or plugin=/usr/bin/tops in its configuration
//	lightning-cli plugin -k subcommand=start plugin=/usr/bin/tops tops-role=relay tops-rate-msat=2000
//	lightning-cli tops-status
//	lightning-cli plugin stop tops
//
// Every key of tops.toml has a twin among lightningd's options (options.go): the
// key's name with dashes behind "tops-", with its table's name before it where that
// says more, as in tops-tor-control. An option wins over the file that tops-config
// names. The node is always the one that started us, over the socket that its init
// call names, so lightning.rpc has no twin. The configuration that results lies in
// tops.toml in the data directory, for `tops status --config` and its kind.
//
// # What glightning does here, and what not
//
// The framing, the calls, the reading of parameters and the options are those of
// github.com/elementsproject/glightning. Three things stand in its way, and are
// done here with methods of our own that it serves:
//
//   - its manifest cannot subscribe to "shutdown", without which lightningd gives a
//     plugin no time to end, and lists options and methods in random order;
//   - its init cannot refuse: a configuration that is wrong must disable the plugin
//     and say why;
//   - what does not fit a parameter's type it prints to standard output, which is
//     the protocol's alone. So os.Stdout is standard error here before it starts,
//     and all parameters are taken raw.
//
// It starts a goroutine for each message, so their order is lost: an
// invoice_payment is no more than a hint to look at the node now. Its RPC client is
// not used at all: package cln calls the node.
package plugin
