// tuf-js, with nothing but a root file and the URLs, and its default limits.
//
//     tufjs.mjs FOLDER ROOT METADATA_URL TARGETS_URL [TARGET_PATH...]
//
// Refreshes, downloads the target paths, and prints one JSON object. The folder keeps the client's state.

import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const { Updater } = createRequire(join(process.env.NODE_PACKAGES, 'any.js'))('tuf-js');

const [folder, root, metadataBaseUrl, targetBaseUrl, ...targetPaths] = process.argv.slice(2);
const metadataDir = join(folder, 'metadata');
const targetDir = join(folder, 'targets');
mkdirSync(metadataDir, { recursive: true });
mkdirSync(targetDir, { recursive: true });
if (!existsSync(join(metadataDir, 'root.json'))) copyFileSync(root, join(metadataDir, 'root.json'));

const version = (name) => JSON.parse(readFileSync(join(metadataDir, `${name}.json`))).signed.version;

async function download(updater, targetPath) {
  const info = await updater.getTargetInfo(targetPath);
  if (info === undefined) return { found: false };
  const content = readFileSync(await updater.downloadTarget(info));
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { found: true, sha256, length: content.length };
}

const result = { targets: {} };
try {
  const updater = new Updater({ metadataDir, metadataBaseUrl, targetDir, targetBaseUrl });
  await updater.refresh();
  result.versions = Object.fromEntries(
    ['root', 'timestamp', 'snapshot', 'targets'].map((name) => [name, version(name)]),
  );
  for (const targetPath of targetPaths) result.targets[targetPath] = await download(updater, targetPath);
} catch (error) {
  result.error = `${error.name}: ${error.message}`;
}
console.log(JSON.stringify(result));
