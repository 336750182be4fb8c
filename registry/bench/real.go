package main

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/leeway-dev/leeway/registry/dataset"
)

// loadFlights reads the flights of 2013: 8,000 a month. air is the time in the
// air, which the weather and so the season changes; reg and clf are the delay at
// arrival, of which inputs tell little.
func loadFlights(path, delays string) (*stream, error) {
	s := &stream{name: "flights", blocks: 12, shuffled: 1000, targets: []target{{"air", absolute}, {"reg", squared}, {"clf", logarithmic}}}
	for _, name := range []string{"sched_dep_min", "distance", "temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"} {
		s.columns = append(s.columns, column{name: name})
	}
	for _, name := range []string{"origin", "dest", "carrier"} {
		s.columns = append(s.columns, column{name: name, categories: []string{}})
	}
	var late []float64
	if err := dataset.EachRow(delays, nil, func(get func(string) string) error {
		x, err := strconv.ParseFloat(get("arr_delay"), 64)
		late = append(late, x)
		return err
	}); err != nil {
		return nil, err
	}
	code, read := newCoder(s), 0
	err := dataset.EachRow(path, nil, func(get func(string) string) error {
		month, err1 := strconv.Atoi(get("month"))
		day, err2 := strconv.Atoi(get("day"))
		minute, err3 := strconv.Atoi(get("sched_dep_min"))
		air, err4 := strconv.ParseFloat(get("air_time"), 64)
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || read == len(late) {
			return fmt.Errorf("row %d is not a flight of 2013 with its delay", read+1)
		}
		delay := late[read]
		if read++; get("temp") == "" {
			return nil // no weather is known: some hours, and New Year's Eve
		}
		r := row{block: month - 1, day: day - 1, at: time.Date(2013, time.Month(month), day, 0, minute, 0, 0, time.UTC)}
		for i, c := range s.columns {
			r.x = append(r.x, code.value(i, get(c.name)))
		}
		r.y = []float64{air, min(max(delay, -60), 180), 0}
		if delay > 15 {
			r.y[2] = 1
		}
		s.rows = append(s.rows, r)
		return nil
	})
	return s, err
}

// loadBikes reads the hourly rentals of two years. The square root is learned:
// its error is alike in good and bad hours.
func loadBikes(path string) (*stream, error) {
	s := &stream{name: "bikes", blocks: 24, shuffled: 240, targets: []target{{"rentals", absolute}}}
	for _, name := range []string{"hour", "temp", "felt", "humidity", "wind"} {
		s.columns = append(s.columns, column{name: name})
	}
	for _, name := range []string{"weekday", "workingday", "holiday", "weather"} {
		s.columns = append(s.columns, column{name: name, categories: []string{}})
	}
	code := newCoder(s)
	err := dataset.EachRow(path, nil, func(get func(string) string) error {
		at, err := time.Parse(time.DateOnly, get("date"))
		if err != nil {
			return err
		}
		rentals, err := strconv.ParseFloat(get("rentals"), 64)
		if err != nil {
			return err
		}
		r := row{block: (at.Year()-2011)*12 + int(at.Month()) - 1, day: at.Day() - 1, y: []float64{math.Sqrt(rentals)}}
		for i, c := range s.columns {
			r.x = append(r.x, code.value(i, get(c.name)))
		}
		r.at = at.Add(time.Duration(r.x[0]) * time.Hour)
		s.rows = append(s.rows, r)
		return nil
	})
	return s, err
}
