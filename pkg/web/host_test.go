package web_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"libra/pkg/web"
)

// A page of another site that points a name of its own at this address is refused,
// whatever the name looks like.
func TestHostileHosts(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{BaseURL: "http://Libra.example.org:8443/", Hosts: []string{"127.0.0.1:8080", "here"}}).ready()
	for host, want := range map[string]int{
		"localhost":                    200,
		"LOCALHOST:8080":               200,
		"localhost.":                   200,
		"localhost:":                   200,
		"127.0.0.1":                    200,
		"127.0.0.1:8383":               200,
		"192.0.2.7:65535":              200,
		"[::1]":                        200,
		"[2001:db8::1]:8080":           200,
		"libra.example.org":            200,
		"libra.example.org.:8443":      200,
		"libra.example.org:80":         200,
		"here:8080":                    200,
		"127.0.0.1:8383.evil.example":  421,
		"127.0.0.1:.evil.example":      421,
		"127.0.0.1:evil.example":       421,
		"127.0.0.1:65536":              421,
		"127.0.0.1:80:80":              421,
		"127.0.0.1:-1":                 421,
		"127.0.0.1:+80":                421,
		"127.0.0.1.evil.example":       421,
		"127.0.0.1.evil.example:80":    421,
		"localhost:80.evil.example":    421,
		"localhost:80@evil.example":    421,
		"evil.example:80@localhost":    421,
		"evil.example@localhost":       421,
		"localhost.evil.example":       421,
		"localhost..":                  421,
		"[::1].evil.example":           421,
		"[::1]:80.evil.example":        421,
		"[::1]evil.example":            421,
		"[::1%25evil.example]":         421,
		"[fe80::1%evil.example]:80":    421,
		"[localhost]":                  421,
		"[127.0.0.1]":                  421,
		"[::1":                         421,
		"::1]":                         421,
		"libra.example.org.evil":       421,
		"evil-libra.example.org":       421,
		"libra.example.org:80.evil.ex": 421,
		"here.evil.example":            421,
	} {
		conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://")) // http.Client changes hosts
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET /up HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("Host: %s: %v", host, err)
		}
		body, _ := io.ReadAll(resp.Body)
		conn.Close()
		if resp.StatusCode != want && !(want == 421 && resp.StatusCode == http.StatusBadRequest) { // net/http refuses some
			t.Errorf("Host: %s = %d, want %d: %s", host, resp.StatusCode, want, body)
		}
	}
}
