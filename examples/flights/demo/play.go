package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/leeway-dev/leeway/examples/flights/replay"
)

const rate = 400 // one-row requests a second

// play starts the traffic and plays the scenarios in order. A later one needs
// the state that an earlier one left, so the first that fails ends the play.
func (d *demo) play(ctx context.Context) error {
	ip, err := d.serviceIP(ctx, namespace, "flights")
	if err != nil {
		return err
	}
	a := &api{demo: d}
	d.replay = replay.New(replay.Config{
		URL: "http://" + ip + "/v2/models/flights/infer", Rate: rate, Workers: 8, ConnectionFor: time.Second,
		Timeout: 5 * time.Second, LabelDelay: 2 * time.Second, Feedback: a.feedback, Rows: rowsInto(d.store),
	})
	d.memory = &memory{peak: map[string]int64{}}
	background, stop := context.WithCancel(ctx)
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer stop()
	helpers.Go(func() { d.replay.Run(background) })
	helpers.Go(func() { d.memory.watch(background) })
	helpers.Go(func() { d.follow(background) })

	failed := false
	for _, s := range []struct {
		name, title string
		play        func(context.Context, *scene, *api) error
	}{
		{"healthy", "Winter: the winter version serves winter traffic", d.healthy},
		{"new regime", "Summer comes: nothing in the registry fits", d.newRegime},
		{"season returns", "December comes: somebody knows this weather", d.seasonReturns},
		{"bad release", "A release answers 20 % errors", d.badRelease},
		{"broken input", "A column goes missing upstream", d.brokenInput},
		{"silence", "No traffic; then no agents", d.silence},
		{"leader killed", "The leader dies in the middle of a rollback", d.leaderKilled},
	} {
		fmt.Println()
		d.say("%s", s.title)
		if !d.playOne(ctx, s.name, s.play, a) {
			failed = true
			break
		}
	}
	d.report.Memory, d.report.Seconds = d.memory.peak, time.Since(d.started).Seconds()
	d.report.table()
	if err := d.report.write(d.out); err != nil {
		return err
	}
	if failed || len(d.report.Scenarios) < 7 {
		return errFailed
	}
	return ctx.Err()
}

// playOne plays a scenario and puts it into the report.
func (d *demo) playOne(ctx context.Context, name string, play func(context.Context, *scene, *api) error, a *api) bool {
	s := &scene{demo: d, from: time.Now(), scenario: scenario{Name: name}}
	s.VersionBefore, _, _ = d.serving(ctx)
	err := play(ctx, s, a)
	s.VersionAfter, _, _ = d.serving(ctx)
	score := d.replay.Score(s.from, time.Now(), "")
	s.Requests, s.RequestsFailed = score.Requests, score.Lost
	if score.Lost > 0 {
		err = errors.Join(err, fmt.Errorf("%d of %d requests were lost: %q", score.Lost, score.Requests, score.LostDetails))
	}
	if s.fewest != 0 && s.fewest < 1000 {
		err = errors.Join(err, fmt.Errorf("an error figure rests on only %d labels", s.fewest))
	}
	s.Labels, s.Passed = s.fewest, err == nil
	if err != nil {
		s.Detail = err.Error()
		d.say("FAILED: %v", err)
	} else {
		d.say("ok: %s", s.Detail)
	}
	d.report.Scenarios = append(d.report.Scenarios, s.scenario)
	return err == nil
}

// scene is a scenario while it is played.
type scene struct {
	*demo
	scenario
	from   time.Time
	fewest int // labels behind an error figure
}

// measure is the error of a version's answers in a span, from its labels.
func (s *scene) measure(from, to time.Time, version string) *float64 {
	score := s.replay.Score(from, to, version)
	if s.fewest == 0 || score.Labels < s.fewest {
		s.fewest = max(score.Labels, 1)
	}
	return &score.MAE
}
