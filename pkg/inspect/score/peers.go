package score

import "math"

// Lighthouse is the score of Lighthouse's total-byte-weight audit.
type Lighthouse struct {
	Audit string `json:"audit"` // "total-byte-weight"
	// Score is 0 to 1, not rounded.
	Score  float64 `json:"score"`
	Bytes  int64   `json:"bytes"`
	P10    float64 `json:"p10"`    // bytes that score 0.9
	Median float64 `json:"median"` // bytes that score 0.5
}

const (
	lighthouseP10    = 2667 * 1024
	lighthouseMedian = 4000 * 1024
	// inverseErfcOneFifth is x where erfc(x) is 1/5.
	inverseErfcOneFifth = 0.9061938024368232
)

// lighthouse is the log-normal score of Lighthouse's shared/statistics.js:
// (1 - erf(ln(v/median) * inverseErfcOneFifth / -ln(p10/median))) / 2, kept
// on the right side of 0.9 and 0.5 against rounding.
func lighthouse(bytes int64) Lighthouse {
	l := Lighthouse{Audit: "total-byte-weight", Score: 1, Bytes: bytes, P10: lighthouseP10, Median: lighthouseMedian}
	if bytes <= 0 {
		return l
	}
	v := float64(bytes)
	x := math.Log(v/lighthouseMedian) * inverseErfcOneFifth / -math.Log(float64(lighthouseP10)/lighthouseMedian)
	l.Score = (1 - math.Erf(x)) / 2
	switch {
	case v <= lighthouseP10:
		l.Score = min(max(l.Score, 0.9), 1)
	case v <= lighthouseMedian:
		l.Score = min(max(l.Score, 0.5), math.Nextafter(0.9, 0))
	default:
		l.Score = min(max(l.Score, 0), math.Nextafter(0.5, 0))
	}
	return l
}

// CarbonModel names the source of the carbon figures:
// https://sustainablewebdesign.org/estimating-digital-emissions/
const CarbonModel = "swd-v4"

// Carbon is the emission of one first visit.
type Carbon struct {
	Model       string  `json:"model"`
	Grams       float64 `json:"grams"`  // CO2 equivalent
	Rating      string  `json:"rating"` // A+, A, B, C, D, E or F
	Bytes       int64   `json:"bytes"`
	BytesPerGB  float64 `json:"bytes_per_gb"`
	KWhPerGB    float64 `json:"kwh_per_gb"`    // data centre, network and device, in use and production
	GramsPerKWh float64 `json:"grams_per_kwh"` // the world's average
}

const (
	bytesPerGB  = 1e9
	kwhPerGB    = 0.300
	gramsPerKWh = 494
)

// ratings are the digital carbon ratings' upper bounds, in grams.
var ratings = []struct {
	grams float64
	name  string
}{{0.040, "A+"}, {0.079, "A"}, {0.145, "B"}, {0.209, "C"}, {0.278, "D"}, {0.359, "E"}}

func carbon(bytes int64) Carbon {
	c := Carbon{
		Model: CarbonModel, Bytes: bytes, Rating: "F",
		BytesPerGB: bytesPerGB, KWhPerGB: kwhPerGB, GramsPerKWh: gramsPerKWh,
	}
	c.Grams = float64(bytes) / bytesPerGB * kwhPerGB * gramsPerKWh
	for _, r := range ratings {
		if c.Grams <= r.grams {
			c.Rating = r.name
			break
		}
	}
	return c
}
