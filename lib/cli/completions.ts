// The completions of shells, from the tables of commands and options.
//
// Trade-off: they complete commands, options, and files where an option takes a path. What a server has, such as the
// names of trees, is not asked for.

import { COMMANDS, SHELLS } from "./commands.ts";
import { OPTIONS } from "./options.ts";

/** An option, as far as a shell is told of it. */
interface Told {
  readonly flag: string;
  readonly short?: string;
  readonly value: string;
  readonly help: string;
}

const NAMES = Object.keys(COMMANDS).join(" ");

/** The script for a shell; null: it is none that there is one for. */
export function completions(shell: string): string | null {
  const known = SHELLS.find((name) => name === shell);
  return known === undefined ? null : SCRIPTS[known]();
}

const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], () => string>> = {
  bash: () =>
    `# Completions of karma for bash: source <(karma completions bash)
_karma() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" words
  case "$previous" in
    ${pathFlags().join("|")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
  esac
  case "\${COMP_WORDS[1]}" in
${casesOf("    ", (words) => `words="${words.join(" ")}"`)}
    *) words="${wordsOf(OPTIONS).join(" ")}" ;;
  esac
  if [[ $COMP_CWORD -eq 1 ]]; then words="${NAMES} $words"; fi
  if [[ "$current" == -* || $COMP_CWORD -eq 1 || " completions help " == *" \${COMP_WORDS[1]} "* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -o filenames -F _karma karma
`,
  zsh: () =>
    `#compdef karma
# Completions of karma for zsh: source <(karma completions zsh)
_karma() {
  local -a words_here
  case "\${words[CURRENT-1]}" in
    ${pathFlags().join("|")}) _files; return ;;
  esac
  case "\${words[2]}" in
${casesOf("    ", (words) => `words_here=(${words.join(" ")})`)}
    *) words_here=(${wordsOf(OPTIONS).join(" ")}) ;;
  esac
  if (( CURRENT == 2 )); then words_here=(${NAMES} $words_here); fi
  compadd -a words_here
  if (( CURRENT > 2 )); then _files; fi
}
compdef _karma karma
`,
  fish: () => {
    const isFirst = "__fish_use_subcommand";
    const lines = Object.entries(COMMANDS).flatMap(([name, { summary, options, words }]) => [
      `complete -c karma -n ${isFirst} -f -a ${name} -d '${escaped(summary)}'`,
      ...Object.values(options).map((option) => {
        return fishLine(`'__fish_seen_subcommand_from ${name}'`, option);
      }),
      ...choicesOf(name, words).map((word) => {
        return `complete -c karma -n '__fish_seen_subcommand_from ${name}' -f -a ${word}`;
      }),
    ]);
    const bare = Object.values(OPTIONS).map((option) => fishLine(isFirst, option));
    const head = "# Completions of karma for fish: karma completions fish | source";
    return [head, ...lines, ...bare, ""].join("\n");
  },
};

/** A line of a shell's `case` for each command. */
function casesOf(indent: string, body: (words: string[]) => string): string {
  return Object.entries(COMMANDS).map(([name, { options, words }]) => {
    return `${indent}${name}) ${body([...choicesOf(name, words), ...wordsOf(options)])} ;;`;
  }).join("\n");
}

function wordsOf(options: Readonly<Record<string, Told>>): string[] {
  return [...Object.values(options).map(({ flag }) => `--${flag}`), "--help"];
}

/** The words that a command is given one of. */
function choicesOf(name: string, words: string): string[] {
  if (name === "help") return NAMES.split(" ");
  return name === "completions" ? words.split(" | ") : [];
}

/** The options that take a path, in every way to write them. */
function pathFlags(): string[] {
  const all = Object.values(COMMANDS).flatMap(({ options }) => Object.values<Told>(options));
  const flags = all.filter(({ value }) => value === "path").flatMap(({ flag, short }) => {
    return short === undefined ? [`--${flag}`] : [`--${flag}`, `-${short}`];
  });
  return [...new Set(flags)];
}

function fishLine(condition: string, { flag, short, value, help }: Told): string {
  const brief = short === undefined ? "" : ` -s ${short}`;
  const argument = value === "" ? "" : value === "path" ? " -r -F" : " -x";
  return `complete -c karma -n ${condition}${brief} -l ${flag}${argument} -d '${escaped(help)}'`;
}

function escaped(text: string): string {
  return text.replaceAll("'", "\\'");
}
