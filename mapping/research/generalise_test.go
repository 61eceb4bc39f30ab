package research

import (
	"testing"

	"pgregory.net/rapid"
)

func TestEveryCombinationThatIsToldIsThatOfKPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 6).Draw(t, "k")
		people := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) quasi {
			return quasi{
				gender: rapid.SampledFrom([]string{"female", "male", "other", ""}).Draw(t, "gender"),
				birth:  rapid.SampledFrom([]int{0, 1931, 1955, 1962, 1978, 1983, 1984, 1999}).Draw(t, "birth"),
				state:  rapid.SampledFrom([]string{"", "MA", "ZH"}).Draw(t, "state"),
				start:  rapid.IntRange(2023, 2026).Draw(t, "start"),
			}
		}), 1, 60).Draw(t, "people")
		c, ok := generalise(people, k, 1936, 1.0/6)
		if !ok {
			// Then not even telling nothing would have done.
			if len(people) >= k {
				t.Fatalf("%d people are refused", len(people))
			}
			return
		}
		classes, out := map[told]int{}, 0
		for i, q := range people {
			if c.out[i] {
				out++
				continue
			}
			classes[c.tell(q, 1936)]++
		}
		for told, n := range classes {
			if n < k {
				t.Fatalf("%+v is told of %d people", told, n)
			}
		}
		if out > len(people)/6 || out != c.outCount {
			t.Fatalf("%d of %d are left out, told is %d", out, len(people), c.outCount)
		}
		// No single step back towards the finer, with as many left out, does as well.
		for _, finer := range []levels{
			{c.Gender - 1, c.Birth, c.State, c.Start}, {c.Gender, c.Birth - 1, c.State, c.Start},
			{c.Gender, c.Birth, c.State - 1, c.Start}, {c.Gender, c.Birth, c.State, c.Start - 1},
		} {
			if finer.Gender < 0 || finer.Birth < 0 || finer.State < 0 || finer.Start < 0 {
				continue
			}
			if f := finer.classify(people, k, 1936); f.outCount <= out {
				t.Fatalf("%+v leaves out %d, %+v is told and leaves out %d", finer, f.outCount, c.levels, out)
			}
		}
	})
}

func TestTheOldestAreOneClass(t *testing.T) {
	for year, want := range map[int]string{1900: "1936 or before", 1936: "1936 or before", 1937: "1937-1939", 1940: "1940-1949", 2001: "2000-2009"} {
		if got := (levels{}).tell(quasi{birth: year}, 1936).birth; got != want {
			t.Errorf("%d is told as %s, not %s", year, got, want)
		}
	}
	if got := (levels{Birth: len(birthSteps)}).tell(quasi{birth: 1936}, 1936).birth; got != "" {
		t.Errorf("what is not told is told as %s", got)
	}
}

func TestLeavingOutAFewIsCheaperThanTellingAllLess(t *testing.T) {
	var people []quasi
	for range 20 {
		people = append(people, quasi{gender: "female", birth: 1985, start: 2025}, quasi{gender: "male", birth: 1985, start: 2025})
	}
	people = append(people, quasi{gender: "other", birth: 1985, start: 2025})
	c, ok := generalise(people, 11, 1936, 1.0/6)
	if !ok || c.levels != (levels{}) || c.outCount != 1 || !c.out[40] {
		t.Errorf("%+v %v", c, ok)
	}
}
