package lab

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"libra/pkg/labapi"
)

const (
	// window is how far back Last of a state goes.
	window = 10 * time.Second
	// mostLatencies bounds the latencies that a second keeps, of submissions and of reads.
	mostLatencies = 256
)

// bucket is what happened in one second.
type bucket struct {
	labapi.Counts
	second         int64 // Unix time
	submits, reads []time.Duration
}

// counter counts in all, and of the last seconds.
type counter struct {
	total   labapi.Counts
	buckets [window/time.Second + 1]bucket // by second modulo their number
}

// keep adds a latency, while there is room.
func keep(list []time.Duration, took time.Duration) []time.Duration {
	if len(list) < mostLatencies {
		list = append(list, took)
	}
	return list
}

// add lets change add to the counts of now.
func (c *counter) add(now time.Time, change func(*bucket)) {
	at := &c.buckets[now.Unix()%int64(len(c.buckets))]
	if at.second != now.Unix() {
		*at = bucket{second: now.Unix()}
	}
	before := at.Counts
	change(at)
	sum(&c.total, at.Counts, 1)
	sum(&c.total, before, -1)
}

// sum adds the counts of other, times so many.
func sum(c *labapi.Counts, other labapi.Counts, times int) {
	c.Submitted += times * other.Submitted
	c.Accepted += times * other.Accepted
	c.Refused += times * other.Refused
	c.Failed += times * other.Failed
	c.Skipped += times * other.Skipped
	c.Reads += times * other.Reads
	c.ReadsFailed += times * other.ReadsFailed
}

// figures are the counts in all, and of the ten whole seconds before that of now. The
// latencies of both are those of the last.
func (c *counter) figures(now time.Time) (total, last labapi.Counts) {
	var submits, reads []time.Duration
	for i := range c.buckets {
		b := &c.buckets[i]
		if ago := now.Unix() - b.second; ago > 0 && ago < int64(len(c.buckets)) {
			sum(&last, b.Counts, 1)
			submits, reads = append(submits, b.submits...), append(reads, b.reads...)
		}
	}
	last.SubmitP99MS, last.ReadP99MS = p99(submits), p99(reads)
	total = c.total
	total.SubmitP99MS, total.ReadP99MS = last.SubmitP99MS, last.ReadP99MS
	return total, last
}

// p99 is in milliseconds; 0 of nothing.
func p99(list []time.Duration) float64 {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return float64(list[min(len(list)*99/100, len(list)-1)].Microseconds()) / 1000
}

// idOf is the page of an accepted submission.
func idOf(body []byte) string {
	var doc struct{ ID string }
	if json.Unmarshal(body, &doc) != nil || strings.ContainsAny(doc.ID, "/?#") {
		return ""
	}
	return doc.ID
}

// detail is what a problem document says.
func detail(body []byte) string {
	var p struct{ Detail string }
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	return p.Detail
}
