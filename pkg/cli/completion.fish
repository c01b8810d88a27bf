# Completes the libra command in fish: put this file into
# ~/.config/fish/completions/libra.fish.
function __libra_candidates
    set -l words (commandline -opc) (commandline -ct)
    set -g __libra_list (command libra __complete $words[2..-1] 2>/dev/null)
    test (count $__libra_list) -gt 0
end
# File names, where libra has no candidates.
complete -c libra -n '__libra_candidates' -f -a '$__libra_list'
