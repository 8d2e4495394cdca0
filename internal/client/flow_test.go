package client

import (
	"net"
	"testing"

	"github.com/el-tor/tops/internal/socks"
)

func TestRepeatable(t *testing.T) {
	for sent, want := range map[string]bool{
		"": true, "\x16\x03\x01\x02\x00": true, "GET / HTTP/1.1\r\n": true, "HEAD / HTTP/1.1\r\n": true,
		"POST /order HTTP/1.1\r\n": false, "DELETE /x HTTP/1.1\r\n": false, "\x16": false, "EHLO me\r\n": false, "GETX": false,
	} {
		if got := repeatable([]byte(sent)); got != want {
			t.Errorf("%q: %v, want %v", sent, got, want)
		}
	}
}

func TestIsolation(t *testing.T) {
	at := func(host string) net.Addr { return &net.TCPAddr{IP: net.ParseIP(host), Port: 40000} }
	base := socks.Request{User: "u", Password: "p", Auth: true, From: at("127.0.0.1")}
	other := base
	other.From = &net.TCPAddr{IP: net.ParseIP("127.0.0.1"), Port: 40001}
	other.Port, other.Name = 443, "elsewhere.example"
	if isolationOf(base) != isolationOf(other) {
		t.Error("another port of the app, or another target, needs a circuit of its own")
	}
	for name, r := range map[string]socks.Request{
		"user":     {User: "v", Password: "p", Auth: true, From: base.From},
		"password": {User: "u", Password: "q", Auth: true, From: base.From},
		"address":  {User: "u", Password: "p", Auth: true, From: at("127.0.0.2")},
		"none":     {From: base.From},
		"empty":    {Auth: true, From: base.From},
	} {
		if isolationOf(r) == isolationOf(base) {
			t.Errorf("another %s shares the circuit", name)
		}
	}
}
