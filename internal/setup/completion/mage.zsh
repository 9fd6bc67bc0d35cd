#compdef mage
# zsh: the targets of the project's mage, and the instances behind a target.
local -a targets instances
if (( CURRENT == 2 )); then
  targets=(${(f)"$(go tool mage -l 2>/dev/null | awk '/^  / { t = $1; sub(/\*$/, "", t); sub(/^ *[^ ]+ +/, ""); gsub(/:/, "\\:", t); print t ":" $0 }')"})
  _describe target targets
else
  instances=(env/[a-z]*.env(N:t:r))
  compadd -- ${instances:#*.*}
fi
