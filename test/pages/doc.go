// Package pages holds the tests of the documentation: whoever follows a page gets
// what it says.
//
// Every line of a block that is fenced as sh is in one of the lists of
// steps_test.go, or the test fails. A step of the walk is typed, as it is on the
// page, on machines of a private Tor network (walk_test.go, of `make test-world`); what
// the machine itself would be changed by, or what is for mainnet, is tested in other
// words by the test that its list names. Configuration is read by who will read it, links lead
// somewhere, and the packages, files and names of docs/architecture.md are in the
// code as it says. That the real parser knows each tops command is tested in cmd/tops.
package pages
