#compdef libra
# Completes the libra command in zsh: put this file into a folder of $fpath as
# _libra, or source it after compinit.
_libra() {
	local line
	local -a candidates
	for line in ${(f)"$(command libra __complete "${(@)words[2,CURRENT]}" 2>/dev/null)"}; do
		candidates+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
	done
	if (( ${#candidates} )); then
		_describe 'libra' candidates
	else
		_files
	fi
}
if [[ ${funcstack[1]} == _libra ]]; then
	_libra "$@"
else
	compdef _libra libra
fi
