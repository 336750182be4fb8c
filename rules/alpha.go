package rules

// A window that slides is worth several tests. At a level G of the statistic,
// with df degrees of freedom, it is a chi-square process that decorrelates in
// window/looks; an excursion above G lasts for at least hold windows
//
//	tests = held * 2 * looks * (density(v)/v - tail(v)),  v = sqrt(hold * looks)
//
// times in a window for each time that a window picked at random is above it.
// That is the theory of a locally Brownian process; held is what it is short
// of when looked at some 20 to 60 times a window, measured: 1.12 to 1.25. The
// tail is that of Birnbaum and Sampford: density * 4 / (3v + sqrt(v^2 + 8)).
// Never less than one: at levels of no interest the theory says next to none,
// and a z that divides by little would be large where nothing differs.
const held = 1.23

// tests are the rules that record how many tests a window is worth.
func tests(t text, r Rung) []rule {
	t.with("hold", number(r.For.Seconds()/r.Window.Seconds())).with("twice", number(held*2*0.3989422804014327))
	return []rule{
		{
			comment: "How often the statistic forgets itself within a window, at this level of G.",
			record:  t.names["looks"],
			expr:    t.sprint("clamp_max($df * (clamp_min($level, 1.1) - 1) ^ 2 / (2 * clamp_min($level, 1.1)), 100)"),
		},
		{
			comment: "The independent tests that the sliding window is worth, when they must hold for " + r.For.String() + ".",
			record:  t.names["tests"],
			expr: t.sprint(`clamp_min(
  $twice * $looks * exp(-$hold * $looks / 2)
  * (
    1 / sqrt($hold * $looks)
    - 4 / (3 * sqrt($hold * $looks) + sqrt($hold * $looks + 8))
  ),
  1
)`),
		},
	}
}
