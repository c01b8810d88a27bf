//go:build race

package hostile_test

// raceDetector multiplies memory: no figure of it means anything then.
const raceDetector = true
