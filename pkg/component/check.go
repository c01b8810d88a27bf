package component

// Check is the document that a component's --check --json prints on standard
// output, whether it has faults or not. It only ever gains fields: the program
// that reads it may be of another version.
type Check struct {
	Component string       `json:"component"`
	Version   string       `json:"version"`
	Faults    []CheckFault `json:"faults"` // never null
	// Schema is of the component that writes the history; nil of the others.
	Schema *Schema `json:"schema,omitempty"`
}

// Schema says which databases a program can use.
type Schema struct {
	// Level is the number of migrations that the program knows. A database gets to it when
	// the program opens it.
	Level int `json:"level"`
	// Least is the level of the oldest programs that can use a database of this level.
	Least int `json:"least"`
}

// CheckFault is a fault of a component's configuration.
type CheckFault struct {
	Text string `json:"text"` // one line, with the remedy
	// Tolerable faults keep the component from nothing but what they are about:
	// it starts with a warning.
	Tolerable bool `json:"tolerable"`
	// ReloadOnly faults keep the component from a reload and not from a start: an
	// earlier good file or the defaults are in force then.
	ReloadOnly bool `json:"reload_only,omitempty"`
	// Setting is the name of a setting that the component goes on without.
	Setting string `json:"setting,omitempty"`
	// InEffect is what is in effect in place of its value; "" if the setting is
	// unknown.
	InEffect string `json:"in_effect,omitempty"`
}
