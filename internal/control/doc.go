// Package control answers what controllers ask in the words of TOPS: it stands
// behind package proxy and in front of the two roles. What the words mean is
// specified in controlspec/tops-control-spec.md.
package control
