# zsh -f capture.zsh SCRIPT LINE: print what zsh would offer at the end of LINE, one a line.
#
# zsh completes only at a prompt on a terminal, so zpty gives it one; compadd, in which every completion ends,
# is made to tell what it was given. $KIT_COMPINIT is a file in which one run leaves for the next what compinit
# found, which takes it half a second.
zmodload zsh/zpty

setup=$(cat <<'SETUP'
PROMPT=
autoload -Uz compinit
compinit -u -d "$KIT_COMPINIT"
source "$KIT_COMPLETION"
bindkey '^M' undefined
bindkey '^J' undefined
bindkey '^I' complete-word
null-line () { echo -E - $'\0' }
compprefuncs=( null-line )
comppostfuncs=( null-line exit )
zstyle ':completion:*' list-grouped false
zstyle ':completion:*' insert-tab false
compadd () {
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then
        builtin compadd "$@"
        return $?
    fi
    typeset -a found
    builtin compadd -A found "$@"
    builtin compadd "$@"
    [[ -n $found ]] && print -l -r -- $found
}
echo ok
SETUP
)
local line
integer seen=0
export KIT_COMPLETION=$1
file=$(mktemp)
print -r -- $setup >$file
zpty z zsh -f -i
zpty -w z "source $file"
repeat 20; do
    zpty -r z line || break
    [[ $line == ok* ]] && break
done
rm -f $file
[[ $line == ok* ]] || { print -u2 "zsh did not start"; exit 2 }
zpty -w z "$2"$'\t'
while zpty -r z; do :; done | while IFS= read -r line; do
    if [[ $line == *$'\0\r' ]]; then
        (( seen++ )) && exit 0
        continue
    fi
    (( seen )) && print -r -- ${line%$'\r'}
done
exit 0
