package web_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"libra/pkg/bus/bustest"
)

// BenchmarkBesideNginx is GET /api/pages/{id} of about 3.8 kB, beside the same bytes as
// a file of nginx and from a bare net/http handler: requests per second by wrk on the same
// cores, at 1, 32 and 512 connections. It takes the best of three rounds of each, in
// turns, because the machine does other things, too.
func BenchmarkBesideNginx(b *testing.B) {
	for _, program := range []string{"nginx", "wrk"} {
		if _, err := exec.LookPath(program); err != nil {
			b.Skip(program + " is not installed: scripts/setup wrk")
		}
	}
	_, libra := serveAt(b)
	libra += "/api/pages/" + request(200).Page
	resp, err := http.Get(libra)
	if err != nil {
		b.Fatal(err)
	}
	resp.Body.Close()
	bustest.Await(b, "the page", func() bool { return len(fetched(b, libra)) > 3000 })
	body := fetched(b, libra)
	servers := []struct{ name, url string }{{"nginx", nginxWith(b, body)}, {"bare", bareWith(b, body)}, {"libra", libra}}
	for _, conns := range []int{1, 32, 512} {
		b.Run(fmt.Sprint(conns), func(b *testing.B) {
			best := map[string]float64{}
			for b.Loop() {
				for range 3 {
					for _, s := range servers {
						best[s.name] = max(best[s.name], perSecond(b, s.url, conns))
					}
				}
			}
			b.ReportMetric(0, "ns/op")
			for _, s := range servers {
				b.ReportMetric(best[s.name], s.name+"/s")
			}
			b.ReportMetric(100*best["libra"]/best["nginx"], "%-of-nginx")
			b.ReportMetric(100*best["bare"]/best["nginx"], "%-bare-of-nginx")
		})
	}
	b.Logf("%d bytes", len(body))
}

func fetched(b *testing.B, url string) []byte {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), "GET", url, nil)
	if err != nil {
		b.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	var text strings.Builder
	if err := resp.Write(&text); err != nil {
		b.Fatal(err)
	}
	_, data, _ := strings.Cut(text.String(), "\r\n\r\n")
	return []byte(data)
}

// nginxWith serves a file with an nginx of its own.
func nginxWith(b *testing.B, body []byte) (url string) {
	b.Helper()
	dir := b.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	conf := fmt.Sprintf(`daemon off; pid %[1]s/pid; error_log stderr crit; worker_processes auto;
events { worker_connections 2048; }
http {
	access_log off; keepalive_requests 1000000000; sendfile on; tcp_nopush on; open_file_cache max=10;
	client_body_temp_path %[1]s/t1; proxy_temp_path %[1]s/t2; fastcgi_temp_path %[1]s/t3; uwsgi_temp_path %[1]s/t4; scgi_temp_path %[1]s/t5;
	types { application/json json; }
	server { listen %[2]s backlog=1024; root %[1]s; }
}
`, dir, addr)
	for name, data := range map[string]string{"nginx.conf": conf, "page.json": string(body)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command("nginx", "-c", filepath.Join(dir, "nginx.conf"), "-g", "user root;")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	url = "http://" + addr + "/page.json"
	bustest.Await(b, "nginx", func() bool {
		resp, err := http.Get(url)
		if err == nil {
			resp.Body.Close()
		}
		return err == nil && resp.StatusCode == http.StatusOK
	})
	return url
}

// bareWith serves bytes with nothing but net/http.
func bareWith(b *testing.B, body []byte) (url string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", jsonType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Write(body)
	})}
	go srv.Serve(l)
	b.Cleanup(func() { srv.Close() })
	return "http://" + l.Addr().String() + "/"
}

var ratePattern = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// perSecond is how many requests per second wrk gets answered.
func perSecond(b *testing.B, url string, conns int) float64 {
	b.Helper()
	out, err := exec.Command("wrk", "-t", strconv.Itoa(min(2, conns)), "-c", strconv.Itoa(conns), "-d", "2s", url).CombinedOutput()
	found := ratePattern.FindSubmatch(out)
	if err != nil || found == nil || strings.Contains(string(out), "Non-2xx") {
		b.Fatalf("wrk: %v\n%s", err, out)
	}
	rate, _ := strconv.ParseFloat(string(found[1]), 64)
	return rate
}
