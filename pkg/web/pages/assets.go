package pages

import (
	"cmp"
	"slices"

	"libra/pkg/libra"
)

// maxFlat is how many assets are listed one under the other. Longer lists fold, by
// type.
const maxFlat = 20

// assetGroup is the assets of one type in a long list, or all of a short one.
type assetGroup struct {
	Type   libra.ResourceType // "" for all of a short list
	Rows   []assetRow
	Counts int   // of Rows, those in the totals
	Bytes  int64 // of them
	Broken int
}

// Others counts the assets that were not requested.
func (g assetGroup) Others() int { return len(g.Rows) - g.Counts }

// groupsOf folds a long list of sorted rows by type. The heaviest type is first
// where the rows are sorted by size; else the type of the first row.
func groupsOf(rows []assetRow, by string) []assetGroup {
	if len(rows) <= maxFlat {
		return []assetGroup{{Rows: rows}}
	}
	var groups []assetGroup
	for _, row := range rows {
		at := slices.IndexFunc(groups, func(g assetGroup) bool { return g.Type == row.Type })
		if at < 0 {
			at = len(groups)
			groups = append(groups, assetGroup{Type: row.Type})
		}
		g := &groups[at]
		g.Rows = append(g.Rows, row)
		if row.Broken() {
			g.Broken++
		}
		if row.Counts {
			g.Counts++
			g.Bytes += row.TransferBytes()
		}
	}
	if by != "type" && by != "found" {
		slices.SortStableFunc(groups, func(a, b assetGroup) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	return groups
}
