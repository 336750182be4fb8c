package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/leeway-dev/leeway/registry/profile"
)

// columns of a request and of the profile.
const columns = 20

// request is a V2 inference request of rows of random numbers with three to six digits.
func request(rows int) []byte {
	r := rand.New(rand.NewPCG(1, uint64(rows)))
	var b strings.Builder
	fmt.Fprintf(&b, `{"inputs":[{"name":"x","shape":[%d,%d],"datatype":"FP64","data":[`, rows, columns)
	for i := range rows * columns {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.FormatFloat(float64(r.IntN(1000))+float64(r.IntN(100)*(i%2))/1000, 'g', -1, 64))
	}
	b.WriteString(`]}]}`)
	return fmt.Appendf(nil, "POST /v2/models/m/infer HTTP/1.1\r\nHost: m\r\nContent-Type: application/json\r\n"+
		"Content-Length: %d\r\n\r\n%s", b.Len(), b.String())
}

// trained is a profile of such rows.
func trained() ([]byte, error) {
	var csv strings.Builder
	for i := range columns {
		fmt.Fprintf(&csv, "f%d,", i)
	}
	csv.WriteString("y\n")
	for i := range 1000 {
		for range columns {
			fmt.Fprintf(&csv, "%.2f,", rand.Float64()*1000)
		}
		fmt.Fprintln(&csv, i%50)
	}
	p, _, err := profile.FromCSV("train.csv", strings.NewReader(csv.String()), profile.CSVOptions{Predictions: []string{"y"}})
	if err != nil {
		return nil, err
	}
	return p.Encode()
}
