package main

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// flightsFile is found from anywhere: scripts run in folders of their own.
var flightsFile, _ = filepath.Abs("../../examples/flights/data/flights.csv.gz")

// flights FILE FROM MONTH N [MONTH N]... writes rows of the flights of months,
// one each 50 ms from a time on, with the columns at, temp, dewp, pressure and
// air_time.
func flights(ts *testscript.TestScript, _ bool, args []string) {
	file := args[0]
	at, err := time.Parse(time.RFC3339, args[1])
	ts.Check(err)
	raw, err := os.ReadFile(flightsFile)
	ts.Check(err)
	z, err := gzip.NewReader(bytes.NewReader(raw))
	ts.Check(err)
	all, err := csv.NewReader(z).ReadAll()
	ts.Check(err)
	header := all[0]
	var columns []int
	for _, name := range []string{"temp", "dewp", "pressure", "air_time"} {
		columns = append(columns, slices.Index(header, name))
	}
	var b bytes.Buffer
	b.WriteString("at,temp,dewp,pressure,air_time\n")
	for args = args[2:]; len(args) > 0; args = args[2:] {
		n, err := strconv.Atoi(args[1])
		ts.Check(err)
		rows := slices.DeleteFunc(slices.Clone(all[1:]), func(r []string) bool { return r[0] != args[0] })
		for i := range n {
			r := rows[i*7919%len(rows)] // all days of the month, mixed
			fmt.Fprintf(&b, "%s,%s,%s,%s,%s\n", at.Format("2006-01-02 15:04:05.000"), r[columns[0]], r[columns[1]], r[columns[2]], r[columns[3]])
			at = at.Add(50 * time.Millisecond)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(file), b.Bytes(), 0o644))
}
