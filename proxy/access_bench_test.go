package proxy_test

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/el-tor/tops/proxy"
)

// hundredRules is a profile of onion-grater's form in which what is asked is
// allowed by the last of 100 patterns.
func hundredRules() string {
	var b strings.Builder
	b.WriteString("- users: ['*']\n  exe-paths: ['*']\n  commands:\n    GETINFO:\n")
	for i := range 99 {
		fmt.Fprintf(&b, "      - 'ns/id/[A-F0-9]{40}/%d|desc/.*'\n", i)
	}
	b.WriteString("      - 'vers.*'\n")
	return b.String()
}

// BenchmarkAccess is what a profile of 100 rules costs: the rate with it over
// the rate without, measured in turns on one tor.
func BenchmarkAccess(b *testing.B) {
	for _, bc := range []struct {
		name         string
		depth, times int
	}{{"one-at-a-time", 1, 4000}, {"pipelined", 200, 400}} {
		b.Run(bc.name, func(b *testing.B) {
			tor := startTor(b)
			guarded := with(tor.unix, newEngine())
			guarded.Access = profiles(b, hundredRules())
			cmd := []byte(strings.Repeat("GETINFO version\r\n", bc.depth))
			type end struct {
				net.Conn
				r *bufio.Reader
			}
			var ends [2]end
			for i, srv := range []*proxy.Server{with(tor.unix, newEngine()), guarded} {
				c := dial(b, serve(b, srv))
				c.SetDeadline(time.Time{})
				c.ask("AUTHENTICATE", "250 OK\r\n")
				ends[i] = end{c.Conn, bufio.NewReaderSize(c.Conn, 1<<16)}
			}
			var best [2]float64
			for b.Loop() {
				for range 5 {
					for i, e := range ends {
						start := time.Now()
						for range bc.times {
							if _, err := e.Write(cmd); err != nil {
								b.Fatal(err)
							}
							for range 2 * bc.depth {
								if _, err := e.r.ReadSlice('\n'); err != nil {
									b.Fatal(err)
								}
							}
						}
						best[i] = max(best[i], float64(bc.depth*bc.times)/time.Since(start).Seconds())
					}
				}
			}
			b.ReportMetric(best[0], "none/s")
			b.ReportMetric(best[1], "profile/s")
			b.ReportMetric(best[1]/best[0], "profile:none")
		})
	}
}
