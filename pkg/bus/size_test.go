package bus_test

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// typical is a report of a page with so many assets: URLs with hashes, timings to a
// tenth of a millisecond.
func typical(n, assets int) event.Reported {
	chance := rand.New(rand.NewPCG(uint64(n), 7))
	url := fmt.Sprintf("https://www.example.org/articles/%d", n%1000)
	r := event.Reported{
		Request: event.Request{ID: fmt.Sprintf("r%d", n), Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", Asked: time.Now().UTC()},
		At:      time.Now().UTC(), Report: libra.Report{URL: url, FinalURL: url, Status: 200, Outcome: libra.Complete},
	}
	ms := func() float64 { return float64(chance.IntN(9000)) / 10 }
	for range assets {
		kind := []libra.ResourceType{libra.Image, libra.Script, libra.Stylesheet, libra.Font}[chance.IntN(4)]
		size := chance.Int64N(200_000)
		r.Report.Assets = append(r.Report.Assets, libra.Asset{
			URL:  fmt.Sprintf("https://cdn.example.org/assets/%s/%016x-%d.bin", kind, chance.Uint64(), chance.IntN(2000)),
			Type: kind, Initiator: url, Status: 200, HeaderBytes: 300 + chance.Int64N(500), EncodedBytes: size, DecodedBytes: size * 3,
			Fetch: libra.Fetched, MediaType: "image/webp", Protocol: "HTTP/2.0", StartMS: ms(), Timings: &libra.Timings{Wait: ms(), Receive: ms()},
		})
	}
	return r
}

// onDisk is what the files of a folder take, in bytes.
func onDisk(tb testing.TB, dir string) (bytes int64) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil {
			bytes += info.Sys().(*syscall.Stat_t).Blocks * 512
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a temporary file
		tb.Fatal(err)
	}
	return bytes
}

// Reports take less than half of their size on the disk, also in a stream that an
// earlier version made without compression, from the next start on.
func TestReportsAreCompressed(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	stored := func() (info *jetstream.StreamInfo) {
		s, err := rawJetStream(t, b).Stream(t.Context(), event.ReportStream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo()
	}
	old := stored().Config
	old.Compression = jetstream.NoCompression
	if _, err := rawJetStream(t, b).UpdateStream(t.Context(), old); err != nil {
		t.Fatal(err)
	}
	b.Down()
	b.Up() // as an earlier version left it
	b.Streams()
	b.Down()
	b.Up()
	inspector := b.Connect("inspector")
	for n := range 14 {
		if err := inspector.PublishReport(t.Context(), typical(n, 4000)); err != nil {
			t.Fatal(err)
		}
	}
	raw := int64(stored().State.Bytes)
	bustest.Await(t, "full blocks to be compressed", func() bool { return onDisk(t, b.Store()) < raw*2/3 })
	for n := range 14 {
		bustest.Await(t, fmt.Sprint("report ", n), func() bool { // a call ends after a second on a busy machine
			_, err := inspector.LastReport(t.Context(), typical(n, 0).Request.Page)
			return err == nil
		})
	}
}

// BenchmarkReportBytes shows what a report of 60 requests takes in the bus, with and
// without compression, and in the database.
func BenchmarkReportBytes(b *testing.B) {
	const reports = 2000
	for name, compression := range map[string]jetstream.StoreCompression{"bus=raw": jetstream.NoCompression, "bus=s2": jetstream.S2Compression} {
		b.Run(name, func(b *testing.B) {
			server := bustest.Start(b)
			server.Down()
			server.Wipe()
			server.Up()
			js := rawJetStream(b, server)
			_, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: event.ReportStream, Subjects: []string{event.AllReports}, Storage: jetstream.FileStorage, Compression: compression})
			if err != nil {
				b.Fatal(err)
			}
			inspector := server.Connect("inspector")
			empty := onDisk(b, server.Store())
			cpu := processorTime(b)
			for b.Loop() {
				for n := range reports {
					if err := inspector.PublishReport(b.Context(), typical(n, 60)); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.StopTimer()
			b.ReportMetric(float64((processorTime(b)-cpu).Microseconds())/float64(reports*b.N), "cpu-µs/report")
			stream, err := js.Stream(b.Context(), event.ReportStream)
			if err != nil {
				b.Fatal(err)
			}
			state := stream.CachedInfo().State
			if compression != jetstream.NoCompression {
				bustest.Await(b, "full blocks to be compressed", func() bool { return onDisk(b, server.Store())-empty < int64(state.Bytes)*2/3 })
			}
			b.ReportMetric(float64(state.Bytes)/float64(state.Msgs), "sent-B/report")
			b.ReportMetric(float64(onDisk(b, server.Store())-empty)/float64(state.Msgs), "disk-B/report")
			b.ReportMetric(0, "ns/op")
		})
	}
	b.Run("database", func(b *testing.B) {
		dir := b.TempDir()
		w, err := store.Open(b.Context(), filepath.Join(dir, "libra.db"))
		if err != nil {
			b.Fatal(err)
		}
		defer w.Close()
		n := 0
		for b.Loop() {
			var batch []event.Reported
			for range 256 {
				batch = append(batch, typical(n, 60))
				n++
			}
			if _, err := w.AddReports(b.Context(), batch, event.Position{Sequence: uint64(n)}); err != nil {
				b.Fatal(err)
			}
		}
		b.StopTimer()
		b.ReportMetric(float64(onDisk(b, dir))/float64(n), "disk-B/report")
		b.ReportMetric(0, "ns/op")
	})
}

func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
