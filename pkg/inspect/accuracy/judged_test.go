//go:build accuracy

package accuracy_test

import (
	"fmt"
	"testing"
)

// judgement holds may_fetch_more against what Chromium requested beyond the
// report: of the pages that it is said of, and of those that it is true of.
type judgement struct {
	corpus         string
	right, wrong   int      // said of pages where Chromium requested more, and where it did not
	missed, silent int      // not said of such pages
	unsaid         figures  // of the pages that it is not said of
	wrongPages     []string // those of wrong and missed
}

func judge(corpus string, pages []figures) judgement {
	j := judgement{corpus: corpus}
	for _, f := range pages {
		switch more := f.miss > 0; {
		case f.mayFetch && more:
			j.right++
		case f.mayFetch:
			j.wrong++
			j.wrongPages = append(j.wrongPages, "said of "+f.page)
		case more:
			j.missed++
			j.wrongPages = append(j.wrongPages, "not said of "+f.page)
		default:
			j.silent++
		}
		if !f.mayFetch {
			j.unsaid.add(f)
		}
	}
	return j
}

func (j *judgement) add(o judgement) {
	j.right += o.right
	j.wrong += o.wrong
	j.missed += o.missed
	j.silent += o.silent
	j.unsaid.add(o.unsaid)
	for _, page := range o.wrongPages {
		j.wrongPages = append(j.wrongPages, page+" in "+o.corpus)
	}
}

func (j judgement) line() {
	fmt.Printf("%-16s %6d %9d %9d %9.4f %9.4f %10.4f\n", j.corpus, j.right+j.wrong+j.missed+j.silent, j.right+j.missed, j.right+j.wrong,
		ratio(j.right, j.right+j.wrong), ratio(j.right, j.right+j.missed), j.unsaid.recall())
}

// checkJudgements prints how often may_fetch_more is right, and fails below the
// required figures.
func checkJudgements(t *testing.T, list []judgement) {
	all := judgement{corpus: "all"}
	fmt.Printf("\nmay_fetch_more: pages of which Chromium requested more than the report lists, pages of which the report says so,\nand the recall of requests on the other pages\n%-16s %6s %9s %9s %9s %9s %10s\n",
		"corpus", "pages", "more", "said", "precision", "recall", "others")
	for _, j := range list {
		j.line()
		all.add(j)
	}
	all.line()
	for _, page := range all.wrongPages[:min(len(all.wrongPages), 20)] {
		fmt.Println("  wrongly", page)
	}
	precision, recall := ratio(all.right, all.right+all.wrong), ratio(all.right, all.right+all.missed)
	if precision < 0.85 || recall < 0.9 {
		t.Errorf("may_fetch_more: precision %.4f, recall %.4f, want at least 0.85 and 0.9", precision, recall)
	}
	if r := all.unsaid.recall(); r < 0.99 {
		t.Errorf("recall of requests on the other pages is %.4f, want at least 0.99", r)
	}
}
