package proxy_test

import (
	"context"
	"log"

	"github.com/el-tor/tops/proxy"
)

// A proxy that changes nothing: any controller works behind it.
func ExampleServer() {
	ln, err := proxy.Listen("127.0.0.1:9951", proxy.ListenOptions{})
	if err != nil {
		log.Fatal(err)
	}
	srv := &proxy.Server{
		Dial:    proxy.Dialer("unix:/run/tor/control"),
		OnError: func(c proxy.Controller, err error) { log.Printf("%v: %v", c, err) },
	}
	if err := srv.Serve(context.Background(), ln); err != nil {
		log.Fatal(err)
	}
}
