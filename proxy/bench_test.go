package proxy_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/el-tor/tops/proxy"
)

// The ways to tor that are compared, in one run, on the same tor.
type route struct{ name, network, addr string }

func routes(b *testing.B, upstream string) []route {
	b.Helper()
	tops := serve(b, with(upstream, newEngine()))
	tcp, err := proxy.Listen("127.0.0.1:0", proxy.ListenOptions{})
	if err != nil {
		b.Fatal(err)
	}
	serveOn(b, with(upstream, newEngine()), tcp)
	rs := []route{{"direct", "unix", upstream}, {"tops-unix", "unix", tops}, {"tops-tcp", "tcp", tcp.Addr().String()}}
	if _, err := exec.LookPath("socat"); err != nil {
		b.Log("without socat there is nothing to compare with")
		return rs
	}
	path := filepath.Join(b.TempDir(), "socat")
	socat(b, "UNIX-LISTEN:"+path+",fork", upstream)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	port := free.Addr().(*net.TCPAddr).Port
	free.Close()
	socat(b, fmt.Sprintf("TCP-LISTEN:%d,bind=127.0.0.1,reuseaddr,fork,nodelay", port), upstream)
	return append(rs, route{"socat-unix", "unix", path}, route{"socat-tcp", "tcp", fmt.Sprintf("127.0.0.1:%d", port)})
}

func socat(b *testing.B, listen, upstream string) {
	b.Helper()
	cmd := exec.Command("socat", listen, "UNIX-CONNECT:"+upstream)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); cmd.Wait() })
}

func (r route) dial(b *testing.B) (net.Conn, *bufio.Reader) {
	b.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial(r.network, r.addr)
		if err != nil {
			if time.Now().After(deadline) {
				b.Fatal(err)
			}
			continue
		}
		b.Cleanup(func() { conn.Close() })
		return conn, bufio.NewReaderSize(conn, 1<<16)
	}
}

// ratios measures what run does a second on each route, in turns so that a
// busy moment of the machine hits all, and reports it over that of base.
func ratios(b *testing.B, rs []route, rounds int, run func(r route) float64) {
	rate := make(map[string]float64)
	for b.Loop() {
		for range rounds {
			for _, r := range rs {
				rate[r.name] = max(rate[r.name], run(r))
			}
		}
	}
	for _, r := range rs {
		b.ReportMetric(rate[r.name], r.name+"/s")
	}
	for _, n := range []string{"unix", "tcp"} {
		b.ReportMetric(rate["tops-"+n]/rate["direct"], "tops-"+n+":direct")
		if s := rate["socat-"+n]; s > 0 {
			b.ReportMetric(rate["tops-"+n]/s, "tops-"+n+":socat")
		}
	}
}

// BenchmarkOneAtATime asks GETINFO version and waits for each answer.
func BenchmarkOneAtATime(b *testing.B) {
	benchPipelined(b, 1, 4000)
}

// BenchmarkPipelined asks 200 times in one write.
func BenchmarkPipelined(b *testing.B) {
	benchPipelined(b, 200, 400)
}

func benchPipelined(b *testing.B, depth, times int) {
	rs := routes(b, startTor(b).unix)
	cmd := []byte(strings.Repeat("GETINFO version\r\n", depth))
	type end struct {
		net.Conn
		r *bufio.Reader
	}
	ends := make(map[string]end)
	for _, r := range rs {
		conn, br := r.dial(b)
		conn.Write([]byte("AUTHENTICATE\r\n"))
		if line, err := br.ReadString('\n'); line != "250 OK\r\n" {
			b.Fatalf("%s: %q %v", r.name, line, err)
		}
		ends[r.name] = end{conn, br}
	}
	ratios(b, rs, 3, func(r route) float64 {
		e := ends[r.name]
		start := time.Now()
		for range times {
			if _, err := e.Write(cmd); err != nil {
				b.Fatal(err)
			}
			for range 2 * depth {
				if _, err := e.r.ReadSlice('\n'); err != nil {
					b.Fatal(err)
				}
			}
		}
		return float64(depth*times) / time.Since(start).Seconds()
	})
}

// BenchmarkLargeReply reads replies of 10 MB from a server that has them ready.
func BenchmarkLargeReply(b *testing.B) {
	const size = 10 << 20
	line := "data line of a long reply, as of GETINFO ns/all or desc/all-recent\r\n"
	reply := []byte("250+x=\r\n" + strings.Repeat(line, size/len(line)) + ".\r\n250 OK\r\n")
	path := filepath.Join(b.TempDir(), "tor")
	ln, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				r := bufio.NewReader(conn)
				for {
					if _, err := r.ReadSlice('\n'); err != nil {
						return
					}
					if _, err := conn.Write(reply); err != nil {
						return
					}
				}
			}()
		}
	}()
	rs := routes(b, path)
	buf := make([]byte, 1<<16)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ratios(b, rs, 5, func(r route) float64 {
		conn, br := r.dial(b)
		defer conn.Close()
		start := time.Now()
		fmt.Fprint(conn, "GETINFO x\r\n")
		for n := 0; n < len(reply); {
			k, err := br.Read(buf)
			if n += k; err != nil {
				b.Fatal(err)
			}
		}
		return 1 / time.Since(start).Seconds()
	})
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapSys-min(before.HeapSys, after.HeapSys))/1024, "KiB-grown")
}

// BenchmarkIdle is what 1,000 authenticated controllers cost that say nothing.
func BenchmarkIdle(b *testing.B) {
	const count = 1000
	tor := startFakeTor(b, ok)
	path := serve(b, with(tor.addr, newEngine()))
	var before, after runtime.MemStats
	for b.Loop() {
		runtime.GC()
		runtime.ReadMemStats(&before)
		var conns []net.Conn
		for range count {
			conn, err := net.Dial("unix", path)
			if err != nil {
				b.Fatal(err)
			}
			conns = append(conns, conn)
			conn.Write([]byte("AUTHENTICATE\r\n"))
			if _, err := io.ReadFull(conn, make([]byte, 8)); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		for _, c := range conns {
			c.Close()
		}
	}
	grown := func(f func(*runtime.MemStats) uint64) float64 { return float64(f(&after)-f(&before)) / count / 1024 }
	b.ReportMetric(grown(func(m *runtime.MemStats) uint64 { return m.HeapAlloc + m.StackInuse }), "KiB/controller")
}

// BenchmarkEvents has tor emit 100,000 events to 10 controllers.
func BenchmarkEvents(b *testing.B) {
	const events, controllers = 100_000, 10
	line := []byte("650 STREAM 43 SENTCONNECT 7 198.18.0.20:8080 REASON=NONE\r\n")
	tor := startFakeTor(b, ok)
	path := serve(b, with(tor.addr, newEngine()))
	var conns []*controller
	for range controllers {
		c := dial(b, path)
		c.ask("AUTHENTICATE", "250 OK\r\n")
		conns = append(conns, c)
	}
	chunk := string(bytes.Repeat(line, 100))
	var lost int
	for b.Loop() {
		got := make(chan int)
		for _, c := range conns {
			c.SetDeadline(time.Now().Add(5 * patience))
			go func() {
				n := 0
				for ; n < events; n++ {
					if l, err := c.r.ReadSlice('\n'); err != nil || !bytes.Equal(l, line) {
						break
					}
				}
				got <- n
			}()
		}
		for range events / 100 {
			tor.say(b, chunk)
		}
		for range conns {
			lost += events - <-got
		}
	}
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(float64(events*controllers*b.N)/b.Elapsed().Seconds(), "events/s")
}
