package units

// Read and Name are for tests.
var (
	Read = read
	Name = name
)
