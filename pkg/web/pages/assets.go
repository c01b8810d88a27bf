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
	Rows   []assetRow         // those that the page shows, see maxRows
	Counts int                // assets that are in the totals
	Bytes  int64              // of them
	Others int                // assets that were not requested
	Broken int
}

// groupsOf folds a long list of sorted rows by type. The heaviest type is first
// where the rows are sorted by size; else the type of the first row. Of more than
// maxRows rows the last are counted and not shown.
func groupsOf(rows []assetRow, by string) []assetGroup {
	if len(rows) <= maxFlat {
		return []assetGroup{{Rows: rows}}
	}
	var groups []assetGroup
	for i, row := range rows {
		at := slices.IndexFunc(groups, func(g assetGroup) bool { return g.Type == row.Type })
		if at < 0 {
			at = len(groups)
			groups = append(groups, assetGroup{Type: row.Type})
		}
		g := &groups[at]
		if i < maxRows {
			g.Rows = append(g.Rows, row)
		}
		if row.Broken() {
			g.Broken++
		}
		if row.Counts {
			g.Counts++
			g.Bytes += row.TransferBytes()
		} else {
			g.Others++
		}
	}
	if by != "type" && by != "found" {
		slices.SortStableFunc(groups, func(a, b assetGroup) int { return cmp.Compare(b.Bytes, a.Bytes) })
	}
	return groups
}
