// Package figures is what a running tops knows of itself at one moment: what a
// person looks at on the status page, and what Prometheus asks for. Package app
// fills it in; packages web and metrics show it.
//
// Nothing here names a payer but by the handle of a pay stream, and no destination
// at all. Amounts are msat, times are UTC.
package figures
