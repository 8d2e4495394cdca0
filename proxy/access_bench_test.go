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
		fmt.Fprintf(&b, "      - 'md/id/[A-F0-9]{40}/%d|desc/.*'\n", i)
	}
	b.WriteString("      - 'vers.*|ns/id/[A-F0-9]{40}'\n")
	return b.String()
}

// BenchmarkAccess is what a profile of 100 rules costs: the rate with it over
// the rate without, measured in turns on one tor. Varied is where no command is
// said twice, so that none is remembered as allowed.
func BenchmarkAccess(b *testing.B) {
	version := func(int) string { return "GETINFO version\r\n" }
	varied := func(i int) string { return fmt.Sprintf("GETINFO ns/id/%040X\r\n", i) } // of which tor has nothing
	for _, bc := range []struct {
		name         string
		depth, times int
		say          func(int) string
	}{{"one-at-a-time", 1, 4000, version}, {"varied", 1, 4000, varied}, {"pipelined", 200, 400, version}} {
		b.Run(bc.name, func(b *testing.B) {
			tor := startTor(b)
			guarded := with(tor.unix, newEngine())
			guarded.Access = profiles(b, hundredRules())
			var cmds [][]byte
			for i := range bc.times {
				cmds = append(cmds, []byte(strings.Repeat(bc.say(i), bc.depth)))
			}
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
						for _, cmd := range cmds {
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
