// Package policies holds the rules of the house that need no network, no clock
// and no disk: what a relay asks ([Terms]), what that costs round by round
// ([Schedule]), what a payer is willing to give ([Payment]) and how much of it
// is left ([Budget]).
//
// # Terms
//
// Terms are one line of words, published in a relay's ContactInfo and by its
// gateway. In their canonical form every word is present and in a fixed order,
// because both ends hash the line: the hash is part of every round's id, so two
// ends that disagree about a price cannot credit a payment by mistake.
//
//	terms, err := policies.ParseTerms(line)            // the canonical line, nothing else
//	terms, err := policies.ParseContact(contact, fp)   // words among an operator's own text
//	line := terms.String()                             // canonical again
//	hash := terms.Hash()
//
// # Schedule
//
// The stream of payments with the default terms: the first round is free, the
// next eight cost one sat each, the last one two.
//
//	s := terms.Schedule()
//	s.PriceMsat(1)    // 0
//	s.PriceMsat(10)   // 2000
//	s.TotalMsat()     // 10000
//
// # Policy and budget
//
// A [Payment] policy refuses terms that cost too much; a [Budget] counts what
// was spent and what is held, by hour, day, controller and circuit, and refuses
// a payment that would go beyond any of them. Amounts are millisatoshi (msat)
// throughout and have the unit in their names; durations are time.Duration.
package policies
