package research

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"rapport/fhir"
)

// Members is who was in a release: the first 8 bytes of the SHA-256 of each pseudonym,
// sorted. Whoever has the release can compare with it, nobody else can make people
// of it.
type Members [][8]byte

// membersOf makes Members of pseudonyms.
func membersOf(pids []string) Members {
	out := make(Members, 0, len(pids))
	for _, p := range pids {
		out = append(out, memberOf(p))
	}
	slices.SortFunc(out, compareMember)
	return out
}

func memberOf(pid string) [8]byte {
	sum := sha256.Sum256([]byte(pid))
	return [8]byte(sum[:8])
}

func compareMember(a, b [8]byte) int { return bytes.Compare(a[:], b[:]) }

// find returns where somebody stands in it; false: they were not in the release.
func (m Members) find(pid string) (int, bool) {
	return slices.BinarySearchFunc(m, memberOf(pid), compareMember)
}

// differs counts who is in one and not in the other.
func (m Members) differs(other Members) (added, removed int) {
	i, j := 0, 0
	for i < len(m) || j < len(other) {
		switch {
		case j == len(other) || i < len(m) && bytes.Compare(m[i][:], other[j][:]) < 0:
			added, i = added+1, i+1
		case i == len(m) || bytes.Compare(m[i][:], other[j][:]) > 0:
			removed, j = removed+1, j+1
		default:
			i, j = i+1, j+1
		}
	}
	return added, removed
}

// Past is one release that was made.
type Past struct {
	At      time.Time `json:"at"`
	Profile string    `json:"profile"`
	Members Members   `json:"members"`
	Told    []string  `json:"told"` // of each member
}

// pastFrom makes a record of what is told, by pseudonym.
func pastFrom(tells map[string]told) (p Past) {
	p.Members = membersOf(slices.Collect(maps.Keys(tells)))
	p.Told = make([]string, len(p.Members))
	for pid, t := range tells {
		i, _ := p.Members.find(pid)
		p.Told[i] = t.String()
	}
	return p
}

// pastOf returns all that earlier releases told of somebody, and in which they were.
func pastOf(pid string, releases []Past) string {
	var b strings.Builder
	for _, r := range releases {
		if i, ok := r.Members.find(pid); ok && i < len(r.Told) {
			b.WriteString(r.Told[i])
		} else if !ok {
			b.WriteByte('-')
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// same reports whether two releases tell the same of the same people.
func (p Past) same(o Past) bool {
	return p.Profile == o.Profile && slices.Equal(p.Members, o.Members) && slices.Equal(p.Told, o.Told)
}

// History remembers the releases of each project.
type History interface {
	// Past lists the releases of a project.
	Past(ctx context.Context, project string) ([]Past, error)
	// Record adds one. The same of the same people again is no new one.
	// [fhir.Conflict] when another release of the project was recorded since seen
	// were listed.
	Record(ctx context.Context, project string, seen []Past, p Past) error
}

// Memoed keeps History as one Memo a project.
type Memoed struct{ Memos fhir.Memos }

const historySpace = "research-release"

// Past implements [History].
func (m Memoed) Past(ctx context.Context, project string) (out []Past, err error) {
	memo, err := m.Memos.Memo(ctx, historySpace, project)
	if err != nil || memo.Version == 0 {
		return nil, err
	}
	if err := json.Unmarshal(memo.Value, &out); err != nil {
		return nil, fmt.Errorf("research: the history of a project: %w", err)
	}
	return out, nil
}

// Record implements [History].
func (m Memoed) Record(ctx context.Context, project string, seen []Past, p Past) error {
	memo, err := m.Memos.Memo(ctx, historySpace, project)
	if err != nil {
		return err
	}
	var now []Past
	if memo.Version > 0 {
		if err := json.Unmarshal(memo.Value, &now); err != nil {
			return fmt.Errorf("research: the history of a project: %w", err)
		}
	}
	for _, old := range now {
		if old.same(p) {
			return nil
		}
	}
	if len(now) != len(seen) {
		return fhir.Errorf(fhir.Conflict, "", "Another release of the project was finished meanwhile. Start this one again.")
	}
	b, err := json.Marshal(append(now, p))
	if err != nil {
		return err
	}
	return m.Memos.SetMemo(ctx, fhir.Memo{Space: historySpace, Key: project, Version: memo.Version, Value: b})
}

// apart refuses a release whose people differ from those of an earlier one by so few
// that who came or went could be told.
func apart(now Members, past []Past, k int) error {
	for _, p := range past {
		added, removed := now.differs(p.Members)
		if added > 0 && added < k || removed > 0 && removed < k {
			return fhir.Errorf(fhir.BusinessRule, "", "The people of this release differ from those of the project's release of %s by fewer than %d: "+
				"comparing the two would tell of single people who came or went. Wait until at least %d have, or export the earlier group again.",
				p.At.UTC().Format(time.DateOnly), k, k)
		}
	}
	return nil
}
