package main

import (
	"encoding/csv"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"rapport/mapping/site"
)

// network writes an invented upload of a commissioning network: as many rows as are
// asked for or a few more, 28 of each client. The same number gives the same files.
func network(t testing.TB, dir string, rows int) int {
	t.Helper()
	m, err := site.Embedded("pmhc-v4")
	if err != nil {
		t.Fatal(err)
	}
	w := &uploadWriter{TB: t, dir: dir, m: m, files: map[string]*csv.Writer{}}
	const org = "PHN999:Big01"
	r := rand.New(rand.NewPCG(7, 7))
	day := func(n int) string { return time.Date(2021, 1, 1+n, 0, 0, 0, 0, time.UTC).Format("02012006") }
	n := strconv.Itoa
	w.row("metadata", "key", "type", "value", "PMHC")
	w.row("metadata", "key", "version", "value", "4.0")
	w.row("organisations", "organisation_path", org, "organisation_key", "Big01", "organisation_name", "An invented organisation",
		"organisation_abn", "42543098901", "organisation_type", "1", "organisation_state", "1", "organisation_start_date", "01072020", "organisation_end_date", "09099999")
	for p := range 20 {
		w.row("practitioners", "organisation_path", org, "practitioner_key", fmt.Sprintf("P%03d", p), "practitioner_category", "2",
			"atsi_cultural_training", "2", "practitioner_year_of_birth", "1970", "practitioner_gender", "2", "practitioner_atsi_status", "4", "practitioner_active", "1")
	}
	for c := 0; w.rows < rows; c++ {
		client, from := fmt.Sprintf("%07d", c), r.IntN(900)
		w.row("clients", "organisation_path", org, "client_key", "C"+client, "slk", "ABCDE010119801", "date_of_birth", "01011980", "est_date_of_birth", "1",
			"client_gender", n(r.IntN(4)), "client_atsi_status", "4", "country_of_birth", "1101", "main_lang_at_home", "1201", "prof_english", "0")
		w.row("intakes", "organisation_path", org, "intake_key", "I"+client, "client_key", "C"+client, "client_consent", n(1+r.IntN(2)), "referral_date", day(from),
			"program_type", "3", "referrer_profession", "1", "referrer_organisation_type", "1", "date_client_contacted_intake", day(from+1), "suicide_referral_flag", "2",
			"date_referred_to_other_service_at_intake_conclusion", day(from+3), "organisation_type_referred_to_at_intake_conclusion", "3 37", "referred_to_organisation_path", org)
		w.row("iar-dst", "organisation_path", org, "measure_key", "A"+client, "intake_key", "I"+client, "iar_dst_version", "1", "iar_dst_domain_1", n(r.IntN(5)),
			"iar_dst_domain_2", n(r.IntN(5)), "iar_dst_domain_3", "1", "iar_dst_domain_4", "0", "iar_dst_domain_5", "2", "iar_dst_domain_6", "3", "iar_dst_domain_7", "1",
			"iar_dst_domain_8", "0", "iar_dst_recommended_level_of_care", "3+", "iar_dst_practitioner_level_of_care", "3")
		w.row("intake-episodes", "episode_organisation_path", org, "episode_key", "E"+client, "intake_organisation_path", org, "intake_key", "I"+client)
		w.row("episodes", "organisation_path", org, "episode_key", "E"+client, "client_key", "C"+client, "episode_end_date", day(from+200), "client_consent", "1",
			"episode_completion_status", "1", "referral_date", day(from), "program_type", "3", "principal_focus", "1", "mental_health_treatment_plan", "1", "homelessness", "3",
			"client_postcode", "3000", "labour_force_status", "1", "employment_participation", "1", "income_source", "3", "health_care_card", "2", "ndis_participant", "2",
			"marital_status", "5", "suicide_referral_flag", "2", "principal_diagnosis", "104", "additional_diagnosis", "000", "medication_antipsychotics", "2",
			"medication_anxiolytics", "2", "medication_hypnotics", "2", "medication_antidepressants", "1", "medication_psychostimulants", "2", "referrer_profession", "1",
			"referrer_organisation_type", "1", "organisation_type_referred_to_at_episode_conclusion", "1")
		for i := range 8 {
			contact := "S" + client + "-" + n(i)
			w.row("service-contacts", "organisation_path", org, "service_contact_key", contact, "episode_key", "E"+client, "service_contact_date", day(from+7+14*i),
				"service_contact_type", "2", "service_contact_postcode", "3000", "service_contact_modality", "1", "service_contact_participants", "1", "service_contact_venue", "2",
				"service_contact_duration", "4", "service_contact_copayment", "0", "service_contact_participation_indicator", "1", "service_contact_interpreter", "2",
				"service_contact_no_show", "2", "service_contact_final", "3", "service_contact_start_time", "10:30", "funding_source", "0")
			w.row("service-contact-practitioners", "organisation_path", org, "service_contact_practitioner_key", "L"+contact, "service_contact_key", contact,
				"practitioner_key", fmt.Sprintf("P%03d", r.IntN(20)), "primary_practitioner_indicator", "1")
		}
		for i := range 3 {
			at := "O" + client + "-" + n(i)
			w.row("collection-occasions", "organisation_path", org, "collection_occasion_key", at, "episode_key", "E"+client, "collection_occasion_date", day(from+7+60*i),
				"reason_for_collection", n(i+1))
			measure := []string{"organisation_path", org, "measure_key", "K" + at, "collection_occasion_key", at}
			total := 0
			for item := range 10 {
				v := 1 + r.IntN(5)
				total += v
				measure = append(measure, "k10p_item"+n(item+1), n(v))
			}
			w.row("k10p", append(measure, "k10p_item11", "4", "k10p_item12", "2", "k10p_item13", "1", "k10p_item14", "3", "k10p_score", n(total))...)
		}
	}
	for _, f := range w.files {
		if f.Flush(); f.Error() != nil {
			t.Fatal(f.Error())
		}
	}
	return w.rows
}

