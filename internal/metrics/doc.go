// Package metrics is the figures of a running tops for Prometheus.
//
//	h := metrics.Handler(source) // for /metrics
//
// Amounts are msat and say so in their names. No label names a payer, a pay stream,
// a circuit, a controller or a destination: reasons, roles and windows of a budget
// are all there is. What is counted in the books goes on over a restart; the rest
// begins again with the process, as counters do.
package metrics
