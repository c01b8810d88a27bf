# Completes the libra command in bash: source this file.
_libra() {
	local candidates candidate
	candidates=$(command libra __complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f 1)
	COMPREPLY=()
	while IFS= read -r candidate; do
		[[ -n $candidate ]] && COMPREPLY+=("$candidate")
	done <<<"$candidates"
}
complete -o bashdefault -o default -F _libra libra
