package research

import (
	"fmt"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func shown(c *counts) string {
	var b strings.Builder
	for i, row := range c.n {
		for j, v := range row {
			if c.blank[i][j] {
				b.WriteString("  –")
			} else {
				fmt.Fprintf(&b, "%3d", v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func TestAPlantedSmallCellAndTheOneThatWouldRevealItAreBlank(t *testing.T) {
	c := countsOf([][]int{{40, 5, 30}, {25, 33, 28}, {19, 21, 50}})
	c.suppress(11)
	want := "" +
		"  –  – 30 75\n" +
		" 25 33 28 86\n" +
		"  –  – 50 90\n" +
		" 84 59108251\n"
	if got := shown(c); got != want {
		t.Errorf("told is\n%s\nnot\n%s", got, want)
	}
}

func TestAZeroIsTold(t *testing.T) {
	c := countsOf([][]int{{40, 0}, {25, 33}})
	c.suppress(11)
	if got := shown(c); strings.Contains(got, "–") {
		t.Error(got)
	}
}

func TestOfATinyTableNothingIsLeftToComputeFrom(t *testing.T) {
	for _, cells := range [][][]int{{{1}}, {{3, 4}}, {{3}, {20}}, {{1, 0}, {0, 1}}} {
		c := countsOf(cells)
		c.suppress(11) // must end
		for i, row := range c.n {
			for j, v := range row {
				if v > 0 && v < 11 && !c.blank[i][j] {
					t.Errorf("%v: told is\n%s", cells, shown(c))
				}
			}
		}
	}
}

// TestNoBlankCellFollowsFromWhatIsTold solves the sums of a table for its blank cells.
func TestNoBlankCellFollowsFromWhatIsTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, cols := rapid.IntRange(2, 5).Draw(t, "rows"), rapid.IntRange(2, 5).Draw(t, "cols")
		cells := make([][]int, rows)
		for i := range cells {
			cells[i] = rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 12), rapid.IntRange(11, 90)), cols, cols).Draw(t, "row")
		}
		c := countsOf(cells)
		c.suppress(11)
		index, primary := map[[2]int]int{}, [][2]int{}
		told := 0
		for i, row := range c.n {
			for j, v := range row {
				switch {
				case c.blank[i][j]:
					index[[2]int{i, j}] = len(index)
					if v > 0 && v < 11 {
						primary = append(primary, [2]int{i, j})
					}
				case v > 0 && v < 11:
					t.Fatalf("%d is told\n%s", v, shown(c))
				default:
					told++
				}
			}
		}
		if told == 0 {
			return // nothing is told: nothing follows
		}
		var equations [][]*big.Rat
		line := func(of func(int) [2]int, n int) {
			eq := make([]*big.Rat, len(index))
			for x := range eq {
				eq[x] = new(big.Rat)
			}
			for x := range n {
				if at, ok := index[of(x)]; ok {
					eq[at].SetInt64(1)
					if x == n-1 {
						eq[at].SetInt64(-1)
					}
				}
			}
			equations = append(equations, eq)
		}
		for i := range c.n {
			line(func(j int) [2]int { return [2]int{i, j} }, len(c.n[0]))
		}
		for j := range c.n[0] {
			line(func(i int) [2]int { return [2]int{i, j} }, len(c.n))
		}
		reduced := reduce(equations)
		for _, p := range primary {
			if determined(reduced, index[p]) {
				t.Fatalf("row %d, column %d follows from\n%s", p[0], p[1], shown(c))
			}
		}
	})
}

// reduce brings equations into reduced row echelon form.
func reduce(m [][]*big.Rat) [][]*big.Rat {
	row := 0
	if len(m) == 0 {
		return m
	}
	for col := range m[0] {
		pivot := -1
		for r := row; r < len(m); r++ {
			if m[r][col].Sign() != 0 {
				pivot = r
				break
			}
		}
		if pivot < 0 {
			continue
		}
		m[row], m[pivot] = m[pivot], m[row]
		inv := new(big.Rat).Inv(m[row][col])
		for x := range m[row] {
			m[row][x].Mul(m[row][x], inv)
		}
		for r := range m {
			if r == row || m[r][col].Sign() == 0 {
				continue
			}
			f := new(big.Rat).Set(m[r][col])
			for x := range m[r] {
				m[r][x].Sub(m[r][x], new(big.Rat).Mul(f, m[row][x]))
			}
		}
		if row++; row == len(m) {
			break
		}
	}
	return m
}

// determined reports whether an equation is left with this unknown alone.
func determined(m [][]*big.Rat, x int) bool {
	for _, eq := range m {
		if eq[x].Sign() == 0 {
			continue
		}
		others := 0
		for y := range eq {
			if y != x && eq[y].Sign() != 0 {
				others++
			}
		}
		if others == 0 {
			return true
		}
	}
	return false
}
