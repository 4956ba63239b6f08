/** Shell completion for bash, zsh and fish, written from the command line's own table of commands and options. */
import { nouns, ownVerbs, verbs } from './table.ts'
import type { Options } from '../options/spec.ts'

/** One thing that can be typed: `kago run`, `kago container run`. */
interface Line {
  readonly words: string
  readonly summary: string
  /** `--name`, `-n`, with what it does. */
  readonly options: { readonly spelling: string; readonly summary: string }[]
  readonly takes: 'containers' | 'images' | 'files'
}

export interface Completion {
  readonly bash: string
  readonly zsh: string
  readonly fish: string
}

export async function makeCompletion(): Promise<Completion> {
  const lines = await readLines()
  const first = [
    ...ownVerbs.map(([name, { summary }]) => ({ name, summary })),
    ...Object.entries(nouns).map(([name, { summary }]) => ({ name, summary })),
  ]
  return { bash: bash(lines, first), zsh: zsh(lines, first), fish: fish(lines, first) }
}

async function readLines(): Promise<Line[]> {
  const lines: Line[] = []
  for (const [name, entry] of Object.entries(verbs)) {
    const { options, usage } = await entry.load()
    lines.push({ words: name, summary: entry.summary, options: spell(options), takes: whatFollows(usage) })
  }
  for (const [noun, { verbs: below }] of Object.entries(nouns)) {
    for (const [word, verb] of Object.entries(below)) {
      const line = lines.find(({ words }) => words === verb)
      if (line !== undefined && line.words !== `${noun} ${word}`)
        lines.push({ ...line, words: `${noun} ${word}` })
    }
  }
  // `network create` is there twice: by itself and below its noun.
  return [...new Map(lines.map((line) => [line.words, line])).values()]
}

function spell(options: Options): Line['options'] {
  return Object.entries(options)
    .filter(([, option]) => option.isHidden !== true)
    .flatMap(([name, { short, summary }]) => [
      { spelling: `--${name}`, summary },
      ...(short === undefined ? [] : [{ spelling: `-${short}`, summary }]),
    ])
}

function whatFollows(usage: string): Line['takes'] {
  if (/\bIMAGE\b/.test(usage)) return 'images'
  return /\bCONTAINER\b/.test(usage) ? 'containers' : 'files'
}

type Word = { name: string; summary: string }

const listing = {
  containers: "kago ps --all --format '{{.Names}}' 2>/dev/null",
  images: "kago images --format '{{.Repository}}:{{.Tag}}' 2>/dev/null",
}

function bash(lines: Line[], first: Word[]): string {
  return `# Completion of kago for bash. Written by the build.
_kago() {
  local current=\${COMP_WORDS[COMP_CWORD]} command="\${COMP_WORDS[1]}" options= takes=
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${first.map(({ name }) => name).join(' ')}' -- "$current"))
    return
  fi
  case $command in
    ${Object.keys(nouns).join(' | ')})
      if [ "$COMP_CWORD" -eq 2 ]; then
        case $command in
${Object.entries(nouns)
  .map(
    ([noun, { verbs: below }]) =>
      `          ${noun}) COMPREPLY=($(compgen -W '${Object.keys(below).join(' ')}' -- "$current")) ;;`,
  )
  .join('\n')}
        esac
        return
      fi
      command="$command \${COMP_WORDS[2]}" ;;
  esac
  case $command in
${lines.map(({ words, options, takes }) => `    '${words}') options='${options.map(({ spelling }) => spelling).join(' ')}' takes=${takes} ;;`).join('\n')}
  esac
  case $current in -*) COMPREPLY=($(compgen -W "$options" -- "$current")); return ;; esac
  case $takes in
    containers) COMPREPLY=($(compgen -W "$(${listing.containers})" -- "$current")) ;;
    images) COMPREPLY=($(compgen -W "$(${listing.images})" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
  if declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions "$current"; fi
}
complete -F _kago kago
`
}

function zsh(lines: Line[], first: Word[]): string {
  const words = (list: Word[]) => list.map(({ name, summary }) => `'${name}:${quoted(summary)}'`).join(' ')
  return `#compdef kago
# Completion of kago for zsh. Written by the build.
_kago() {
  local -a commands options
  local command=$words[2] takes=
  if (( CURRENT == 2 )); then
    commands=(${words(first)})
    _describe command commands
    return
  fi
  case $command in
${Object.entries(nouns)
  .map(
    ([noun, { verbs: below }]) => `    ${noun})
      if (( CURRENT == 3 )); then
        commands=(${words(Object.entries(below).map(([name, verb]) => ({ name, summary: verbs[verb].summary })))})
        _describe command commands
        return
      fi
      command="$command $words[3]" ;;`,
  )
  .join('\n')}
  esac
  case $command in
${lines
  .map(
    ({ words: name, options, takes }) =>
      `    '${name}') takes=${takes} options=(${words(options.map(({ spelling, summary }) => ({ name: spelling, summary })))}) ;;`,
  )
  .join('\n')}
  esac
  if [[ $PREFIX == -* ]]; then
    _describe option options
    return
  fi
  case $takes in
    containers) compadd -- \${(f)"$(${listing.containers})"} ;;
    images) compadd -- \${(f)"$(${listing.images})"} ;;
    *) _files ;;
  esac
}
_kago "$@"
`
}

function fish(lines: Line[], first: Word[]): string {
  const begin = 'complete -c kago'
  const seen = (words: string) =>
    words
      .split(' ')
      .map((word) => `__fish_seen_subcommand_from ${word}`)
      .join('; and ')
  return [
    '# Completion of kago for fish. Written by the build.',
    `${begin} -f`,
    ...first.map(
      ({ name, summary }) => `${begin} -n __fish_use_subcommand -a ${name} -d '${quoted(summary)}'`,
    ),
    ...Object.entries(nouns).map(
      ([noun, { verbs: below }]) => `${begin} -n '${seen(noun)}' -a '${Object.keys(below).join(' ')}'`,
    ),
    ...lines.flatMap(({ words, options, takes }) => [
      ...options.map(({ spelling, summary }) => {
        const form = spelling.startsWith('--') ? `-l ${spelling.slice(2)}` : `-s ${spelling.slice(1)}`
        return `${begin} -n '${seen(words)}' ${form} -d '${quoted(summary)}'`
      }),
      takes === 'files'
        ? `${begin} -n '${seen(words)}' -F`
        : `${begin} -n '${seen(words)}' -a "(${listing[takes].replaceAll('$', '\\$')})"`,
    ]),
    '',
  ].join('\n')
}

/** Inside single quotes of any of the three shells; a colon would end a name in zsh. */
function quoted(text: string): string {
  return text.replaceAll("'", '’').replaceAll(':', ' ')
}
