//go:build race

package hostile_test

// raceDetector multiplies memory, so memory is not measured with it.
const raceDetector = true
