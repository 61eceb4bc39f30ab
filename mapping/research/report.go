package research

import (
	"cmp"
	"encoding/json"
	"html/template"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report says how a release was made safe, in figures that may be told with it.
type report struct {
	Project   string      `json:"project"`
	Profile   string      `json:"profile"`
	Method    string      `json:"method"`
	Released  string      `json:"released"` // day
	K         int         `json:"k"`
	People    int         `json:"people"`
	LeftOut   string      `json:"leftOut"`
	Loss      float64     `json:"loss"` // 0: all as fine as it may be told, 1: nothing told
	Quasi     []string    `json:"quasiIdentifiers"`
	Classes   []class     `json:"classes"`
	Smallest  int         `json:"smallestClass"`
	Diversity diversity   `json:"diversity"`
	Withheld  withheldNow `json:"withheld"`
	Tables    []countsOut `json:"counts"`
	Resources int         `json:"resources"`
	Earlier   int         `json:"earlierReleases"`
}

// class is a combination of what is told and how many people have it.
type class struct {
	Gender string `json:"gender"`
	Birth  string `json:"birthYears"`
	State  string `json:"state"`
	Start  string `json:"startYears"`
	People int    `json:"people"`
}

// diversity tells whether from a class alone it follows who answered an item that asks
// for a risk above its threshold.
type diversity struct {
	Of      string `json:"of"`
	Classes int    `json:"classes"` // in which somebody was asked
	Diverse int    `json:"withTwoOrMoreValues"`
	Uniform int    `json:"withOneValue"`
}

// withheldNow counts what is not told.
type withheldNow struct {
	Therapists  int `json:"therapists"`
	Practices   int `json:"practices"`
	Instruments int `json:"instruments"`
	Diagnoses   int `json:"diagnosisCodes"`            // not told at all
	Coarser     int `json:"diagnosisCodesGeneralised"` // told as their category or block
	Codes       int `json:"otherCodes"`                // of an element: a technique, a format
}

// countsOut is a table of counts as it is told: nil is blank.
type countsOut struct {
	Title   string   `json:"title"`
	Rows    []string `json:"rows"`
	Columns []string `json:"columns"`
	Cells   [][]*int `json:"cells"`
}

// Cell is what a page shows.
func (c countsOut) Cell(v *int) string {
	if v == nil {
		return "–"
	}
	return strconv.Itoa(*v)
}

const notTold = "(not told)"

func orNotTold(s string) string {
	if s == "" {
		return notTold
	}
	return s
}

func (r *Release) report(now Past) report {
	c, earlier := r.cohort, 0
	for _, p := range r.past {
		if !p.same(now) { // else it is this one, made again or gone on with
			earlier++
		}
	}
	out := report{
		Project: r.c.Project, Profile: r.profile.Name, Method: r.profile.Title, Released: r.c.Stamp.UTC().Format(time.DateOnly), K: r.c.K,
		People: len(r.members), LeftOut: "at most " + strconv.Itoa(int(r.c.Left*100+0.5)) + " % of those who may be in it",
		Loss: float64(int(r.choice.levels.loss()*1000+0.5)) / 1000, Quasi: r.choice.words(), Smallest: r.choice.smallest(),
		Earlier: earlier, Resources: r.released, Withheld: c.codes.lost(),
	}
	out.Withheld.Therapists, out.Withheld.Practices = c.few["Practitioner"], c.few["Organization"]
	for _, t := range r.choice.sorted() {
		out.Classes = append(out.Classes, class{orNotTold(t.gender), orNotTold(t.birth), orNotTold(t.state), orNotTold(t.start), r.choice.classes[t]})
	}
	out.Diversity = r.diversity()
	out.Tables = r.countTables()
	return out
}

func (r *Release) diversity() diversity {
	d := diversity{Of: "an item that asks for a risk answered at or above its threshold at least once (PHQ-9 item 9 above 0)"}
	risk := map[int]bool{}
	for _, a := range r.cohort.given {
		if len(a.in.Risks) > 0 && a.answers != nil {
			risk[a.who] = risk[a.who] || len(a.score.Risks) > 0
		}
	}
	values := map[told][2]bool{}
	for who, above := range risk {
		p := r.cohort.people[who].told
		t := told{p.Gender, p.Birth, p.State, p.Start}
		v := values[t]
		v[0], v[1] = v[0] || !above, v[1] || above
		values[t] = v
	}
	for _, v := range values {
		d.Classes++
		if v[0] && v[1] {
			d.Diverse++
		} else {
			d.Uniform++
		}
	}
	return d
}

// countTables are those of the people by what is told of them and by their first
// band of each instrument. Each is of all people, so that none is missing in one whom
// another counts.
func (r *Release) countTables() (out []countsOut) {
	type two struct{ row, col string }
	people := func(title string, of func(*person) (string, string)) {
		cells := map[two]int{}
		for _, p := range r.cohort.people {
			if p.in {
				row, col := of(p)
				cells[two{orNotTold(row), orNotTold(col)}]++
			}
		}
		var rows, cols []string
		for k := range cells {
			rows, cols = append(rows, k.row), append(cols, k.col)
		}
		rows, cols = sortedSet(rows), sortedSet(cols)
		out = append(out, told2D(title, rows, cols, r.c.K, func(a, b string) int { return cells[two{a, b}] }))
	}
	people("People by gender and years of birth", func(p *person) (string, string) { return p.told.Gender, p.told.Birth })
	people("People by gender and years of start", func(p *person) (string, string) { return p.told.Gender, p.told.Start })
	for _, in := range r.used() {
		total := in.Total()
		if len(total.Bands) == 0 {
			continue
		}
		var bands []string
		for _, b := range total.Bands {
			bands = append(bands, b.Slug)
		}
		bands = append(bands, "no total", "never answered")
		first := map[int]string{}
		for _, a := range r.cohort.given { // in the order of time
			if _, later := first[a.who]; later || a.in != in {
				continue
			}
			first[a.who] = "no total"
			if t := a.score.Total(); t.Band != nil {
				first[a.who] = t.Band.Slug
			}
		}
		cells, genders := map[two]int{}, []string{}
		for who, p := range r.cohort.people {
			if !p.in {
				continue
			}
			band, g := cmp.Or(first[who], "never answered"), orNotTold(p.told.Gender)
			cells[two{band, g}]++
			genders = append(genders, g)
		}
		out = append(out, told2D("People by band of their first "+in.Title+" and gender", bands, sortedSet(genders), r.c.K,
			func(a, b string) int { return cells[two{a, b}] }))
	}
	return out
}

func sortedSet(s []string) []string {
	slices.Sort(s)
	return slices.Compact(s)
}

// told2D makes a table of counts without what tells of fewer than k people.
func told2D(title string, rows, cols []string, k int, n func(row, col string) int) countsOut {
	cells := make([][]int, len(rows))
	for i, a := range rows {
		for _, b := range cols {
			cells[i] = append(cells[i], n(a, b))
		}
	}
	c := countsOf(cells)
	c.suppress(k)
	out := countsOut{Title: title, Rows: append(slices.Clone(rows), "all"), Columns: append(slices.Clone(cols), "all")}
	for i, row := range c.n {
		line := make([]*int, len(row))
		for j := range row {
			if !c.blank[i][j] {
				v := row[j]
				line[j] = &v
			}
		}
		out.Cells = append(out.Cells, line)
	}
	return out
}

func (p report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(p)
}

var page = template.Must(template.New("disclosure").Parse(strings.TrimLeft(`
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Disclosure report: {{.Project}}</title>
<style>
body { font: 16px/1.5 Georgia, serif; max-width: 48rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 } th, td { border: 1px solid #777; padding: .2rem .6rem; text-align: left }
td.n { text-align: right } caption { text-align: left; font-weight: bold; padding-bottom: .3rem }
</style>
</head>
<body>
<h1>Disclosure report: {{.Project}}</h1>
<p>Release of {{.Released}}, profile {{.Profile}}: {{.Method}}. {{.People}} people are in it. Left out because too few others are like them: {{.LeftOut}}; how many is not told, since from one release to the next it would tell of single people. Earlier releases of the project: {{.Earlier}}.</p>
<h2>Quasi-identifiers</h2>
<p>Each combination of what is told is that of at least {{.K}} people; the smallest has {{.Smallest}}. Loss of information: {{.Loss}} (0: all is told as finely as it may be; 1: nothing is told).</p>
<ul>{{range .Quasi}}<li>{{.}}</li>{{end}}</ul>
<table><caption>Combinations</caption>
<tr><th scope="col">Gender</th><th scope="col">Born</th><th scope="col">State</th><th scope="col">Start</th><th scope="col">People</th></tr>
{{range .Classes}}<tr><td>{{.Gender}}</td><td>{{.Birth}}</td><td>{{.State}}</td><td>{{.Start}}</td><td class="n">{{.People}}</td></tr>
{{end}}</table>
<h2>Diversity</h2>
<p>Of {{.Diversity.Of}}: in {{.Diversity.Diverse}} of {{.Diversity.Classes}} combinations in which people were asked, both values occur; in {{.Diversity.Uniform}} only one does, so that of whoever is known to be in it, the value is known.</p>
<h2>Withheld</h2>
<ul>
<li>therapists with fewer than {{.K}} people, and those without whom they would be told: {{.Withheld.Therapists}}</li>
<li>practices likewise: {{.Withheld.Practices}}</li>
<li>instruments that fewer than {{.K}} people answered: {{.Withheld.Instruments}}</li>
<li>codes of diagnoses told as their category or block: {{.Withheld.Coarser}}; not told: {{.Withheld.Diagnoses}}</li>
<li>other codes that fewer than {{.K}} people have at an element, such as a technique, and those without which they would be told: {{.Withheld.Codes}}</li>
</ul>
<h2>Counts</h2>
<p>A dash stands for a count of 1 to {{.Limit}}, or for one from which such a count could be computed.</p>
{{range $t := .Tables}}<table><caption>{{.Title}}</caption>
<tr><td></td>{{range .Columns}}<th scope="col">{{.}}</th>{{end}}</tr>
{{range $i, $row := .Cells}}<tr><th scope="row">{{index $t.Rows $i}}</th>{{range $row}}<td class="n">{{$t.Cell .}}</td>{{end}}</tr>
{{end}}</table>
{{end}}<h2>What remains</h2>
<p>The pattern of somebody's answers over time may be recognised by whoever knows it from elsewhere. No rule above prevents that: share the files with nobody, and do not try to find out who is in them.</p>
</body>
</html>
`, "\n")))

// Limit is the largest count that is not told.
func (p report) Limit() int { return p.K - 1 }

func (p report) writeHTML(w io.Writer) error { return page.Execute(w, p) }
