package recorder

import (
	"context"

	"libra/pkg/store"
)

// OpenWith has the database opened by open. Call it before Run.
func (r *Recorder) OpenWith(open func(context.Context, string) (*store.Writer, error)) {
	r.openStore = open
}
