// Package docs holds what programs show of the documentation.
package docs

import _ "embed"

// Operations is operations.md; its section "Runbook" has a section for each
// alarm, named as the alarm's Runbook names it.
//
//go:embed operations.md
var Operations string
