/** The whole command line as one page of Markdown, made of the tables that the parser reads. */
import { globalOptions } from '../options/global.ts'
import { describeCommand, describeNoun, describeOptions } from './help-text.ts'
import { nouns, verbs } from './table.ts'

const opening = `# The command line

What \`kago COMMAND --help\` prints, all on one page. Options may stand before or after the words; with \`run\`, \`create\`
and \`exec\` what follows the image or the container is its own. Short ones may be joined (\`-it\`); \`--\` ends them.
A list of exit codes is at the end.

Every command takes these as well:

`

const exitCodes = `## Exit codes

| code | means |
|---|---|
| 0 | done; of \`run\`, \`exec\`, \`attach\` and \`start -a\`: the container's own code |
| 1 | a bug in kago |
| 2 | the command itself is wrong |
| 3 | no such container, image, volume, network |
| 4 | taken, still needed, or not in that state |
| 5 / 6 | you may not / log in first |
| 7 | this kernel, runtime or version cannot |
| 8 | no disk, no address, no pid left |
| 9 / 10 | does not answer / took too long |
| 11 | bytes are not what their digest says |
| 125 | of \`run\` and \`exec\`: kago failed, not the command |
| 126 / 127 | the command cannot be executed / was not found |
| 128 + N | ended by signal N |
| 130 | cancelled |
`

export async function commandPage(): Promise<string> {
  const pages = await Promise.all(
    Object.entries(verbs).map(async ([name, { summary, load }]) => {
      const words = `kago ${name}`
      return `## ${words}\n\n\`\`\`\n${describeCommand(words, summary, await load())}\`\`\`\n`
    }),
  )
  const groups = Object.keys(nouns).map((noun) => `## kago ${noun}\n\n\`\`\`\n${describeNoun(noun)}\`\`\`\n`)
  return `${opening}\`\`\`\n${describeOptions(globalOptions)}\`\`\`\n\n${[...pages, ...groups, exitCodes].join('\n')}`
}
