/** The word by which the scripts ask for candidates: a line each, `value<TAB>about`; `:files` means those of the shell. */
export const COMPLETE = '__complete';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const bash = `# bash completion of vmpulse
_vmpulse() {
  local value about current
  current=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS=$'\\t' read -r value about; do
    if [[ $value == :files ]]; then
      compopt -o default 2>/dev/null
    elif [[ $value == "$current"* ]]; then
      COMPREPLY+=("$value")
    fi
  done < <("\${COMP_WORDS[0]}" ${COMPLETE} -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _vmpulse vmpulse
`;

const zsh = `#compdef vmpulse
# zsh completion of vmpulse
_vmpulse() {
  local line value about
  local -a items
  for line in "\${(@f)$("\${words[1]}" ${COMPLETE} -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    value=\${line%%$'\\t'*}
    about=\${line#*$'\\t'}
    if [[ $value == :files ]]; then
      _files
    elif [[ -n $value ]]; then
      items+=("\${value//:/\\\\:}:$about")
    fi
  done
  (( \${#items} )) && _describe -t vmpulse vmpulse items
}
if [[ \${funcstack[1]} == _vmpulse ]]; then
  _vmpulse "$@"
else
  compdef _vmpulse vmpulse
fi
`;

const fish = `# fish completion of vmpulse
function __vmpulse_complete
  set -l before (commandline -opc)
  set -l current (commandline -ct)
  for line in ($before[1] ${COMPLETE} -- $before[2..] "$current" 2>/dev/null)
    if test "$line" = :files
      __fish_complete_path "$current"
    else
      echo -- $line
    end
  end
end
complete -c vmpulse -f -a '(__vmpulse_complete)'
`;

export const COMPLETION_SCRIPTS: Readonly<Record<Shell, string>> = { bash, zsh, fish };
