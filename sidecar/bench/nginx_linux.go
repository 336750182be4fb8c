package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The buffer holds the largest request: on disk it would be no match.
const nginxConf = `daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 2048; }
http {
  access_log off; client_body_buffer_size 1m; keepalive_requests 1000000000;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s;
  fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  upstream up { server %[2]s; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen %[3]s;
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
  %[4]s
}
`

// Kept connections have one protocol, so there is a pool for each.
const nginxGRPC = `upstream framed { server %s; keepalive 512; keepalive_requests 1000000000; }
  server { listen %s http2; location / { grpc_pass grpc://framed; } }`

// nginx starts nginx, for gRPC too where it has the modules.
func nginx(upstream string, undo *stops) (target, error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return target{}, errors.New("not installed")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return target{}, err
	}
	undo.add(func() { os.RemoveAll(dir) })
	plain, err := unused()
	if err != nil {
		return target{}, err
	}
	framed, err := unused()
	if err != nil {
		return target{}, err
	}
	addr := map[wire]string{http1: plain, grpc: framed}
	conf := filepath.Join(dir, "nginx.conf")
	write := func(more string) error {
		return os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, upstream, plain, more), 0o600)
	}
	if err := write(fmt.Sprintf(nginxGRPC, upstream, framed)); err != nil {
		return target{}, err
	}
	if out, err := exec.Command(path, "-t", "-q", "-p", dir, "-c", conf).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: nginx takes no part in gRPC: %s\n", out)
		delete(addr, grpc)
		if err := write(""); err != nil {
			return target{}, err
		}
	}
	p, err := begin(exec.Command(path, "-p", dir, "-c", conf))
	if err != nil {
		return target{}, err
	}
	undo.add(p.terminate)
	return target{name: nginxName, addr: addr, pid: p.pid()}, listens(plain)
}

// unused is an address that nobody listens on.
func unused() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// listens waits until somebody listens on addr.
func listens(addr string) error {
	for range 250 {
		if c, err := net.Dial("tcp", addr); err == nil {
			return c.Close()
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Errorf("nobody listens on %s", addr)
}
