package score_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/score"
	"libra/pkg/libra"
)

var update = flag.Bool("update", false, "write the golden files")

func weighing(bytes int64) libra.Totals {
	return libra.Totals{Size: libra.Size{TransferBytes: bytes}}
}

func of(t *testing.T, totals libra.Totals, profile string) score.Score {
	t.Helper()
	s, err := score.Of(totals, profile)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func near(a, b, within float64) bool { return math.Abs(a-b) <= within }

func TestTeledrin(t *testing.T) {
	for _, tt := range []struct {
		profile string
		kb      float64
		want    float64
	}{
		{"desktop", 607, 90},
		{"desktop", 1275, 75},
		{"desktop", 2412, 50},
		{"desktop", 4570, 25},
		{"desktop", 9179, 10},
		{"mobile", 516, 90},
		{"mobile", 1127, 75},
		{"mobile", 2164, 50},
		{"mobile", 4119, 25},
		{"mobile", 8337, 10},
		// Between percentiles, half way in ln(bytes) is half way in rank.
		{"desktop", math.Sqrt(1275 * 2412), 62.5},
		{"mobile", math.Sqrt(4119 * 8337), 17.5},
		// Outside, the end slopes go on: as far below p10 as p25 is above it.
		{"desktop", 607 * 607 / 1275.0, 99.9}, // 105 clamped
		{"desktop", 607 * math.Sqrt(607/1275.0), 97.5},
		{"desktop", 9179 * math.Sqrt(9179/4570.0), 2.5},
		{"desktop", 1e6, 0.1},
		{"desktop", 0, 99.9},
	} {
		got := of(t, weighing(int64(tt.kb*1024)), tt.profile)
		if !near(*got.Terms[0].Heavier, tt.want, 0.01) {
			t.Errorf("%s, %.0f KB: got %.3f, want %.3f", tt.profile, tt.kb, *got.Terms[0].Heavier, tt.want)
		}
		if got.Score != int(math.Round(*got.Terms[0].Heavier)) {
			t.Errorf("%s, %.0f KB: score %d of %.3f", tt.profile, tt.kb, got.Score, *got.Terms[0].Heavier)
		}
	}
}

// TestMonotone: a heavier page never scores better.
func TestMonotone(t *testing.T) {
	for _, profile := range []string{"desktop", "mobile"} {
		last := of(t, weighing(0), profile)
		for bytes := int64(1000); bytes < 1e8; bytes += bytes / 7 {
			got := of(t, weighing(bytes), profile)
			if *got.Terms[0].Heavier > *last.Terms[0].Heavier || got.Lighthouse.Score > last.Lighthouse.Score || got.Carbon.Grams < last.Carbon.Grams {
				t.Errorf("%s, %d bytes: %+v after %+v", profile, bytes, got, last)
			}
			last = got
		}
	}
}

func TestLighthouse(t *testing.T) {
	for kib, want := range map[int64]float64{1600: .9981, 2412: .9451, 2667: .9, 3000: .8185, 4000: .5, 5000: .2402, 8000: .0142} {
		got := of(t, weighing(kib*1024), "desktop").Lighthouse
		if !near(got.Score, want, 0.00005) {
			t.Errorf("%d KiB: got %.5f, want %.4f", kib, got.Score, want)
		}
	}
	if got := of(t, weighing(4000*1024+1), "desktop").Lighthouse; got.Score >= 0.5 {
		t.Errorf("a byte above the median scores %v", got.Score)
	}
}

func TestCarbon(t *testing.T) {
	for _, tt := range []struct {
		bytes  int64
		grams  float64
		rating string
	}{
		{1e9, 148.2, "F"},
		{0, 0, "A+"},
		{269_905, .040, "A+"},
		{270_000, .0400, "A"},
		{533_000, .0790, "A"},
		{534_000, .0791, "B"},
		{1_000_000, .1482, "C"},
		{1_411_000, .2091, "D"},
		{2_000_000, .2964, "E"},
		{2_430_000, .3601, "F"},
	} {
		got := of(t, weighing(tt.bytes), "mobile").Carbon
		if !near(got.Grams, tt.grams, 0.0001) || got.Rating != tt.rating {
			t.Errorf("%d bytes: got %.4f g, %s; want %.4f g, %s", tt.bytes, got.Grams, got.Rating, tt.grams, tt.rating)
		}
	}
}

func TestVerdict(t *testing.T) {
	want := map[int]string{100: "A for effort.", 90: "A for effort.", 89: "Could be better.", 50: "Could be better.", 49: "Not great.", 0: "Not great."}
	for n, words := range want {
		if got := score.Verdict(n); got != words {
			t.Errorf("%d: got %q, want %q", n, got, words)
		}
	}
}

// TestWords: praise reads as praise, and docs/inspection.md has the table.
func TestWords(t *testing.T) {
	docs, err := os.ReadFile("../../../docs/inspection.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, band := range []struct {
		from, to int
		words    string
	}{{90, 100, "Excellent"}, {50, 89, "Fair"}, {0, 49, "Heavy"}} {
		for n := band.from; n <= band.to; n++ {
			if got := score.Words(n, false); got != band.words {
				t.Errorf("%d: got %q, want %q", n, got, band.words)
			}
		}
		if row := fmt.Sprintf("| %d to %d | %s | `%s` |", band.from, band.to, band.words, score.Verdict(band.from)); !strings.Contains(string(docs), row) {
			t.Errorf("docs/inspection.md lacks %s", row)
		}
	}
}

func TestCompared(t *testing.T) {
	for bytes, want := range map[int64]string{
		0: "Lighter than 99.9 % of the web's desktop pages", 560: "Lighter than 99.9 % of the web's desktop pages",
		2412 * 1024: "Lighter than 50.0 % of the web's desktop pages", 2_244_339: "Lighter than 53.8 % of the web's desktop pages",
		1e9: "Heavier than 99.9 % of the web's desktop pages",
	} {
		if got := of(t, weighing(bytes), "desktop").Compared(); got != want {
			t.Errorf("%d bytes: got %q, want %q", bytes, got, want)
		}
	}
	for share, want := range map[float64]string{0: "0.1 %", 100: "99.9 %", 99.96: "99.9 %", 0.04: "0.1 %", 53.8: "53.8 %"} {
		if got := score.Percent(share); got != want {
			t.Errorf("Percent(%v) = %q, want %q", share, got, want)
		}
	}
}

// TestOnlySound: a lower bound and an error page are light for no merit.
func TestOnlySound(t *testing.T) {
	for _, tt := range []struct {
		outcome libra.Outcome
		status  int
		profile string
		scored  bool
	}{
		{libra.Complete, 200, "desktop", true},
		{libra.Complete, 200, "tablet", false},
		{libra.Complete, 200, "mobile", true},
		{libra.Error, 404, "desktop", false},
		{libra.Partial, 200, "desktop", false},
		{libra.Error, 500, "desktop", false},
		{libra.Error, 0, "desktop", false},
	} {
		got := score.OfReport(libra.Report{Outcome: tt.outcome, Status: tt.status, Totals: weighing(1000)}, tt.profile)
		if (got != nil) != tt.scored {
			t.Errorf("%+v: %+v", tt, got)
		}
	}
}

func TestProfileMustBeKnown(t *testing.T) {
	_, err := score.Of(libra.Totals{}, "tablet")
	if err == nil || err.Error() != `no percentiles for profile "tablet": must be "desktop" or "mobile"` {
		t.Errorf("got %v", err)
	}
}

// TestJSON keeps the shape that reports and the API show.
func TestJSON(t *testing.T) {
	assets := []libra.Asset{
		{Type: libra.Document, EncodedBytes: 40 << 10, Fetch: libra.Fetched},
		{Type: libra.Script, EncodedBytes: 500 << 10, Fetch: libra.Fetched},
		{Type: libra.Image, EncodedBytes: 900 << 10, Fetch: libra.Fetched},
		{Type: libra.Image, EncodedBytes: 900 << 10, Fetch: libra.Lazy},
	}
	got, err := json.MarshalIndent(of(t, libra.Sum(assets), "desktop"), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "score.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Error(diff)
	}
}

// TestAtMost: a page whose scripts may fetch more scores at most its score, and
// is not compared with other pages.
func TestAtMost(t *testing.T) {
	for _, c := range []struct {
		bytes                         int64
		more                          bool
		score, verdict, word, compare string
	}{
		{560, false, "100", "A for effort.", "Excellent", "Lighter than 99.9 % of the web's desktop pages"},
		{560, true, "at most 100", "", "", "Not compared with the web's desktop pages, because its scripts were not executed and may fetch more"},
		{9 << 20, true, "at most 10", "Not great.", "Heavy", "Not compared with the web's desktop pages, because its scripts were not executed and may fetch more"},
	} {
		s := score.OfReport(libra.Report{Outcome: libra.Complete, Status: 200, Totals: weighing(c.bytes), MayFetchMore: c.more}, "desktop")
		if s == nil {
			t.Fatalf("%d bytes: no score", c.bytes)
		}
		if score.Figure(s.Score, s.AtMost) != c.score || s.Verdict != c.verdict || score.Words(s.Score, s.AtMost) != c.word || s.Compared() != c.compare {
			t.Errorf("%d bytes, may fetch more %v: got %+v: %s", c.bytes, c.more, s, s.Compared())
		}
		data, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), `"at_most":true`) != c.more || strings.Contains(string(data), `"heavier":null`) != c.more || s.Terms[0].Share() == "–" != c.more {
			t.Errorf("%d bytes, may fetch more %v: %s", c.bytes, c.more, data)
		}
	}
}
