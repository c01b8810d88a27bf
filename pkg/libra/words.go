package libra

import "strconv"

// Several counts things for people: "1 page", "2 pages".
func Several(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return strconv.Itoa(n) + " " + noun
}
