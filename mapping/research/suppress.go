package research

// counts is a table of counts with its totals: the last row and the last column are
// sums. Blank cells are not told.
type counts struct {
	n     [][]int
	blank [][]bool
}

// countsOf adds the totals to a table.
func countsOf(cells [][]int) *counts {
	c := &counts{}
	cols := 0
	for _, row := range cells {
		cols = max(cols, len(row))
	}
	sums := make([]int, cols+1)
	for _, row := range cells {
		full := make([]int, cols+1)
		for j, v := range row {
			full[j] = v
			full[cols] += v
		}
		for j, v := range full {
			sums[j] += v
		}
		c.n = append(c.n, full)
	}
	c.n = append(c.n, sums)
	for range c.n {
		c.blank = append(c.blank, make([]bool, cols+1))
	}
	return c
}

// suppress blanks what tells of fewer than k people, and of the rest the cheapest cells
// without which a blank one could be computed from the totals, or pinned to one
// value by them.
func (c *counts) suppress(k int) {
	primary := make([][]bool, len(c.n))
	for i, row := range c.n {
		primary[i] = make([]bool, len(row))
		for j, v := range row {
			primary[i][j] = v > 0 && v < k
			c.blank[i][j] = primary[i][j]
		}
	}
	for {
		i, j, exposed := c.exposed(primary)
		if !exposed || !c.cover(i, j) { // nothing is told any more
			return
		}
	}
}

// exposed finds a primary cell whose value follows from what is told.
//
// Each row and each column is an equation. The blank cells are the edges of a graph
// between rows and columns; a blank follows from the equations alone if and only if
// it is a bridge of that graph (Gusfield 1988, SIAM J Comput 17:552-571). Since a
// count is never negative, and a blank one that was zero would have been told, the
// bounds may pin it as well.
func (c *counts) exposed(primary [][]bool) (int, int, bool) {
	low, high := c.bounds()
	for i := range c.n {
		for j := range c.n[i] {
			if primary[i][j] && c.blank[i][j] && (low[i][j] == high[i][j] || c.bridge(i, j)) {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// bridge reports whether row i and column j hang together by the blank cell alone.
func (c *counts) bridge(i, j int) bool {
	rows, cols := make([]bool, len(c.n)), make([]bool, len(c.n[0]))
	rows[i] = true
	for again := true; again; {
		again = false
		for r := range c.n {
			for k := range c.n[r] {
				if !c.blank[r][k] || r == i && k == j || rows[r] == cols[k] {
					continue
				}
				rows[r], cols[k], again = true, true, true
			}
		}
	}
	return !cols[j]
}

// bounds narrows what each blank cell may be by its row and its column until nothing
// moves.
func (c *counts) bounds() (low, high [][]int) {
	top := c.n[len(c.n)-1][len(c.n[0])-1]
	for i := range c.n {
		low, high = append(low, make([]int, len(c.n[i]))), append(high, make([]int, len(c.n[i])))
		for j, v := range c.n[i] {
			low[i][j], high[i][j] = v, v
			if c.blank[i][j] {
				low[i][j], high[i][j] = 1, top
				if c.n[i][j] == 0 {
					low[i][j] = 0
				}
			}
		}
	}
	narrow := func(cells [][2]int) bool { // the last is the sum of the others
		moved, last := false, len(cells)-1
		sumLow, sumHigh := 0, 0
		for _, x := range cells[:last] {
			sumLow, sumHigh = sumLow+low[x[0]][x[1]], sumHigh+high[x[0]][x[1]]
		}
		set := func(x [2]int, l, h int) {
			if l > low[x[0]][x[1]] {
				low[x[0]][x[1]], moved = l, true
			}
			if h < high[x[0]][x[1]] {
				high[x[0]][x[1]], moved = h, true
			}
		}
		s := cells[last]
		for _, x := range cells[:last] {
			set(x, low[s[0]][s[1]]-(sumHigh-high[x[0]][x[1]]), high[s[0]][s[1]]-(sumLow-low[x[0]][x[1]]))
		}
		set(s, sumLow, sumHigh)
		return moved
	}
	for moved := true; moved; {
		moved = false
		for i := range c.n {
			var line [][2]int
			for j := range c.n[i] {
				line = append(line, [2]int{i, j})
			}
			moved = narrow(line) || moved
		}
		for j := range c.n[0] {
			var line [][2]int
			for i := range c.n {
				line = append(line, [2]int{i, j})
			}
			moved = narrow(line) || moved
		}
	}
	return low, high
}

// price is what it costs to blank a cell: what it counts, zeros only if nothing else is
// left, totals last of all.
func (c *counts) price(i, j int) int {
	if c.blank[i][j] {
		return 0
	}
	p := c.n[i][j]
	if p == 0 {
		p += 1 << 20
	}
	if i == len(c.n)-1 || j == len(c.n[0])-1 {
		p += 1 << 24
	}
	return p
}

// cover blanks more cells for the sake of a blank one: those of the cheapest circle of
// rows and columns that runs through it, so that it is no bridge; where it is on a
// circle already, the cheapest cell of its row, its column, or anywhere. false: every
// cell is blank.
func (c *counts) cover(i, j int) bool {
	if path := c.cheapest(i, j); len(path) > 0 {
		done := false
		for _, x := range path {
			done = done || !c.blank[x[0]][x[1]]
			c.blank[x[0]][x[1]] = true
		}
		if done {
			return true
		}
	}
	for _, near := range []func(r, col int) bool{
		func(r, col int) bool { return r == i || col == j },
		func(int, int) bool { return true },
	} {
		bi, bj, found := 0, 0, false
		for r := range c.n {
			for col := range c.n[r] {
				if !c.blank[r][col] && near(r, col) && (!found || c.price(r, col) < c.price(bi, bj)) {
					bi, bj, found = r, col, true
				}
			}
		}
		if found {
			c.blank[bi][bj] = true
			return true
		}
	}
	return false
}

// cheapest finds the cells on the cheapest way from row i to column j that does not take
// the cell between them (Bellman and Ford; tables are small).
func (c *counts) cheapest(i, j int) (path [][2]int) {
	const far = 1 << 60
	rows, cols := make([]int, len(c.n)), make([]int, len(c.n[0]))
	byRow, byCol := make([]int, len(rows)), make([]int, len(cols)) // where each was reached from
	for r := range rows {
		rows[r] = far
	}
	for k := range cols {
		cols[k] = far
	}
	rows[i] = 0
	for moved := true; moved; {
		moved = false
		for r := range rows {
			for k := range cols {
				if r == i && k == j {
					continue
				}
				p := c.price(r, k)
				if rows[r]+p < cols[k] {
					cols[k], byCol[k], moved = rows[r]+p, r, true
				}
				if cols[k]+p < rows[r] {
					rows[r], byRow[r], moved = cols[k]+p, k, true
				}
			}
		}
	}
	if cols[j] >= far {
		return nil
	}
	for k := j; ; {
		r := byCol[k]
		path = append(path, [2]int{r, k})
		if r == i {
			return path
		}
		k = byRow[r]
		path = append(path, [2]int{r, k})
	}
}
