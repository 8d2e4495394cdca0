// Package experience remembers how relays have served this client: rounds that
// were worth their price and rounds that were not, circuits that could not be
// built, how soon the first byte came and how fast the rest.
//
//	book, err := experience.Open(path, experience.Options{HalfLife: 3 * 24 * time.Hour, Now: time.Now})
//	go book.Run(ctx) // saves now and then, and at the end
//
//	book.GoodRound(exit)
//	weight := book.Judge()(exit) // 1 for a relay that nothing is known of
//
// Everything comes from traffic that somebody wanted: nothing is sent to find out.
//
// What was seen counts for half after a half-life, so a relay that was bad last
// week gets another chance, and one that was good has to stay so.
//
// The file tells which relays this client has paid, and about how much it used
// them. So it is the owner's alone (0600), of bounded size, and holds one moment
// for all of it: not when which relay was used. It is written every few minutes
// and at a clean end; losing it costs nothing but what was learnt.
package experience
