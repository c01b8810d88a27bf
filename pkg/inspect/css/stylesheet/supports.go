package stylesheet

import (
	"strings"

	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/syntax"
)

// Supports says whether the condition of @supports holds in Chromium. A
// declaration holds when its property is known and its value passes where
// this package knows the property's grammar.
func Supports(cond string) bool {
	ns, ok := syntax.Values(cond)
	return ok && media.Condition(syntax.Fields(ns), supportsLeaf(cond)) == media.Yes
}

// SupportsDeclaration takes a bare declaration too, as @import's supports() does.
func SupportsDeclaration(cond string) bool {
	if name, value, ok := strings.Cut(cond, ":"); ok && !strings.ContainsAny(name, "( ") {
		return property.Supports(strings.TrimSpace(name), value)
	}
	return Supports(cond)
}

func supportsLeaf(src string) func(syntax.Value) media.Truth {
	return func(n syntax.Value) media.Truth {
		if n.Kind == syntax.OpenParen {
			text := syntax.Inner(src, n)
			name, value, ok := strings.Cut(text, ":")
			return media.TruthOf(ok && property.Supports(strings.TrimSpace(name), value))
		}
		text := syntax.Inner(src, n)
		switch strings.ToLower(n.Text) {
		case "selector":
			return media.TruthOf(selector.Supports(text))
		case "font-tech":
			return media.TruthOf(font.Techs[strings.ToLower(strings.TrimSpace(text))])
		case "font-format":
			return media.TruthOf(font.Formats[strings.ToLower(strings.TrimSpace(text))])
		case "at-rule":
			name := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(text), "@"))
			_, group := groupKinds[name]
			_, desc := descriptorKinds[name]
			return media.TruthOf(group || desc || name == "keyframes" || name == "import" || name == "namespace")
		}
		return media.No
	}
}
