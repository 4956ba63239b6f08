/** One project per kind of test. Unit tests run side by side; the others use the real kernel and run one file after another. */
import { defineConfig } from 'vitest/config'

const kinds = ['contract', 'integration', 'hostile', 'protocol', 'e2e', 'crash']

export default defineConfig({
  test: {
    passWithNoTests: true,
    // One line per file is enough; a test that takes longer is worth a line of its own.
    slowTestThreshold: 10_000,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
          sequence: { groupOrder: 0 },
        },
      },
      ...kinds.map((name, index) => ({
        test: {
          name,
          include: [`test/${name}/**/*.test.ts`],
          pool: 'forks' as const,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          maxWorkers: 1,
          sequence: { groupOrder: index + 1 },
        },
      })),
    ],
  },
})
