/** Counting and printing what a demonstration finds. */
export class Checks {
  private passed = 0;
  private readonly failures: string[] = [];
  private readonly started = performance.now();

  /** Headline of what comes next. */
  step(text: string): void {
    console.log(`\n${((performance.now() - this.started) / 1000).toFixed(1).padStart(5)} s  ${text}`);
  }

  /** A line of what happened. */
  say(text: string): void {
    console.log(`         ${text}`);
  }

  /** Counts; prints the first few of a step's passes only where they tell something, and every failure. */
  check(what: string, holds: boolean, found = ""): void {
    if (holds) {
      this.passed++;
      if (!/ reads | does not read | listens to /.test(what)) this.say(`ok  ${what}`);
    } else {
      this.failures.push(what);
      this.say(`FAILED  ${what}${found && ` (found ${found})`}`);
    }
  }

  /** Prints the closing lines; 0 if everything held, else 1. */
  finish(name: string): number {
    for (const failure of this.failures) console.log(`failed: ${failure}`);
    console.log(`${name}: ${this.passed} checks passed, ${this.failures.length} failed`);
    return this.failures.length ? 1 : 0;
  }

  /** Rows of text under headings. */
  table(headings: string[], rows: string[][]): void {
    const widths = headings.map((_, column) =>
      Math.max(...[headings, ...rows].map((row) => row[column]!.length))
    );
    console.log("");
    for (const row of [headings, ...rows]) {
      console.log("  " + row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd());
    }
    console.log("");
  }

  /** Runs the story; if it breaks off, that is a failure, and says where. */
  async run(story: () => Promise<void>): Promise<void> {
    try {
      await story();
    } catch (error) {
      this.check(
        `the demo broke off: ${error instanceof Error ? error.message : JSON.stringify(error)}`,
        false,
      );
    }
  }
}
