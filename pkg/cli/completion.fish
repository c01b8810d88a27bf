# Completes the libra command in fish: put this file into
# ~/.config/fish/completions/libra.fish.
function __libra_complete
    set -l words (commandline -opc) (commandline -ct)
    command libra __complete $words[2..-1] 2>/dev/null
end
complete -c libra -a '(__libra_complete)'
