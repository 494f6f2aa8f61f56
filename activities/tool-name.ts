import packageJson from '../package.json' with { type: 'json' };

/** What wrote a manifest: `lifeboat 0.1.0`. */
export const toolName = `${packageJson.name} ${packageJson.version}`;
