package main

import (
	"math"

	"github.com/leeway-dev/leeway/registry/profile"
)

// tests are the rule as shipped, other statistics, each with the threshold that
// 95 % of the version's own blocks are within, and the bound.
func (c *contest) tests() ([]test, error) {
	list := []test{{"the tolerance as shipped: mean, and every column", func(rows []int) (float64, error) {
		d, err := columns(c.profile, c.count(rows))
		x := mean(d)/c.tolerance.Mean - 1
		for i := range d {
			x = max(x, d[i]/c.tolerance.Column(i)-1)
		}
		return x, err
	}}}
	for _, one := range []struct {
		name string
		of   func([]float64) float64
	}{
		{"mean of the columns' distances", mean},
		{"root of the mean square", func(d []float64) float64 {
			sum := 0.0
			for _, x := range d {
				sum += x * x
			}
			return math.Sqrt(sum / float64(len(d)))
		}},
		{"largest, over the column's own 95 %", c.largest()},
		{"Mahalanobis, of what is above the mean", c.mahalanobis()},
	} {
		var own []float64
		for _, b := range c.blocks {
			own = append(own, one.of(b.apart))
		}
		limit := share(own, 0.95)
		list = append(list, test{one.name, func(rows []int) (float64, error) {
			d, err := columns(c.profile, c.count(rows))
			return one.of(d)/limit - 1, err
		}})
	}
	nearest, err := c.nearest()
	return append(list, nearest, c.knowing()), err
}

func mean(d []float64) (sum float64) {
	for _, x := range d {
		sum += x / float64(len(d))
	}
	return sum
}

func (c *contest) largest() func([]float64) float64 {
	limits := make([]float64, len(c.binners))
	for i := range limits {
		var own []float64
		for _, b := range c.blocks {
			own = append(own, b.apart[i])
		}
		limits[i] = max(share(own, 0.95), profile.MinColumnTolerance)
	}
	return func(d []float64) (x float64) {
		for i := range d {
			x = max(x, d[i]/limits[i])
		}
		return x
	}
}

// mahalanobis weighs how far the columns are above their means by the covariance
// of the blocks', half of it drawn to its diagonal.
func (c *contest) mahalanobis() func([]float64) float64 {
	n := len(c.binners)
	means, cov := make([]float64, n), make([][]float64, n)
	for _, b := range c.blocks {
		for i, x := range b.apart {
			means[i] += x / float64(len(c.blocks))
		}
	}
	for i := range cov {
		cov[i] = make([]float64, n)
		for j := range cov[i] {
			for _, b := range c.blocks {
				cov[i][j] += (b.apart[i] - means[i]) * (b.apart[j] - means[j]) / float64(len(c.blocks))
			}
			if i != j {
				cov[i][j] /= 2
			}
		}
		cov[i][i] += 0.02 * 0.02 // a column that never moved
	}
	root := cholesky(cov)
	return func(d []float64) float64 {
		y, sum := make([]float64, n), 0.0
		for i := range y {
			y[i] = max(d[i]-means[i], 0)
			for j := range i {
				y[i] -= root[i][j] * y[j]
			}
			y[i] /= root[i][i]
			sum += y[i] * y[i]
		}
		return math.Sqrt(sum)
	}
}

// cholesky is the lower root of a positive definite matrix.
func cholesky(a [][]float64) [][]float64 {
	l := make([][]float64, len(a))
	for i := range l {
		l[i] = make([]float64, len(a))
		for j := range i + 1 {
			x := a[i][j]
			for k := range j {
				x -= l[i][k] * l[j][k]
			}
			if l[i][j] = x / l[j][j]; i == j {
				l[i][i] = math.Sqrt(x)
			}
		}
	}
	return l
}

// nearest is the distance from the nearest block of the training rows: a window
// of the version's regime need not be like all of them. A block's own nearest is
// one that shares no day with it.
func (c *contest) nearest() (test, error) {
	var own []float64
	for _, a := range c.blocks {
		least := math.Inf(1)
		for _, b := range c.blocks {
			if a.from < b.to && b.from < a.to {
				continue
			}
			d, err := columns(a.rows, b.rows)
			if err != nil {
				return test{}, err
			}
			least = min(least, mean(d))
		}
		if !math.IsInf(least, 1) {
			own = append(own, least)
		}
	}
	limit := share(own, 0.95)
	return test{"mean, from the nearest block", func(rows []int) (float64, error) {
		window, least := c.count(rows), math.Inf(1)
		for _, b := range c.blocks {
			d, err := columns(b.rows, window)
			if err != nil {
				return 0, err
			}
			least = min(least, mean(d))
		}
		return least/limit - 1, nil
	}}, nil
}
