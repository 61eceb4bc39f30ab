package research

import (
	"fmt"
	"io"
	"strings"

	"rapport/mapping/deid"
)

// readme writes what a researcher reads first.
func (r *Release) readme(w io.Writer, tables []table, p report, files []digest) error {
	var b strings.Builder
	say := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	say("# Research release: %s", p.Project)
	say("")
	say("Released %s under the profile `%s`: %s. %d people. Left out because too few others are like them: %s.", p.Released, p.Profile, p.Method, p.People, p.LeftOut)
	say("")
	say("## Files")
	say("")
	say("| file | what |")
	say("|---|---|")
	for _, t := range tables {
		say("| `%s.csv`, `%s.parquet` | %s Both hold the same. |", t.name, t.name, t.about)
	}
	say("| `dictionary.csv`, `dictionary.json` | each variable: meaning, codes, missing values, instrument, rule for missing items, citation, licence |")
	say("| `disclosure.json`, `disclosure.html` | how the release was made safe |")
	say("| `*.ndjson` beside these | the same people as FHIR R4, with the same pseudonyms |")
	say("")
	say("CSV is UTF-8 with a header line; a missing value is an empty field. In R: `readr::read_csv(\"scores.csv\")`; pandas: `pandas.read_csv(\"scores.csv\")`;")
	say("DuckDB: `SELECT * FROM 'scores.parquet'`. `pid` joins people, episodes, sessions, scores and items; `administration_id` joins scores and items; `episode_id` joins courses.")
	say("")
	say("## Missing values")
	say("")
	say("`missing_reason` in `items`: %s.", missingCodes)
	say("A total that the publisher's rule does not give is missing; nothing is imputed.")
	say("")
	say("## How it was made safe")
	say("")
	if r.profile.Shifts {
		say("Dates in the NDJSON files are shifted: for each person by a number of whole weeks of their own, to where therapy begins in %d for everybody. Intervals in days and weekdays are", deid.Epoch)
		say("the true ones; years, seasons and the order of two people's dates are not. Where R4 wants a time of day it is midnight. This is not Safe Harbor; the release rests on an")
		say("expert's determination (45 CFR 164.514(b)(1)).")
	} else {
		say("No date is told but as days from the first day of the course of therapy, or as a year long before it (45 CFR 164.514(b)(2)); the tables do the same.")
	}
	say("Of nobody the last days before the release are told: as many, up to %d, as there are from the first day of their therapy to the end of that half of a year (June, December).", deid.MostUntold)
	say("What came later is in no file, and a course that has ended since is told as it stood, as active. Take such courses for cut off there, not for ongoing.")
	say("Tables tell days from the first day of a person's first course of therapy (day 0), which are the same under either profile.")
	say("")
	say("Pseudonyms come from random numbers and a key of this project alone; in a release for another project the same person has another one. Names, numbers, texts, addresses and")
	say("identifiers of any kind were not scrubbed but never copied: what leaves is on a list. Codes that fewer than %d people have at an element (a diagnosis, a technique, how they met)", p.K)
	say("are not told; those of diagnoses as their category or block, where that is enough. An empty place may be one of these.")
	say("")
	say("Each combination of gender, years of birth, state and years of start is that of at least %d people (the smallest has %d): %s.", p.K, p.Smallest, strings.Join(p.Quasi, "; "))
	say("Of %s, both values occur in %d of %d combinations.", p.Diversity.Of, p.Diversity.Diverse, p.Diversity.Classes)
	say("")
	say("**Answer patterns stay linkable.** Whoever knows how somebody answered a questionnaire, or has another release with the same answers, may recognise the row by the answers themselves,")
	say("also between two projects. Do not try to find out who somebody is, do not join the files with others about the same people, and pass them on to nobody.")
	say("")
	say("## SHA-256")
	say("")
	say("```")
	for _, f := range files {
		say("%s  %s", f.SHA256, f.Name)
	}
	say("```")
	_, err := io.WriteString(w, b.String())
	return err
}
