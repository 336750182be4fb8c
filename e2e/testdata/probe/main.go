// Command probe is what the cluster's tests run in pods: a web server that says
// who it is and how often it was started on its volume.
package main

import (
	"fmt"
	"log"
	"net/http"
	"os"
	"strconv"
)

const file = "/data/starts"

func main() {
	b, _ := os.ReadFile(file) // absent at first
	starts, _ := strconv.Atoi(string(b))
	starts++
	if err := os.WriteFile(file, []byte(strconv.Itoa(starts)), 0o600); err != nil {
		log.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(http.ListenAndServe(":8080", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "%s uid %d starts %d", host, os.Getuid(), starts)
	})))
}