// uploadWriter writes rows in the order of the columns that the site file declares.
type uploadWriter struct {
	testing.TB
	dir   string
	m     *site.Mapping
	files map[string]*csv.Writer
	rows  int
}

func (w *uploadWriter) row(table string, pairs ...string) {
	t := w.m.Table(table)
	f := w.files[table]
	if f == nil {
		file, err := os.Create(filepath.Join(w.dir, table+".csv"))
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { file.Close() })
		f = csv.NewWriter(file)
		w.files[table] = f
		if err := f.Write(t.Columns); err != nil {
			w.Fatal(err)
		}
	}
	said := map[string]string{}
	for i := 0; i < len(pairs); i += 2 {
		said[pairs[i]] = pairs[i+1]
	}
	values := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		values[i] = said[c]
	}
	if err := f.Write(values); err != nil {
		w.Fatal(err)
	}
	if !t.About {
		w.rows++
	}
}

// BenchmarkImport imports into a fresh instance by a process of its own, and tells
// rows a second, the most memory that it held and the size of the store:
//
//	go test ./cmd/gateway -run '^$' -bench Import -benchtime 1x -timeout 2h
func BenchmarkImport(b *testing.B) {
	gateway := filepath.Join(b.TempDir(), "gateway")
	if out, err := exec.Command("go", "build", "-o", gateway, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, rows := range []int{50_000, 500_000} {
		b.Run(n1000(rows), func(b *testing.B) {
			for range b.N {
				upload, data := b.TempDir(), b.TempDir()
				n := network(b, upload, rows)
				cmd := exec.Command(gateway, "import", "--data", data, "--tenant", "PHN999", "--site", "pmhc-v4", upload)
				began := time.Now()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%.2000s", err, out)
				}
				b.ReportMetric(float64(n)/time.Since(began).Seconds(), "rows/s")
				b.ReportMetric(float64(cmd.ProcessState.UserTime()+cmd.ProcessState.SystemTime())/float64(n)/1e3, "cpu-µs/row")
				if use, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
					b.ReportMetric(float64(use.Maxrss)/1024, "peak-MiB")
				}
				b.ReportMetric(float64(sizeOf(b, data))/(1<<20), "store-MiB")
			}
		})
	}
}

func n1000(n int) string { return strconv.Itoa(n/1000) + "k" }

// sizeOf is how many bytes lie in a folder.
func sizeOf(t testing.TB, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return nil // it may go while we look
		}
		if info, err := d.Info(); err == nil {
			n += info.Size()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
