/** The main container of a release in the sandbox, where its seed runs. */
export type SeedPod = {
  /** Runs a command to its end and returns its stdout; a bad exit throws. */
  run(command: readonly string[], stdin?: string): Promise<string>;
};

/** A Secret of the sandbox that a chart's values name as existingSecret. */
export type SandboxSecret = { readonly name: string; readonly data: Record<string, string> };

/** Reads a key of a Secret of the namespace: of a release that this one requires, which is there before it. */
export type ReadSecretKey = (name: string, key: string) => Promise<string>;

/** A continuous writer: each acknowledged transaction prints its id, and the sum of its ledger never changes. */
export type Writer = {
  /**
   * Runs in the main container until SIGTERM, and ends then between two transactions. Connects through the Service, as
   * an application would.
   */
  readonly command: readonly string[];
  /** Prints `rows sum maxId` in one line. */
  readonly check: readonly string[];
};
