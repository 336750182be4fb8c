package profile

import "math"

// logs are math.Log1p of −d and of d, to the last bit where the compiler fuses
// no multiplications and additions, in half the time: a divergence takes both,
// most often of a small d. It is the code of FreeBSD's log1p, which is Go's, for
// numbers that need no reduction, with what both have in common done once.
func logs(d float64) (down, up float64) {
	const (
		near = 0.292893218813452475 // 1 − √½
		tiny = 1.0 / (1 << 29)
		l1   = 6.666666666666735130e-01
		l2   = 3.999999999940941908e-01
		l3   = 2.857142874366239149e-01
		l4   = 2.222219843214978396e-01
		l5   = 1.818357216161805012e-01
		l6   = 1.531383769920937332e-01
		l7   = 1.479819860511658591e-01
	)
	if abs := math.Abs(d); !(abs < near && abs >= tiny) {
		return math.Log1p(-d), math.Log1p(d)
	}
	half := 0.5 * d * d
	s, t := d/(2+d), -d/(2-d)
	y, z := s*s, t*t
	q := y * (l1 + y*(l2+y*(l3+y*(l4+y*(l5+y*(l6+y*l7))))))
	r := z * (l1 + z*(l2+z*(l3+z*(l4+z*(l5+z*(l6+z*l7))))))
	return -d - (half - t*(half+r)), d - (half - s*(half+q))
}
