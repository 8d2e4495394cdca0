package controlspec_test

import (
	"fmt"
	"strings"

	"github.com/el-tor/tops/controlspec"
)

func ExampleReplyReader() {
	conn := strings.NewReader("650 CIRC 7 BUILT\r\n250+circuit-status=\r\n7 BUILT\r\n.\r\n250 OK\r\n552 Unrecognized key \"x\"\r\n")
	r := controlspec.NewReplyReader(conn)
	for {
		reply, err := r.ReadReply()
		if err != nil {
			break
		}
		switch {
		case reply.Async():
			fmt.Println("event:", reply.Lines[0].Text)
		case reply.OK():
			fmt.Println("value:", reply.Values()["circuit-status"])
		default:
			fmt.Println("error:", reply.Err())
		}
	}
	// Output:
	// event: CIRC 7 BUILT
	// value: 7 BUILT
	// error: 552 Unrecognized key "x"
}

func ExampleRedact() {
	fmt.Println(controlspec.Redact("AUTHENTICATE 0123456789abcdef\r\n"))
	fmt.Println(controlspec.Redact("GETINFO version\r\n"))
	// Output:
	// AUTHENTICATE [redacted]
	// GETINFO version
}
