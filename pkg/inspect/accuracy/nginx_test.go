//go:build accuracy

package accuracy_test

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nginx serves folders on loopback, each at the root of its own port,
// and returns their base URLs in order, and its process.
func nginx(t testing.TB, roots ...string) (bases []string, process int) {
	t.Helper()
	path, err := exec.LookPath("nginx")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/nginx"); err != nil {
			t.Skip("nginx is not installed: apt-get install nginx-light")
		}
	}
	dir := t.TempDir()
	// nginx drops its workers' privileges: they must reach the folder.
	for d := dir; d != os.TempDir() && len(d) > 1; d = filepath.Dir(d) {
		_ = os.Chmod(d, 0o755)
	}
	var servers strings.Builder
	for _, root := range roots {
		port := freePort(t)
		abs, err := filepath.Abs(root)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&servers, "server { listen 127.0.0.1:%d; root %s; index index.html index.html.en; etag on; location /usr/share/ { root /; } location ~ /nosniff { add_header X-Content-Type-Options nosniff; } location ~ bin$ { default_type \"\"; } }\n", port, abs)
		bases = append(bases, fmt.Sprintf("http://127.0.0.1:%d", port))
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, []byte(strings.NewReplacer("DIR", dir, "SERVERS", servers.String(), "USER", nginxUser()).Replace(nginxConf)), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-c", conf, "-p", dir, "-e", filepath.Join(dir, "error.log"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start nginx: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	for _, base := range bases {
		await(t, base)
	}
	return bases, cmd.Process.Pid
}

func nginxUser() string {
	if os.Getuid() == 0 {
		return "user root;"
	}
	return ""
}

const nginxConf = `
daemon off;
USER
worker_processes 1;
pid DIR/nginx.pid;
error_log DIR/error.log;
events { worker_connections 512; }
http {
	access_log off;
	keepalive_timeout 65;
	gzip on;
	gzip_types text/css text/javascript application/json image/svg+xml;
	default_type application/octet-stream;
	types {
		text/html html htm html.en;
		text/css css;
		text/javascript js mjs;
		application/json json;
		text/plain txt;
		text/csv csv;
		text/vtt vtt;
		image/png png;
		image/gif gif;
		image/jpeg jpg jpeg;
		image/webp webp;
		image/svg+xml svg;
		image/x-icon ico;
		font/woff woff;
		font/woff2 woff2;
		font/ttf ttf;
		application/vnd.ms-fontobject eot;
		audio/wav wav;
		application/xml xml;
	}
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	SERVERS
}
`

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// await returns when base answers.
func await(t testing.TB, base string) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for ; time.Now().Before(deadline); <-tick.C {
		resp, err := http.Get(base + "/")
		if err == nil {
			resp.Body.Close()
			return
		}
	}
	t.Fatalf("nginx at %s does not answer", base)
}
