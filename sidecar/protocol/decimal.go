package protocol

import "math"

// decimal is the number of the fewest digits, six to eight, that is v as a float32; v itself where there is none. A
// feature that was 72.3 in training travels as the float32 next to it, 72.30000305: that is beyond the largest value of
// the training data, if 72.3 was, and no category that anybody has heard of.
func decimal(v float32) float64 {
	x := math.Abs(float64(v))
	if x == math.Trunc(x) || !(x >= 1e-5 && x < 1e6) {
		return number(float64(v)) // an integer, or rarely met
	}
	places := 10 // behind the point, for six digits in all
	for edge := 1e-4; x >= edge; edge *= 10 {
		places--
	}
	for end := places + 3; places < end; places++ {
		if d := math.RoundToEven(x*powers[places]) / powers[places]; float32(d) == float32(x) {
			return math.Copysign(d, float64(v))
		}
	}
	return float64(v)
}
