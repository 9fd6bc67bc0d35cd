# fish: the targets of the project's mage, and the instances behind a target.
function __mrs_mage_targets
    go tool mage -l 2>/dev/null | string match -r '^  \S.*' | string replace -r '^  ([^ *]+)\*? +(.*)$' '$1\t$2'
end
function __mrs_mage_instances
    set -l files env/*.env
    string match -r '^env/[a-z][^.]*(?=\.env$)' -- $files | string replace env/ ''
end
complete -c mage -f -n 'test (count (commandline -opc)) -eq 1' -a '(__mrs_mage_targets)'
complete -c mage -f -n 'test (count (commandline -opc)) -gt 1' -a '(__mrs_mage_instances)'
