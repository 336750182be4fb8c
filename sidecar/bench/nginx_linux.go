package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const nginxConf = `daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 2048; }
http {
  access_log off; client_body_buffer_size 128k; keepalive_requests 1000000000;
  client_body_temp_path %[1]s; proxy_temp_path %[1]s;
  fastcgi_temp_path %[1]s; uwsgi_temp_path %[1]s; scgi_temp_path %[1]s;
  upstream up { server %[2]s; keepalive 512; keepalive_requests 1000000000; }
  server {
    listen %[3]s;
    location / { proxy_pass http://up; proxy_http_version 1.1; proxy_set_header Connection ""; }
  }
}
`

func nginx(upstream string) (t target, stop func(), err error) {
	path, err := exec.LookPath("nginx")
	if err != nil {
		return t, nil, errors.New("not installed")
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return t, nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return t, nil, err
	}
	addr := l.Addr().String()
	l.Close()
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, upstream, addr), 0o644); err != nil {
		return t, nil, err
	}
	cmd := exec.Command(path, "-p", dir, "-c", conf)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	if err := cmd.Start(); err != nil {
		return t, nil, err
	}
	stop = func() { cmd.Process.Signal(syscall.SIGTERM); cmd.Wait(); os.RemoveAll(dir) }
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return target{name: "nginx", addr: addr, pid: cmd.Process.Pid}, stop, nil
		}
		time.Sleep(20 * time.Millisecond)
	}
	stop()
	return t, nil, errors.New("does not start")
}
