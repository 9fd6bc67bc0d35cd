# bash: the targets of the project's mage behind the word mage, and the instances behind a target.
# shellcheck disable=SC2312 # what fails completes nothing
_mrs_mage() {
  local line="${COMP_LINE:0:COMP_POINT}" word words
  word="${line##* }"
  if [[ $line =~ ^[^\ ]+\ +[^\ ]*$ ]]; then
    words="$(go tool mage -l 2>/dev/null | awk '/^  / { sub(/\*$/, "", $1); print $1 }')"
  else
    words="$(find env -maxdepth 1 -name '[a-z]*.env' ! -name '*.*.env' 2>/dev/null | sed 's#.*/##; s#\.env$##')"
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  # Readline takes what is before a colon for another word.
  if [[ $word == *:* && ${COMP_WORDBREAKS-} == *:* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${word%:*}:"}")
  fi
}
complete -o default -F _mrs_mage mage
