package research

import (
	"slices"
	"strconv"
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
		c, ok := generalise(people, k, 1939, 1.0/6, nil)
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
			classes[c.tell(q)]++
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
			if f := (view{finer, 1939}).classify(people, k); f.outCount <= out {
				t.Fatalf("%+v leaves out %d, %+v is told and leaves out %d", finer, f.outCount, c.levels, out)
			}
		}
	})
}

func TestTheOldestAreOneClass(t *testing.T) {
	for year, want := range map[int]string{1900: "1939 or before", 1936: "1939 or before", 1939: "1939 or before", 1940: "1940-1949", 2001: "2000-2009"} {
		if got := (view{oldest: 1939}).tell(quasi{birth: year}).birth; got != want {
			t.Errorf("%d is told as %s, not %s", year, got, want)
		}
	}
	if got := (view{levels{Birth: 2}, 1939}).tell(quasi{birth: 1958}).birth; got != "1959 or before" {
		t.Errorf("with classes of 40 years 1958 is told as %s", got)
	}
	if got := (view{levels{Birth: len(birthSteps)}, 1939}).tell(quasi{birth: 1936}).birth; got != "" {
		t.Errorf("what is not told is told as %s", got)
	}
}

// Whoever has all releases of a project knows of a person what each tells, also where what is
// known of them was changed in between. Of as many as k people they must tell the same.
func TestSeveralReleasesTogetherTellTheSameOfKPeople(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 5).Draw(t, "k")
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) quasi {
			return quasi{
				gender: rapid.SampledFrom([]string{"female", "male", ""}).Draw(t, "gender"),
				birth:  rapid.SampledFrom([]int{0, 1931, 1941, 1955, 1962, 1978, 1983, 1999}).Draw(t, "birth"),
				state:  rapid.SampledFrom([]string{"", "MA", "ZH"}).Draw(t, "state"),
				start:  rapid.IntRange(2023, 2026).Draw(t, "start"),
			}
		}), 4, 80).Draw(t, "people")
		var past []Past
		in := make([][]string, len(all)) // what each release told of each
		for n := range rapid.IntRange(1, 4).Draw(t, "releases") {
			oldest := 1939 + 10*rapid.IntRange(0, 1).Draw(t, "later")
			var who []int
			var people []quasi
			for i := range all {
				if rapid.IntRange(0, 7).Draw(t, "moves") == 0 {
					all[i].state = "SG"
				}
				if rapid.IntRange(0, 3).Draw(t, "in") > 0 {
					q := all[i]
					q.past = pastOf(strconv.Itoa(i), past)
					who, people = append(who, i), append(people, q)
				}
			}
			c, ok := generalise(people, k, oldest, 1.0/3, nil)
			if !ok {
				continue
			}
			var released []int
			for i := range in {
				in[i] = append(in[i], "not in it")
			}
			tells := map[string]told{}
			for j, i := range who {
				if !c.out[j] {
					released = append(released, i)
					tells[strconv.Itoa(i)] = c.tell(all[i])
					in[i][len(in[i])-1] = c.tell(all[i]).String()
				}
			}
			// Whoever looks for somebody of whom all is known, also when they came and went,
			// finds the records that no release rules out.
			for _, i := range released {
				found := 0
				for _, j := range released {
					if slices.Equal(in[i], in[j]) {
						found++
					}
				}
				if found < k {
					t.Fatalf("after %d releases %+v fits %d people", n+1, all[i], found)
				}
			}
			past = append(past, pastFrom(tells))
		}
	})
}

func TestLeavingOutAFewIsCheaperThanTellingAllLess(t *testing.T) {
	var people []quasi
	for range 20 {
		people = append(people, quasi{gender: "female", birth: 1985, start: 2025}, quasi{gender: "male", birth: 1985, start: 2025})
	}
	people = append(people, quasi{gender: "other", birth: 1985, start: 2025})
	c, ok := generalise(people, 11, 1939, 1.0/6, nil)
	if !ok || c.levels != (levels{}) || c.outCount != 1 || !c.out[40] {
		t.Errorf("%+v %v", c, ok)
	}
}
